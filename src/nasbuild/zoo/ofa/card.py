"""Writes the card of fashion-ofa: content and origin of the table; all figures are computed."""

from __future__ import annotations

import platform
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from nasbuild._atomic_write import write_text
from nasbuild.space import count_architectures
from nasbuild.table import Table
from nasbuild.zoo._table_maker import Progress
from nasbuild.zoo.ofa.family import fashion
from nasbuild.zoo.ofa.generate import LATENCY, Work
from nasbuild.zoo.ofa.recipe import Recipe

AGAIN = 50
"""Networks that are tested again with other images for their batch norms."""


def write_card(table: Table, work: Work, path: Path, progress: Progress) -> None:
    """Write the card of a table, given its work folder."""
    import torch

    from nasbuild.zoo.ofa.evaluator import SupernetFile, supernet_measure

    columns = table.columns
    again = supernet_measure(work.evaluator.partition(":")[2], table.space, seed=1)
    first = list(table.architectures[:AGAIN])
    other = []
    for n, architecture in enumerate(first):
        other.append(again(architecture)["acc"])
        progress("tested again", n + 1, len(first))
    error = float(np.sqrt(np.mean((np.array(other) - columns["acc"][: len(first)]) ** 2) / 2))
    recipe, family = Recipe(), fashion()
    phases = "\n".join(
        f"| {p.name} | {p.epochs:g} | {p.rate:g} | {p.kernels or (7,)} | {p.expands or (6,)} "
        f"| {4 - p.shorter} to 4 | {'largest alone' if p.drawn is None else f'largest, smallest, {p.drawn} drawn'} |"
        for p in recipe.phases
    )
    text = _TEXT.format(
        n=len(table),
        all=count_architectures(table.space),
        widths=", ".join(str(s.width) for s in family.stages),
        strides=", ".join(str(s.stride) for s in family.stages),
        stem=family.stem,
        squeezes=", ".join(str(u + 1) for u, s in enumerate(family.stages) if s.squeeze),
        phases=phases,
        recipe=recipe,
        recalibrate=SupernetFile.model_fields["recalibrate"].default,
        latency=LATENCY.partition(":")[2],
        machine=f"{platform.machine()}, torch {torch.__version__}",
        again=len(first),
        error=f"{error:.3f}",
        sampling=f"{100 * np.sqrt(columns['acc'].mean() * (100 - columns['acc'].mean()) / 1e8):.2f}",
        ranges="\n".join(
            f"| {name} | {v.min():.6g} | {np.median(v):.6g} | {v.max():.6g} |" for name, v in columns.items()
        ),
        macs=f"{spearmanr(columns['acc'], columns['macs'])[0]:.3f}",
        latency_macs=f"{spearmanr(columns['latency_cpu'], columns['macs'])[0]:.3f}",
        spread=f"{np.median(columns['latency_cpu_std'] / columns['latency_cpu']):.1%}",
    )
    write_text(path, text)


_TEXT = """# fashion-ofa
{n:,} networks at random out of {all:.2e}, all with the weights of one supernet that was trained for it: measured \
accuracy, not predicted. Made by this project with `python -m nasbuild.zoo.ofa`; every figure below is \
computed by it.

## Space
Five stages of two to four inverted residual blocks (MobileNetV3's), each with expand ratio 3, 4 or 6 and kernel \
3, 5 or 7. Widths {widths}, strides {strides}, squeeze and excitation in stages {squeezes}; before them a 3x3 stem \
of stride 2 to {stem} channels and a fixed block, behind them a head of 1x1 convolutions and a linear layer: a \
quarter of MobileNetV3's width, and strides for pictures of 28 x 28.

## Supernet
Once-for-all (Cai et al., ICLR 2020) on Fashion-MNIST (Xiao et al., 2017, MIT licence): 60,000 pictures, mirrored \
and moved by up to two pixels; batch {recipe.batch}, SGD with Nesterov momentum {recipe.momentum}, cosine.

| phase | epochs | rate | kernels | expand ratios | depth | networks at each step |
|---|---|---|---|---|---|---|
{phases}

Smaller networks learn from the largest one's outputs at the same step. Before the last phase channels are sorted.

## Labels
- `acc`, `loss`: accuracy in percent and cross-entropy in nats on the 10,000 test pictures, after batch norms saw \
{recalibrate:,} training pictures, the same for all.
- `macs`, `params`: multiply-accumulates of a picture (half of what `torch.utils.flop_counter` counts) and \
trainable parameters.
- `latency_cpu`: milliseconds by onnxruntime on one thread (`{latency}`: 16 pictures), measured together in sweeps, \
with random weights, on which it does not depend; `latency_cpu_std`: its spread. {machine}.

| | lowest | median | highest |
|---|---|---|---|
{ranges}

## Noise
Other pictures for the batch norms change accuracy by a deviation of {error} points ({again} networks). Ten thousand \
test pictures leave a sampling error of {sampling} points, but networks share pictures and weights, so they compare \
much better than that. Typical spread of latency: {spread}. SRCC of accuracy and MACs {macs}, of latency \
and MACs {latency_macs}.

Accuracy of a network trained alone would be another: these are the supernet's.
"""
