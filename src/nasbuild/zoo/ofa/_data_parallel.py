"""Data-parallel training: worker processes compute parts of each step's gradient."""

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
from nasbuild.zoo.ofa._gradient import BatchShare
from nasbuild.zoo.ofa.family import Family
from nasbuild.zoo.ofa.images import Images
from nasbuild.zoo.ofa.recipe import Phase, Recipe
from nasbuild.zoo.ofa.supernet import Supernet


class GradientWorkers:
    """Worker processes, each with a share of every batch.

    All see the same parameters in shared memory. Only this process changes them, while the workers wait for the next
    step.

    Parameters
    ----------
    count
        Number of workers, without this process, which has the first share.
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
            worker_arguments = (supernet.family, images, recipe, rank, count + 1)
            arguments = (there, weights, gradients[rank - 1], *worker_arguments)
            process = context.Process(target=_work, args=arguments, daemon=True)
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
        """Start the computation of a step's gradient in all workers."""
        try:
            for connection in self._connections:
                connection.send((phase, step))
        except OSError:
            raise _worker_died() from None

    def add(self) -> float:
        """Add the workers' gradients to those of the parameters, always in the same order; returns their part of the loss.

        Raises
        ------
        NasbuildError
            If a worker has died.
        """
        loss = 0.0
        for connection, parts in zip(self._connections, self._parts, strict=True):
            try:
                reply = connection.recv()
            except (EOFError, OSError):
                raise _worker_died() from None
            if isinstance(reply, Exception):
                raise reply
            loss += reply
            for p, part in parts:
                if p.grad is not None:
                    p.grad.add_(part)
        return loss


def _work(
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
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the main process handles it and ends the workers
    torch.set_num_threads(1)
    supernet = Supernet(family).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    _place(supernet, weights, keep=False)
    share, parts = BatchShare(supernet.train(), images, recipe, rank, of), _parts(supernet, gradients)
    while True:
        try:
            phase, step = connection.recv()
        except EOFError:
            return
        try:
            loss = share.gradient(phase, step)
        except Exception as error:
            connection.send(error)
            return
        for p, part in parts:
            # Parameters that no network of this step uses have no gradient in any process.
            if p.grad is not None:
                part.copy_(p.grad)
        connection.send(loss)


def _place(supernet: Supernet, weights: Tensor, *, keep: bool) -> None:
    """Move the parameters into ``weights``: with their own values if ``keep``, else with those in ``weights``."""
    for p, part in _parts(supernet, weights):
        if keep:
            part.copy_(p.data)
        p.data = part


def _parts(supernet: Supernet, flat: Tensor) -> list[tuple[nn.Parameter, Tensor]]:
    """Each parameter with its part of a flat tensor, in the parameter's shape and memory order."""
    found, start = [], flat.storage_offset()
    for p in supernet.parameters():
        found.append((p, flat.as_strided(p.size(), p.stride(), start)))
        start += p.numel()
    return found


def _worker_died() -> NasbuildError:
    return NasbuildError(
        "a process of the training ended", todo="start it again; it resumes at its last checkpoint"
    )
