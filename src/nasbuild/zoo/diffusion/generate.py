"""Make the table of sd-unet-mini: a parent, a classifier, and fine-tuned variants; stop and go on at any time."""

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
from nasbuild.zoo._table_maker import Progress, kept_results, rounded
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
"""How each variant is fine-tuned and tested."""


@dataclass(frozen=True)
class Work:
    """A work folder of the table.

    Attributes
    ----------
    folder
        Holds parent, classifier, the evaluator's file and the store of results.
    images
        Folder of Fashion-MNIST.
    """

    folder: Path
    images: Path

    @property
    def evaluator(self) -> str:
        """Fine-tunes and tests variants of the parent."""
        return f"inpainting:{self.folder / FILE}"

    def prepare(self, progress: Progress) -> None:
        """Train parent and classifier, where they are missing, and write the evaluator's file."""
        if (self.folder / FILE).exists():
            return
        from nasbuild.zoo.diffusion.mini import FEATURES, PARENT, pretrain, teach

        pretrain(self.folder, self.images, progress)
        teach(self.folder, self.images, progress)
        held = {**RECIPE, "parent": PARENT, "features": FEATURES}
        held["fashion_mnist"] = str(self.images.absolute())
        write_text(self.folder / FILE, json.dumps(held, indent=1) + "\n")

    def variants(self, n: int = VARIANTS) -> list[Architecture]:
        """Networks at random, the same every time; each module is equally likely. SDv1.4's own is none of them."""
        drawn = sample(load_space(NAME), n + 1, np.random.default_rng(0))
        return [a for a in drawn if a != sd_v1_4()][:n]

    def measure(
        self,
        architectures: Sequence[Architecture],
        progress: Progress,
        executor: Executor | None = None,
        *,
        seed: int = 0,
    ) -> dict[Architecture, Result]:
        """Results of architectures, from the store or now; those that failed among them."""
        spec = Spec(self.evaluator, load_space(NAME), seed)
        what = f"variants, seed {seed}"
        return kept_results(self.folder / STORE, spec, FILE, architectures, progress, what, executor)

    def table(self, results: dict[Architecture, Result]) -> Table:
        """All that did not fail."""
        rows = {
            architecture: {name: rounded(value) for name, value in result.metrics.items()}
            for architecture, result in results.items()
            if result.metrics is not None
        }
        return table_from_evaluations(load_space(NAME), rows)
