"""Writes the card of the table: how it was made, and the noise of its labels; all figures are computed."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence

import numpy as np
import sklearn
import torch
from torch import Tensor

from nasbuild.zoo.digits import cost, data
from nasbuild.zoo.digits.generate import Trainings
from nasbuild.zoo.digits.noise import Noise, noise_of, srcc
from nasbuild.zoo.digits.space import STRIDES, WIDTHS, Arch, arch_id
from nasbuild.zoo.digits.train import RECIPE


def write_card(
    archs: Sequence[Arch], seeds: Sequence[int], trainings: Trainings, rows: Sequence[dict], times: Tensor
) -> str:
    """The card as Markdown.

    Parameters
    ----------
    trainings
        Trainings of all ``archs`` with all ``seeds``.
    rows
        Rows of the table.
    times
        Latencies in milliseconds, ``archs x samples``.
    """
    runs = [[trainings[arch_id(arch), seed] for seed in seeds] for arch in archs]
    noise = {name: noise_of([[run[name] for run in row] for row in runs]) for name in ("acc", "loss")}
    seconds = np.array([[run["seconds"] for run in row] for row in runs])
    columns = {
        name: np.array([row["metrics"][name] for row in rows])
        for name in ("acc", "macs", "params", "latency_cpu")
    }
    halves = [np.median(times[:, start::2].numpy(), axis=1) for start in (0, 1)]
    spread = np.median([row["metrics"]["latency_cpu_std"] / row["metrics"]["latency_cpu"] for row in rows])
    return _TEXT.format(
        n_archs=f"{len(archs):,}",
        n_seeds=len(seeds),
        seeds=", ".join(map(str, seeds)),
        n_trainings=f"{seconds.size:,}",
        hours=f"{seconds.sum() / 3600:.2f}",
        seconds_each=f"{seconds.mean():.2f}",
        widths=", ".join(map(str, WIDTHS)),
        stem=WIDTHS[0],
        strides=", ".join(map(str, STRIDES)),
        n_train=f"{len(data.load_task().train_x):,}",
        n_test=f"{data.TEST_IMAGES:,}",
        draws=data.TEST_DRAWS,
        noise=data.NOISE,
        recipe=RECIPE,
        weight_decay=f"{RECIPE.weight_decay:g}",
        warm_up=f"{RECIPE.warm_up:.0%}",
        machine=f"{os.cpu_count()}-core {platform.machine().replace('_', '-')} CPU, one thread",
        versions=f"Python {platform.python_version()}, torch {torch.__version__}, "
        f"scikit-learn {sklearn.__version__}, numpy {np.__version__}",
        noise_table=_noise_table(noise["acc"], noise["loss"], len(seeds)),
        acc_low=f"{columns['acc'].min():.2f}",
        acc_high=f"{columns['acc'].max():.2f}",
        srcc_size=f"{srcc(columns['acc'], columns['macs']):.3f}",
        srcc_params=f"{srcc(columns['acc'], columns['params']):.3f}",
        larger_is_worse=f"{_larger_is_worse(columns['acc'], columns['macs']):.0%}",
        batch=cost.LATENCY_BATCH,
        samples=times.shape[1],
        latency_low=f"{columns['latency_cpu'].min():.2f}",
        latency_high=f"{columns['latency_cpu'].max():.2f}",
        spread=f"{spread:.1%}",
        srcc_latency=f"{srcc(*halves):.4f}",
        srcc_macs=f"{srcc(columns['latency_cpu'], columns['macs']):.3f}",
    )


def _noise_table(acc: Noise, loss: Noise, n_seeds: int) -> str:
    lines = ["| | acc, % | loss, nats |", "|---|---|---|"]
    fields = [
        ("mean", "mean", "{:.3f}"),
        ("deviation between architectures", "between", "{:.4f}"),
        ("deviation between the seeds of one architecture", "seed", "{:.4f}"),
        ("ratio of the two", "ratio", "{:.2f}"),
        ("seed deviation without the shift common to all architectures", "rest", "{:.4f}"),
        ("SRCC between two seeds (mean over the pairs)", "srcc", "{:.4f}"),
        (f"reliability of the mean of {n_seeds} seeds", "reliability", "{:.4f}"),
    ]
    for text, name, form in fields:
        values = [getattr(noise, name) for noise in (acc, loss)]
        shown = [form.format(v) if np.isfinite(v) else "not known" for v in values]
        lines.append(f"| {text} | {shown[0]} | {shown[1]} |")
    return "\n".join(lines)


def _larger_is_worse(acc: np.ndarray, macs: np.ndarray) -> float:
    """Share of pairs of different size in which the larger architecture is less accurate."""
    larger = macs[:, None] > macs[None, :]
    return float((acc[:, None] < acc[None, :])[larger].mean())


_TEXT = """# digits-macro
Every architecture of a small space, each trained from scratch with {n_seeds} seeds on real pictures: \
{n_archs} architectures, {n_trainings} trainings. Made by this project with \
`python -m nasbuild.zoo.digits`; every figure below is computed by it.

