"""Figure 7 of the paper: images inpainted by the networks that table 1 chose, side by side.

    python benchmarks/fig7.py --work DIR --images DIR [--table1 FILE.json] [--figure FILE.svg]

For each method, the network with the lowest mean Fréchet inception distance (FID) of table 1 is fine-tuned again with the
table's seed, which gives the same weights. It inpaints the first test images with the table's masks and noise. Trainings
are stored in ``--work``; an interrupted run resumes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from _common import RESULTS, architecture, arguments, resume
from nasbuild.space import load_space
from nasbuild.zoo.diffusion.evaluator import load_inpainting
from nasbuild.zoo.diffusion.generate import FILE

SHOWN = 12
NAMES = {"default": "AutoBuild", "mse": "ES", "labelled": "best of the 68", "random": "random"}


def main() -> None:
    parser = arguments("images painted side by side", "fig7")
    parser.add_argument("--work", type=Path, default=Path("sd-unet-mini"), help="work folder of the table")
    parser.add_argument("--table1", type=Path, default=RESULTS / "table1.json")
    parser.add_argument("--figure", type=Path, default=RESULTS / "fig7.svg")
    options = parser.parse_args()
    torch.set_num_threads(1)
    table1, space = resume(options.table1), load_space("sd-unet")
    inpainting = load_inpainting(options.work / FILE)
    rows: dict[str, np.ndarray] = {}
    for name, title in NAMES.items():
        one, fid = best(table1, name)
        path = options.work / "fig7" / f"{one['id']}.safetensors"
        network = inpainting.tune(space, architecture(one["modules"]), 0, path)
        found = inpainting.paint(network, np.arange(SHOWN))
        if not rows:
            rows["image"] = found.images.numpy()
            rows["mask"] = torch.where(found.masks > 0, 0.0, found.images).numpy()
        rows[f"{title}\nFID {fid:.2f}"] = found.painted.numpy()
        print(f"{title}: {one['id']}", flush=True)
    draw(rows, options.figure)


def best(table1: dict[str, Any], name: str) -> tuple[dict[str, Any], float]:
    """The network with the lowest mean FID that a method chose, and that FID."""
    means = {
        one["id"]: float(np.mean([v for v in table1["fid"][one["id"]].values() if v is not None]))
        for one in table1["chosen"][name]
    }
    one = min(table1["chosen"][name], key=lambda one: means[one["id"]])
    return one, means[one["id"]]


def draw(rows: dict[str, np.ndarray], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(SHOWN * 0.62 + 1.5, len(rows) * 0.62), layout="constrained")
    axes = figure.subplots(len(rows), SHOWN)
    for line, (title, images) in zip(axes, rows.items(), strict=True):
        for axis, image in zip(line, images[:, 0], strict=True):
            axis.imshow(image, cmap="gray", vmin=-1, vmax=1, interpolation="nearest")
            axis.set_xticks([])
            axis.set_yticks([])
            axis.spines[:].set_visible(False)
        line[0].set_ylabel(title, rotation=0, ha="right", va="center", fontsize=8)
    figure.savefig(path, dpi=120, metadata={"Date": None})


if __name__ == "__main__":
    main()
