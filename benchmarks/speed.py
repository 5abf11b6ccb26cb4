"""Speed of the parts on one thread, as ratios of times measured in the same run.

    python benchmarks/speed.py [--data DIR]

The two sides of a ratio are measured in turn.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch

from _common import arguments, markdown, read, save
from nasbuild.builder import build, build_front, build_within, parse_bound, propose_equations
from nasbuild.predictor import GraphBatch, Network, autobuild_loss, recipe
from nasbuild.score import fit, score_stages, versions
from nasbuild.space import encode, graph_schema

REPEATS = 5
TARGETS = ["acc", "latency_gpu", "latency_cpu", "latency_npu"]
BOUNDS = [
    parse_bound(text)
    for text in (
        "latency_gpu <= 15",
        "latency_cpu <= 300",
        "latency_npu <= 6",
        "layers <= 14",
        "layers >= 11",
    )
]


def main() -> None:
    parser = arguments("Speed of the parts", "speed")
    options = parser.parse_args()
    torch.set_num_threads(1)
    table = read(options.data, "ofa-mbv3-surrogate")
    few = fit(table.select(range(100)), ["acc"], recipe=recipe("paper", epochs=2))
    many = fit(table, ["acc"], recipe=recipe("paper", epochs=2), workers=options.workers)
    default = fit(table.select(range(300)), TARGETS, baselines=False)
    within = build_within(default, "acc", 1000, BOUNDS)
    assert within.n_proven == len(within.built) == 1000
    figures = {
        "36,855 module scores, 3 members": seconds(lambda: score_stages(many.targets[0].scorer)),
        "36,855 module scores, 20 members": seconds(lambda: score_stages(few.targets[0].scorer)),
        "the 1,000 best of 2.2e19 architectures": seconds(lambda: build(many.targets[0], 1000)),
        "36,855 module scores, recipe default": seconds(lambda: score_stages(default.targets[0].scorer)),
        "the 1,000 best of 2.2e19 under five bounds, proven": seconds(
            lambda: build_within(default, "acc", 1000, BOUNDS)
        ),
        "40 along the front of accuracy and latency": seconds(
            lambda: build_front(default, 40, targets=TARGETS[:2])
        ),
        "four equations of accuracy and latency": seconds(
            lambda: propose_equations(default, 4, targets=TARGETS[:2])
        ),
        **{
            f"learning accuracy from {n:,} labels, with five folds": seconds(
                partial(fit, table.select(range(n)), ["acc"], baselines=False), REPEATS if n < 1000 else 1
            )
            for n in (68, 1000, 2700)
        },
        "nasbuild --help, whole process": seconds(help_page),
        "python -c pass, whole process": seconds(
            lambda: subprocess.run([sys.executable, "-c", "pass"], check=True)
        ),
    }
    result = {"versions": versions(), "seconds": figures, "step": training_step(table)}
    save(options.out, result)
    rows = [[name, f"{v['median']:.3f}", f"{v['min']:.3f}", f"{v['max']:.3f}"] for name, v in figures.items()]
    print(markdown(["seconds", "median", "min", "max"], rows))
    print(f"\na training step of 128 graphs, torch_geometric's GATv2 / ours: {result['step']['ratio']:.2f}")


def seconds(work: Callable[[], object], repeats: int = REPEATS) -> dict[str, float]:
    """Of so many repeats; before several, one that is not counted."""
    if repeats > 1:
        work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return {"median": float(np.median(times)), "min": min(times), "max": max(times)}


def help_page() -> None:
    subprocess.run([sys.executable, "-m", "nasbuild", "--help"], check=True, capture_output=True)


def training_step(table) -> dict[str, float]:
    """An optimiser step with our GATv2 and with torch_geometric's, interleaved and otherwise equal."""
    from torch_geometric.nn import GATv2Conv

    schema = graph_schema(table.space)
    graphs = encode(table.space, table.architectures[:128])
    batch = GraphBatch.of(graphs)
    labels = torch.from_numpy(table.columns["acc"][:128].astype(np.float32))
    shape = recipe("paper").shape(table.space.max_depth)

    class Theirs(torch.nn.Module):
        def __init__(self, inputs: int) -> None:
            super().__init__()
            self.conv = GATv2Conv(inputs, shape.width)

        def forward(self, x, source, target):
            return self.conv(x, torch.stack([source, target]))

    ours, theirs = Network(schema, shape), Network(schema, shape)
    inputs = [len(schema.features)] + [shape.width] * (shape.hops - 1)
    theirs.convolutions = torch.nn.ModuleList(Theirs(i) for i in inputs)

    def step(network: Network) -> float:
        start = time.perf_counter()
        prediction, norms = network(batch)
        autobuild_loss(prediction, norms, labels).backward()
        return time.perf_counter() - start

    times = np.array([(step(theirs), step(ours)) for _ in range(60)])[10:]
    return {
        "ours": float(np.median(times[:, 1])),
        "torch_geometric": float(np.median(times[:, 0])),
        "ratio": float(np.median(times[:, 0] / times[:, 1])),
    }


if __name__ == "__main__":
    main()