## Space
Three stages of one or two layers; a layer is an inverted bottleneck (1x1 expansion, depthwise \
convolution, 1x1 projection, batch norm after each, ReLU after the first two) with expansion 1 and \
kernel 3, expansion 3 and kernel 3, or expansion 6 and kernel 5. Expansion 1 has no expanding \
convolution. The first layer of a stage sets width ({widths}) and stride ({strides}); later ones have a \
residual, as has the first layer of stage 1. Before them a 3x3 stem to {stem} channels, behind them the \
mean over pixels and a linear head.

## Task
scikit-learn's 8x8 digits (Alpaydin and Kaynak, Optical Recognition of Handwritten Digits, UCI Machine \
Learning Repository, CC BY 4.0): {n_train} pictures for training, {n_test} others for testing, each \
tested under {draws} fixed draws of noise; the split and the test noise are the same for all. Gaussian \
noise of deviation {noise} on pixels in 0..1 makes the task hard enough to tell architectures apart; in \
training it is fresh in each step.

## Recipe, the same for all
{recipe.steps} steps of batch {recipe.batch}, SGD with Nesterov momentum {recipe.momentum}, weight decay \
{weight_decay}, learning rate rising linearly to {recipe.rate} over the first {warm_up} of the steps and \
falling linearly after, cross-entropy. Initial weights, order of pictures and training noise are drawn \
from the seed ({seeds}) only. No weights are shared, no architecture is stopped early, tuned or left \
out. So short a training ranks architectures by how fast they learn: nothing here says what long \
training would give.

{machine}; {versions}. {hours} hours of wall-clock time in all, {seconds_each} s per training.

## Labels
- `acc`: test accuracy in percent, mean over the seeds; `acc_std`: standard deviation over the seeds, n-1.
- `loss`, `loss_std`: the same of the test cross-entropy, nats.
- `macs`: multiply-accumulates of one picture: half of what `torch.utils.flop_counter` counts, so \
convolutions and the head, without batch norm and activations.
- `params`: trainable parameters.
- `latency_cpu`: milliseconds of a forward pass of {batch} pictures, fp32, eager PyTorch, one thread, on \
the machine class above: the median of {samples} samples. Every round samples all architectures in a new \
order; a sample is one pass to warm up and one that is timed. The clock is the thread's CPU time: wall-clock \
time without the time that the system gave to other processes. `latency_cpu_std`: distance between the quartiles over \
1.349.

## Noise
{noise_table}

Accuracy goes from {acc_low} to {acc_high} %. It is not just size: SRCC of accuracy is {srcc_size} with MACs \
and {srcc_params} with parameters, and in {larger_is_worse} of all pairs the architecture with more MACs is the \
less accurate one.

Latency goes from {latency_low} to {latency_high} ms; the typical spread over samples is {spread}; two \
halves of the samples agree with SRCC {srcc_latency}; SRCC of latency and MACs is {srcc_macs}.
"""
