"""Processes that compute parts of a training step's gradient."""

from __future__ import annotations

import signal
from multiprocessing.connection import Connection, Pipe
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Any, Self

import torch
import torch.multiprocessing
from torch import Tensor, nn

from nasbuild._processes import end_with_parent
from nasbuild.errors import NasbuildError
from nasbuild.zoo.ofa._gradient import Share
from nasbuild.zoo.ofa.family import Family
from nasbuild.zoo.ofa.images import Images
from nasbuild.zoo.ofa.recipe import Phase, Recipe
from nasbuild.zoo.ofa.supernet import Supernet


class Helpers:
    """Processes beside this one, each with a share of every batch.

    All see the same parameters, in shared memory. This process alone changes them, while the others wait for their
    next step.

    Parameters
    ----------
    count
        Processes beside this one; this one has the first share.
    """

    def __init__(self, supernet: Supernet, images: Images, recipe: Recipe, count: int) -> None:
        self._processes: list[BaseProcess] = []
        self._connections: list[Any] = []  # Connection, by another name on Windows
        self._parts: list[list[tuple[nn.Parameter, Tensor]]] = []
        if not count:
            return
        size = sum(p.numel() for p in supernet.parameters())
        weights, gradients = torch.empty(size).share_memory_(), torch.zeros(count, size).share_memory_()
        _place(supernet, weights, keep=True)
        context = torch.multiprocessing.get_context("spawn")
        for rank in range(1, count + 1):
            here, there = Pipe()
            work = (supernet.family, images, recipe, rank, count + 1)
            arguments = (there, weights, gradients[rank - 1], *work)
            process = context.Process(target=_help, args=arguments, daemon=True)
            process.start()
            there.close()
            self._processes.append(process)
            self._connections.append(here)
            self._parts.append(_parts(supernet, gradients[rank - 1]))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for connection in self._connections:
            connection.close()
        for process in self._processes:
            process.join(1)
            process.terminate()
            process.join()

    def begin(self, phase: Phase, step: int) -> None:
        """Let all compute their parts of a step's gradient."""
        try:
            for connection in self._connections:
                connection.send((phase, step))
        except OSError:
            raise _ended() from None

    def add(self) -> float:
        """Add their parts to the gradients that the parameters have, always in the same order; tells their part of the loss.

        Raises
        ------
        NasbuildError
            If a process ended.
        """
        loss = 0.0
        for connection, parts in zip(self._connections, self._parts, strict=True):
            try:
                told = connection.recv()
            except (EOFError, OSError):
                raise _ended() from None
            if isinstance(told, Exception):
                raise told
            loss += told
            for p, part in parts:
                if p.grad is not None:
                    p.grad.add_(part)
        return loss


def _help(
    connection: Connection,
    weights: Tensor,
    gradients: Tensor,
    family: Family,
    images: Images,
    recipe: Recipe,
    rank: int,
    of: int,
) -> None:
    end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first process tells of it, and ends the others
    torch.set_num_threads(1)
    supernet = Supernet(family).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    _place(supernet, weights, keep=False)
    share, parts = Share(supernet.train(), images, recipe, rank, of), _parts(supernet, gradients)
    while True:
        try:
            phase, step = connection.recv()
        except EOFError:
            return
        try:
            told = share.gradient(phase, step)
        except Exception as error:
            connection.send(error)
            return
        for p, part in parts:
            # Parameters that no network of this step has, have no gradient in any process.
            if p.grad is not None:
                part.copy_(p.grad)
        connection.send(told)


def _place(supernet: Supernet, weights: Tensor, *, keep: bool) -> None:
    """Let parameters live in ``weights``, with their values or with those that it has."""
    for p, part in _parts(supernet, weights):
        if keep:
            part.copy_(p.data)
        p.data = part


def _parts(supernet: Supernet, flat: Tensor) -> list[tuple[nn.Parameter, Tensor]]:
    """Each parameter with its part of a flat tensor, in the parameter's shape and order of memory."""
    found, start = [], flat.storage_offset()
    for p in supernet.parameters():
        found.append((p, flat.as_strided(p.size(), p.stride(), start)))
        start += p.numel()
    return found


def _ended() -> NasbuildError:
    return NasbuildError(
        "a process of the training ended", todo="start it again; it goes on from its last checkpoint"
    )
