"""A supernet trained by several processes."""

from __future__ import annotations

import multiprocessing
import os
import signal

import numpy as np
import pytest
import torch
from ofa_samples import bright_images, tiny

from nasbuild.errors import NasbuildError
from nasbuild.zoo.ofa import Phase, Recipe, Supernet, accuracy, recalibrate, train_supernet
from nasbuild.zoo.ofa._data_parallel import GradientWorkers
from nasbuild.zoo.ofa._gradient import BatchShare

SHRINK = Phase("expand", 3, 0.05, kernels=(3, 5, 7), expands=(3, 4, 6), shorter=1, drawn=1)
RECIPE = Recipe(phases=(Phase("largest", 3, 0.05, drawn=None), SHRINK), batch=33, warmup=5, every=7)
IMAGES = bright_images(330)


def fresh(seed: int = 0) -> Supernet:
    torch.manual_seed(seed)
    return Supernet(tiny()).to(memory_format=torch.channels_last)


def gradients(supernet: Supernet) -> dict[str, torch.Tensor | None]:
    return {k: None if p.grad is None else p.grad.clone() for k, p in supernet.named_parameters()}


def broken(*_args, **_more):
    raise ValueError("no such picture")


class Broken:
    labels = IMAGES.labels
    batches = broken


def test_the_gradient_is_the_sum_over_shares():
    shared = fresh()
    # The same processes for both phases, as in a training.
    with GradientWorkers(shared, IMAGES, RECIPE, 2) as gradient_workers:
        for phase in RECIPE.phases:
            check_gradient(phase, shared, gradient_workers)


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


def test_two_processes_resume_with_the_same_bits(tmp_path):
    whole = fresh()
    train_supernet(whole, IMAGES, tmp_path / "whole", RECIPE, workers=2)
    network = whole.extract(tiny().largest)
    recalibrate(network, list(IMAGES.batches(np.arange(320), 64)))
    assert accuracy(network, bright_images(200, seed=1).batches(np.arange(200), 64)).top1 > 90

    class StoppedError(Exception):
        pass

    def stop(_phase, done, *_):
        if done >= 35:
            raise StoppedError

    with pytest.raises(StoppedError):
        train_supernet(fresh(), IMAGES, tmp_path / "parts", RECIPE, workers=2, progress=stop)
    again = fresh(seed=5)
    train_supernet(again, IMAGES, tmp_path / "parts", RECIPE, workers=2)
    for key, value in whole.state_dict().items():
        assert torch.equal(again.state_dict()[key], value), key
    assert not multiprocessing.active_children()


def test_the_death_of_a_worker_is_an_error(tmp_path):
    def kill(*_):
        os.kill(multiprocessing.active_children()[0].pid, signal.SIGKILL)

    with pytest.raises(NasbuildError, match="a process of the training ended"):
        train_supernet(fresh(), IMAGES, tmp_path, RECIPE, workers=2, progress=kill)
    # It goes on from its last checkpoint, by as many processes as there are.
    train_supernet(fresh(), IMAGES, tmp_path, RECIPE, workers=1)


def test_an_exception_in_a_worker_is_raised():
    with GradientWorkers(fresh(), Broken(), RECIPE, 1) as gradient_workers:
        gradient_workers.begin(SHRINK, 0)
        with pytest.raises(ValueError, match="no such picture"):
            gradient_workers.add()
