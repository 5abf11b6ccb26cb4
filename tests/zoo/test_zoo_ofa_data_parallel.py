"""A supernet trained by several processes."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal

import numpy as np
import pytest
import torch
from ofa_samples import BreakingImages, bright_images, tiny

from nasbuild.errors import NasbuildError
from nasbuild.zoo.ofa import Phase, Recipe, Supernet, accuracy, recalibrate, train_supernet
from nasbuild.zoo.ofa._data_parallel import GradientWorkers
from nasbuild.zoo.ofa._gradient import BatchShare

SHRINK = Phase("expand", 3, 0.05, kernels=(3, 5, 7), expands=(3, 4, 6), shorter=1, drawn=1)
RECIPE = Recipe(phases=(Phase("largest", 3, 0.05, drawn=None), SHRINK), batch=33, warmup=5, every=7)
IMAGES = bright_images(165)


def fresh(seed: int = 0) -> Supernet:
    torch.manual_seed(seed)
    return Supernet(tiny()).to(memory_format=torch.channels_last)


def gradients(supernet: Supernet) -> dict[str, torch.Tensor | None]:
    return {k: None if p.grad is None else p.grad.clone() for k, p in supernet.named_parameters()}


def test_the_gradient_is_the_sum_over_shares_and_an_exception_in_one_is_raised():
    shared = fresh()
    images = BreakingImages(IMAGES, first_seed=3 * 9)  # of three shares, at step 9
    # The same processes for both phases, as in a training.
    with GradientWorkers(shared, images, RECIPE, 2) as gradient_workers:
        for phase in RECIPE.phases:
            check_gradient(phase, shared, gradient_workers)
        gradient_workers.begin(SHRINK, 9)
        with pytest.raises(ValueError, match="no such picture"):
            gradient_workers.add()


def check_gradient(phase: Phase, shared: Supernet, gradient_workers: GradientWorkers) -> None:
    parts, losses = [], []
    for rank in range(3):
        supernet = fresh()
        losses.append(BatchShare(supernet.train(), IMAGES, RECIPE, rank, 3).gradient(phase, 4))
        parts.append(gradients(supernet))
    # What an earlier step left behind in other processes is no part of it.
    for step in (0, 4):
        gradient_workers.begin(phase, step)
        loss = BatchShare(shared.train(), IMAGES, RECIPE, 0, 3).gradient(phase, step) + gradient_workers.add()
    assert loss == pytest.approx(sum(losses))
    whole = gradients(shared)
    # Weights of other processes lie elsewhere in memory, which is another order of summing on some processors. A sum of n
    # terms of 11 pictures with 64 pixels, each no larger than the largest gradient, is off by sqrt(n) roundings of that
    # (Higham, Accuracy and Stability of Numerical Algorithms, 2.6: rounding errors add up like a random walk).
    largest = max(float(g.abs().max()) for g in whole.values() if g is not None)
    allowed = (11 * 64) ** 0.5 * torch.finfo(torch.float32).eps * largest
    for key, found in whole.items():
        of_shares = [one[key] for one in parts]
        if found is None:
            assert of_shares == [None] * 3
        else:
            assert torch.allclose(found, sum(of_shares), rtol=0, atol=allowed), key
    # No share can be left out unseen.
    assert all(
        max(float(g.abs().max()) for g in part.values() if g is not None) > 1e4 * allowed for part in parts
    )


def test_shares_make_up_the_batch():
    seen = []

    class Seen:
        labels = IMAGES.labels

        def batches(self, order, size, seed=None):
            seen.append(order)
            return IMAGES.batches(order, size, seed)

    for rank, of in ((0, 1), (0, 3), (1, 3), (2, 3)):
        BatchShare(fresh().train(), Seen(), RECIPE, rank, of).gradient(RECIPE.phases[0], 12)
    whole, *shares = seen
    assert np.concatenate(shares).tolist() == whole.tolist()
    assert {len(share) for share in shares} == {11}


def test_two_processes_resume_with_the_same_bits_after_the_death_of_one(tmp_path):
    whole = fresh()
    train_supernet(whole, IMAGES, tmp_path / "whole", RECIPE, workers=2)
    network = whole.extract(tiny().largest)
    recalibrate(network, list(IMAGES.batches(np.arange(160), 32)))
    assert accuracy(network, bright_images(200, seed=1).batches(np.arange(200), 64)).top1 > 90

    def kill(_phase, done, *_):
        if done >= 17:
            os.kill(multiprocessing.active_children()[0].pid, signal.SIGKILL)

    with pytest.raises(NasbuildError, match="a process of the training ended"):
        train_supernet(fresh(), IMAGES, tmp_path / "parts", RECIPE, workers=2, progress=kill)
    shutil.copytree(tmp_path / "parts", tmp_path / "alone")
    again = fresh(seed=5)
    train_supernet(again, IMAGES, tmp_path / "parts", RECIPE, workers=2)
    for key, value in whole.state_dict().items():
        assert torch.equal(again.state_dict()[key], value), key
    assert not multiprocessing.active_children()
    # It goes on from its last checkpoint by as many processes as there are.
    train_supernet(fresh(), IMAGES, tmp_path / "alone", RECIPE, workers=1)
