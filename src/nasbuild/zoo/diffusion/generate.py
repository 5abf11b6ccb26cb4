"""Makes the table of sd-unet-mini: a parent, a classifier, and fine-tuned variants; can be interrupted and resumed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nasbuild._atomic_write import write_text
from nasbuild.evaluate import Executor, Result, Spec
from nasbuild.space import Architecture, load_space, sample
from nasbuild.table import Table, table_from_evaluations
from nasbuild.zoo._table_maker import Progress, rounded, stored_results
from nasbuild.zoo.diffusion.space import NAME, sd_v1_4

VARIANTS = 68
FILE, STORE = "inpainting.yaml", "store.sqlite"
RECIPE: dict[str, Any] = {
    "size": "mini",
    "images": 2048,
    "steps": 480,
    "batch": 64,
    "rate": 2e-3,
    "warmup": 20,
    "ema": 0.98,
    "every": 60,
    "solver": "dpm",
    "denoising": 10,
    "paint": 128,
}
"""Settings for fine-tuning and testing each variant."""


@dataclass(frozen=True)
class Work:
    """Work folder of the table.

    Attributes
    ----------
    folder
        Contains parent, classifier, the evaluator's settings file, and the store of results.
    images
        Folder of Fashion-MNIST's four files.
    """

    folder: Path
    images: Path

    @property
    def evaluator(self) -> str:
        """Name of the evaluator that fine-tunes and tests variants."""
        return f"inpainting:{self.folder / FILE}"

    def prepare(self, progress: Progress) -> None:
        """Train parent and classifier if they are missing, and write the evaluator's settings file."""
        if (self.folder / FILE).exists():
            return
        from nasbuild.zoo.diffusion.mini import FEATURES, PARENT, pretrain, train_features

        pretrain(self.folder, self.images, progress)
        train_features(self.folder, self.images, progress)
        settings = {**RECIPE, "parent": PARENT, "features": FEATURES}
        settings["fashion_mnist"] = str(self.images.absolute())
        write_text(self.folder / FILE, json.dumps(settings, indent=1) + "\n")

    def variants(self, n: int = VARIANTS) -> list[Architecture]:
        """The first ``n`` of a fixed random sequence, without SDv1.4's own; each module is equally likely."""
        candidates = sample(load_space(NAME), n + 1, np.random.default_rng(0))
        return [a for a in candidates if a != sd_v1_4()][:n]

    def measure(
        self,
        architectures: Sequence[Architecture],
        progress: Progress,
        executor: Executor | None = None,
        *,
        seed: int = 0,
    ) -> dict[Architecture, Result]:
        """Results of architectures, from the store or evaluated now, failures included."""
        spec = Spec(self.evaluator, load_space(NAME), seed)
        step = f"variants, seed {seed}"
        return stored_results(self.folder / STORE, spec, FILE, architectures, progress, step, executor)

    def table(self, results: dict[Architecture, Result]) -> Table:
        """A table of all successful results."""
        rows = {
            architecture: {name: rounded(value) for name, value in result.metrics.items()}
            for architecture, result in results.items()
            if result.metrics is not None
        }
        return table_from_evaluations(load_space(NAME), rows)
