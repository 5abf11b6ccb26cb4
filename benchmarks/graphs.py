"""Time to trace, save, load and name many operator graphs.

    python benchmarks/graphs.py

200 random networks of the once-for-all space are traced. A file of 6,000 graphs repeats them with other kernel sizes and
numbers of parameters.
"""

from __future__ import annotations

import resource
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from _common import arguments, resume, save
from nasbuild.ir import OperatorGraph, from_torch, load_graphs, save_graphs, subgraphs
from nasbuild.zoo.ofa import Network, mobilenet_v3

NETWORKS, GRAPHS = 200, 6000


def main() -> None:
    options = arguments("Operator graphs in bulk", "graphs").parse_args()
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    made, figures = [], {}
    start = time.process_time()
    for number in range(NETWORKS):
        made.append(traced(number, rng))
        if number == 0:
            figures["first network, seconds"] = round(time.process_time() - start, 2)
            start = time.process_time()
    figures["a network after it, seconds"] = round((time.process_time() - start) / (NETWORKS - 1), 4)
    graphs = [varied(made[i % NETWORKS], i, rng) for i in range(GRAPHS)]
    figures["nodes a graph"] = round(float(np.mean([len(g) for g in graphs])), 1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "graphs.parquet"
        figures["save, seconds"] = timed(lambda: save_graphs(graphs, path))
        figures["file, MB"] = round(path.stat().st_size / 1e6, 2)
        figures["load, seconds"] = timed(lambda: load_graphs(path))
        assert load_graphs(path) == graphs
    figures["subgraphs of 0 to 4 hops, seconds"] = timed(lambda: subgraphs(graphs, 4))
    figures["different subgraphs by hop"] = [len(s.names) for s in subgraphs(graphs, 4)]
    figures["most memory, MB"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    result = resume(options.out) | {
        "networks": NETWORKS,
        "graphs": GRAPHS,
        "measured (processor time)": figures,
    }
    save(options.out, result)
    print(figures)


def traced(number: int, rng: np.random.Generator) -> OperatorGraph:
    family = mobilenet_v3()
    layers = tuple(
        tuple(
            (int(rng.choice([3, 4, 6])), int(rng.choice([3, 5, 7])))
            for _ in range(rng.integers(2, stage.depth + 1))
        )
        for stage in family.stages
    )
    with torch.device("meta"):
        module = Network(family, layers)
    return from_torch(module, torch.zeros(1, 3, 224, 224, device="meta"), name=str(number))


def varied(graph: OperatorGraph, number: int, rng: np.random.Generator) -> OperatorGraph:
    kernel = graph.kernel.copy()
    depthwise = graph.grouping == 3
    kernel[depthwise, 1:] = rng.choice([3, 5, 7], size=int(depthwise.sum()))[:, None]
    parameters = graph.parameters + rng.integers(1000, size=len(graph)) * (graph.parameters > 0)
    total = int(parameters.sum())
    return replace(graph, name=str(number), kernel=kernel, parameters=parameters, total_parameters=total)


def timed(work: object) -> float:
    """CPU seconds, best of three."""
    assert callable(work)
    best = np.inf
    for _ in range(3):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return round(best, 2)


if __name__ == "__main__":
    main()
