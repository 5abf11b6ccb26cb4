"""Makes the table of fashion-ofa: trains the supernet, tests sub-networks, and measures their costs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nasbuild._atomic_write import write_text
from nasbuild.errors import NasbuildError
from nasbuild.evaluate import Executor, Spec
from nasbuild.space import Architecture, load_space, sample
from nasbuild.table import Table, table_from_evaluations
from nasbuild.zoo._table_maker import Progress, rounded, stored_results
from nasbuild.zoo.ofa.family import fashion

SPACE = "fashion-ofa"
TIMED = "latency:fashion-ofa@16x1x28x28,runtime=onnxruntime"
LATENCY = f"{TIMED},tolerance=0.2"
COSTS = "costs:fashion-ofa"
WEIGHTS, FILE, STORE = "weights.safetensors", "supernet.yaml", "store.sqlite"
TABLE = "archs.jsonl.gz"
_NAMES = {"latency_ms": "latency_cpu", "latency_ms_spread": "latency_cpu_std"}
_KEPT = ("acc", "loss", "macs", "params", "latency_cpu", "latency_cpu_std")


def _latencies(
    table: Table, architectures: list[Architecture]
) -> dict[Architecture, Mapping[str, float | None]]:
    names = list(_NAMES.values())
    missing = [name for name in names if name not in table.columns]
    n_missing = len(set(architectures) - set(table.architectures))
    if missing or n_missing:
        what = f"no {missing[0]}" if missing else f"none for {n_missing:,} of the networks"
        raise NasbuildError(f"the table of latencies has {what}", todo="leave it out to measure latencies")
    columns = {name: table.columns[name].tolist() for name in names}
    return {
        a: dict(zip(columns, row, strict=True))
        for a, *row in zip(table.architectures, *columns.values(), strict=True)
    }


@dataclass(frozen=True)
class Work:
    """Work folder of the table; all steps can be interrupted and resumed.

    Attributes
    ----------
    folder
        Contains the training's checkpoint, the supernet's settings file, and the store of results.
    images
        Folder of Fashion-MNIST's four files.
    """

    folder: Path
    images: Path

    @property
    def evaluator(self) -> str:
        """Name of the evaluator that tests sub-networks of the trained supernet."""
        return f"supernet:{self.folder / FILE}"

    def train(self, progress: Progress, workers: int = 1) -> None:
        """Train the supernet by the default recipe, and write its weights and settings file."""
        if (self.folder / FILE).exists():
            return
        import torch

        from nasbuild.zoo.ofa.images import fashion_mnist
        from nasbuild.zoo.ofa.supernet import Supernet
        from nasbuild.zoo.ofa.train import train_supernet
        from nasbuild.zoo.ofa.weights import save_weights

        torch.manual_seed(0)
        supernet = Supernet(fashion())
        train, _ = fashion_mnist(self.images)

        def report(phase: str, done: int, steps: int, _: float) -> None:
            progress(f"training ({phase})", done, steps)

        train_supernet(supernet, train, self.folder, workers=workers, progress=report)
        save_weights(supernet, self.folder / WEIGHTS)
        images = str(self.images.absolute())
        settings = {"family": SPACE, "weights": WEIGHTS, "fashion_mnist": images, "batch": 250}
        write_text(self.folder / FILE, json.dumps(settings, indent=1) + "\n")

    def networks(self, n: int) -> list[Architecture]:
        """The first ``n`` of a fixed random sequence; each depth of a stage is equally likely."""
        return sample(load_space(SPACE), n, np.random.default_rng(0), over="depths")

    def measure(
        self,
        evaluator: str,
        architectures: list[Architecture],
        progress: Progress,
        executor: Executor | None = None,
    ) -> dict[Architecture, Mapping[str, float | None]]:
        """Metrics of architectures by an evaluator, from the store or evaluated now."""
        spec, step = Spec(evaluator, load_space(SPACE)), evaluator.partition(":")[0]
        found = stored_results(self.folder / STORE, spec, evaluator, architectures, progress, step, executor)
        return {a: r.metrics for a, r in found.items() if r.metrics is not None}

    def table(
        self,
        architectures: list[Architecture],
        progress: Progress,
        executor: Executor | None = None,
        timed: Table | None = None,
    ) -> Table:
        """Accuracy, loss, costs and latency of architectures, without those of which anything failed.

        Latency is measured last and in this process only, so that nothing disturbs it.

        Parameters
        ----------
        timed
            Table whose latencies are used instead of measuring, since they do not depend on weights.

        Raises
        ------
        NasbuildError
            If that table lacks latencies, or some of the networks.
        """
        known = None if timed is None else _latencies(timed, architectures)
        parts = [self.measure(e, architectures, progress, executor) for e in (self.evaluator, COSTS)]
        parts.append(self.measure(LATENCY, architectures, progress) if known is None else known)
        rows = {}
        for architecture in architectures:
            if all(architecture in part for part in parts):
                metrics = {_NAMES.get(k, k): v for part in parts for k, v in part[architecture].items()}
                rows[architecture] = {name: rounded(metrics[name]) for name in _KEPT}
        return table_from_evaluations(load_space(SPACE), rows)
