"""Writes the card of sd-unet-mini: content and origin of the table; all figures are computed."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from nasbuild._atomic_write import write_text
from nasbuild.evaluate import Result
from nasbuild.space import Architecture, count_architectures
from nasbuild.table import Table
from nasbuild.zoo._tensor_files import read_tensors
from nasbuild.zoo.diffusion.generate import RECIPE, Work
from nasbuild.zoo.diffusion.mini import FEATURES, PRETRAINING
from nasbuild.zoo.diffusion.space import sd_v1_4

_LABELS = ("fid", "loss", "psnr")


def write_card(
    table: Table,
    results: Mapping[Architecture, Result],
    again: Mapping[Architecture, Result],
    work: Work,
    path: Path,
) -> None:
    """Write the card of a table.

    Parameters
    ----------
    results
        Results of the table's architectures and of SDv1.4's own.
    again
        Results of some of them, fine-tuned with another seed.
    """
    import diffusers
    import torch

    columns = table.columns
    seconds = [r.seconds for r in results.values() if r.seconds is not None]
    reference = results[sd_v1_4()].metrics or {}
    text = _TEXT.format(
        n=len(table),
        failed=sum(r.metrics is None for r in results.values()),
        all=count_architectures(table.space),
        pre=PRETRAINING,
        recipe=RECIPE,
        accuracy=read_tensors(work.folder / FEATURES)[1].get("accuracy", "not known"),
        each=f"{np.median(seconds):.0f}" if seconds else "not known",
        machine=f"{platform.machine()}, one thread; torch {torch.__version__}, diffusers {diffusers.__version__}",
        ranges="\n".join(
            f"| {name} | {v.min():.6g} | {np.median(v):.6g} | {v.max():.6g} | {reference.get(name) or np.nan:.6g} |"
            for name, v in columns.items()
        ),
        noise=_noise(table, results, again),
        relations="\n".join(
            f"| {name} | "
            + " | ".join(f"{spearmanr(columns[name], columns[n])[0]:.3f}" for n in ("macs", "params"))
            + " |"
            for name in _LABELS
        ),
    )
    write_text(path, text)


def _noise(table: Table, results: Mapping[Architecture, Result], again: Mapping[Architecture, Result]) -> str:
    pairs = [(results[a].metrics, r.metrics) for a, r in again.items() if a in results]
    pairs = [(first, second) for first, second in pairs if first and second]
    if len(pairs) < 2:
        return "Not measured."
    lines = ["| | deviation between variants | deviation between seeds |", "|---|---|---|"]
    for name in _LABELS:
        change = [float(second[name] or 0) - float(first[name] or 0) for first, second in pairs]
        seed = float(np.sqrt(np.mean(np.square(change)) / 2))
        lines.append(f"| {name} | {table.columns[name].std(ddof=1):.4g} | {seed:.4g} |")
    return "\n".join(lines) + f"\n\nSeeds: {len(pairs)} networks, SDv1.4's own among them, fine-tuned twice."


_TEXT = """# sd-unet-mini
{n} U-Nets at random out of {all:,} ({failed} more could not be measured): each with \
inherited weights, fine-tuned for inpainting and measured. Made by this project with \
`python -m nasbuild.zoo.diffusion`; every figure below is computed by it.

## Space
`sd-unet` (docs/sd-unet.md) at a thirty-second of the channels: widths 10, 20, 40, 40, narrow ones three fifths of \
them; 2 groups, 2 heads. Levels of 16, 8, 4 and 2 latent pixels.

## Task
Fashion-MNIST (Xiao et al., 2017, MIT licence), padded to 32 x 32, blocks of 2 x 2 pixels folded into 4 channels. \
Masks of boxes or strokes cover 25 to 60 % of an image. No text: the conditioning is zero.

- Parent: SDv1.4's topology, trained to denoise (no masks) for {pre.steps:,} steps of batch {pre.batch}, AdamW, rate \
{pre.rate:g}, moving average {pre.ema:g}.
- Variants: weights of the parent (largest channels where narrower), mask and masked image as five more inputs that \
begin at zero; {recipe[steps]:,} steps of batch {recipe[batch]}, rate {recipe[rate]:g}, moving average {recipe[ema]:g}; \
order, noise and masks from seed 0. The same for all; none was stopped, tuned or left out.
- Test: the first {recipe[images]:,} test images with fixed masks and noise, {recipe[denoising]} steps of \
DPM-Solver++; known pixels stay.

{machine}; median wall-clock time {each} s for a variant.

## Labels
- `fid`: Fréchet distance between 64 features of the painted and of the original images, by a classifier trained for \
this on the same training images ({accuracy} % test accuracy). Not Inception's: compare it within this table only.
- `loss`: mean squared error of the predicted noise on the same images.
- `psnr`: of the masked part, dB.
- `macs`, `params`: multiply-accumulates of one denoising step for one image (half of what \
`torch.utils.flop_counter` counts), and parameters.

SDv1.4's own network, fine-tuned the same way, is not a row of the table; it is in the last column.

| | lowest | median | highest | SDv1.4's own |
|---|---|---|---|---|
{ranges}

SRCC with size:

| | macs | params |
|---|---|---|
{relations}

## Noise
{noise}
"""
