"""Fits members of an ensemble side by side, if each trains on a single batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

import numpy as np
import torch

from nasbuild.predictor._recipe import OperatorRecipe
from nasbuild.predictor._threads import one_thread
from nasbuild.predictor.gnn._fit_member import (
    Member,
    Task,
    batches,
    fit_member,
    loss_of,
    measured,
    new_network,
    optimizer_of,
    standardised,
)
from nasbuild.predictor.gnn._stacked_network import Stack

_TOGETHER = 5  # members; fixed, so that results do not depend on the number of workers


def groups(tasks: Sequence[Task]) -> Iterator[list[Task]]:
    """Tasks in order, in groups that can be fitted side by side."""
    for _, alike in groupby(tasks, key=_batch_key):
        some = list(alike)
        for start in range(0, len(some), _TOGETHER):
            yield some[start : start + _TOGETHER]


def _batch_key(task: Task) -> tuple[object, ...]:
    if (
        task.shape.convolution == "gatv2"
        and not isinstance(task.recipe, OperatorRecipe)
        and len(batches(task.train, task.recipe.batch)) == 1
    ):
        return id(task.graphs), task.shape, task.recipe
    return (id(task),)


def fit_members(tasks: Sequence[Task], epoch_done: Callable[[], None] = lambda: None) -> list[Member]:
    """Fit one of `groups`; equal to `fit_member` for each task up to rounding.

    ``epoch_done`` is called after every epoch of every member.

    Raises
    ------
    NasbuildError
        If a fit diverged.
    """
    if len(tasks) == 1:
        return [fit_member(tasks[0], epoch_done)]
    recipe, graphs = tasks[0].recipe, tasks[0].graphs
    rows = np.unique(np.concatenate([task.train for task in tasks]))
    learn = np.stack([np.isin(rows, task.train) for task in tasks])
    labels = [standardised(task) for task in tasks]
    with one_thread():
        stack = Stack([new_network(task) for task in tasks], graphs.select(rows), learn)
        optimizer = optimizer_of([stack.weights], recipe, members=True)
        parts = _by_size(learn)
        targets = [
            torch.from_numpy(
                np.stack([labels[k][0][rows[own]] for k, own in zip(members, some, strict=True)])
            )
            for members, some in parts
        ]
        at = [(torch.from_numpy(m)[:, None], torch.from_numpy(own)) for m, own in parts]
        for _ in range(recipe.epochs):
            prediction, norms = stack.step()
            losses = [
                loss_of(recipe, prediction[k, own], norms.transpose(1, 2)[k, own].transpose(1, 2), target)
                for (k, own), target in zip(at, targets, strict=True)
            ]
            optimizer.zero_grad()
            torch.cat(losses).sum().backward()
            optimizer.step()
            for _ in tasks:
                epoch_done()
        stack.unstack()
        return [
            measured(task, network.eval(), mean, std)
            for task, network, (_, mean, std) in zip(tasks, stack.networks, labels, strict=True)
        ]


def _by_size(learn: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Groups of members with equal numbers of graphs: their positions, (group,), and their graphs, (group, graphs)."""
    sizes = learn.sum(1)
    return [
        (members := np.flatnonzero(sizes == size), np.stack([np.flatnonzero(learn[k]) for k in members]))
        for size in np.unique(sizes)
    ]
