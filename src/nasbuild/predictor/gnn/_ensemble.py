"""Several networks as one predictor: members on different rows and seeds, each weighted by its own test."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch

from nasbuild._processes import end_with_parent
from nasbuild.errors import NasbuildError, TableError
from nasbuild.predictor._recipe import Recipe
from nasbuild.predictor._threads import one_thread
from nasbuild.predictor.gnn._fit_member import Member, Task, outputs
from nasbuild.predictor.gnn._initialization import empty_network
from nasbuild.predictor.gnn._network import Network, Shape
from nasbuild.predictor.gnn._stacked_training import fit_members, groups
from nasbuild.space import Graphs, GraphSchema
from nasbuild.table import Split, k_fold, random_split

Progress = Callable[[int, int], None]
"""Called with the epochs done and the epochs in all."""


@dataclass(frozen=True)
class Ensemble:
    """Fitted members of equal shape.

    Examples
    --------
    >>> len(ensemble.members), ensemble.hops
    (2, 2)
    >>> mean, std = ensemble.predict(graphs)
    >>> mean.shape
    (41,)
    """

    schema: GraphSchema
    shape: Shape
    members: tuple[Member, ...]

    def __repr__(self) -> str:
        srcc = np.mean([member.srcc[-1] for member in self.members])
        return (
            f"Ensemble({len(self.members)} members, {self.shape.convolution}, {self.hops} hops, "
            f"width {self.shape.width}, held-out SRCC {srcc:.2f})"
        )

    @cached_property
    def networks(self) -> tuple[Network, ...]:
        """The members' networks, in eval mode."""
        networks = []
        for member in self.members:
            network = empty_network(self.schema, self.shape)
            network.load_state_dict({name: torch.from_numpy(v.copy()) for name, v in member.weights.items()})
            networks.append(network.eval())
        return tuple(networks)

    @property
    def hops(self) -> int:
        """M, the number of message-passing layers."""
        return self.shape.hops

    def weights(self, hop: int) -> np.ndarray:
        """Weight of each member at a hop (M + 1 stands for y'), (members,), with sum 1.

        The weight is the held-out Spearman correlation at that hop (section 5.3), 0 where that is negative. If none is
        positive, all weights are equal.

        Examples
        --------
        >>> weights = ensemble.weights(ensemble.hops + 1)  # for y'
        >>> weights.shape, round(float(weights.sum()), 6)
        ((2,), 1.0)
        """
        weights = np.array([max(member.srcc[hop], 0.0) for member in self.members])
        if weights.sum() <= 0:
            weights = np.ones(len(self.members))
        return weights / weights.sum()

    def predict(self, graphs: Graphs) -> tuple[np.ndarray, np.ndarray]:
        """Weighted mean and deviation of the members' y', in the label's unit; each (graphs,).

        Examples
        --------
        >>> mean, std = ensemble.predict(graphs)
        >>> mean.shape, std.shape
        ((41,), (41,))
        """
        with one_thread():
            each = [
                outputs(network, graphs)[0].astype(np.float64) * member.label_std + member.label_mean
                for network, member in zip(self.networks, self.members, strict=True)
            ]
        return weighted_mean_std(np.stack(each), self.weights(self.hops + 1))

    def held_out(self, graphs: Graphs) -> list[np.ndarray]:
        """y' of each member for the graphs that it held out, in the label's unit, (test,) each.

        Parameters
        ----------
        graphs
            Those that the ensemble was fitted to, in their order.

        Examples
        --------
        >>> each = ensemble.held_out(graphs)
        >>> [values.shape for values in each]
        [(21,), (20,)]
        """
        with one_thread():
            return [
                outputs(network, graphs.select(member.test))[0].astype(np.float64) * member.label_std
                + member.label_mean
                for network, member in zip(self.networks, self.members, strict=True)
            ]


def weighted_mean_std(values: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weighted mean and standard deviation over the first axis of (members, ...).

    Examples
    --------
    >>> from nasbuild.predictor import weighted_mean_std
    >>> [float(v) for v in weighted_mean_std(np.array([1.0, 3.0]), np.array([0.5, 0.5]))]
    [2.0, 1.0]
    """
    mean = np.tensordot(weights, values, 1)
    return mean, np.sqrt(np.tensordot(weights, (values - mean) ** 2, 1))


def plan_splits(n: int, recipe: Recipe, seed: int) -> list[Split]:
    """Rows that each member learns from and holds out, of ``n`` labels.

    Raises
    ------
    TableError
        If a member would have fewer than two labels to learn from.

    Examples
    --------
    >>> from nasbuild.predictor import plan_splits
    >>> splits = plan_splits(41, small, seed=0)
    >>> [(len(train), len(test)) for train, test in splits]
    [(20, 21), (21, 20)]
    """
    rng = np.random.default_rng(seed)
    if n <= recipe.few:
        folds = min(recipe.folds, n)
        splits = [split for _ in range(recipe.repeats) for split in k_fold(n, folds, rng)]
    else:
        splits = [random_split(n, recipe.holdout, rng) for _ in range(recipe.members)]
    if min(len(train) for train, _ in splits) < 2:
        raise TableError(f"{n} labels are too few to learn from some and test on others with this recipe")
    return splits


def fit_ensembles(
    schema: GraphSchema,
    shape: Shape,
    problems: Sequence[tuple[Graphs, np.ndarray]],
    recipe: Recipe,
    *,
    seed: int = 0,
    workers: int = 1,
    progress: Progress | None = None,
) -> list[Ensemble]:
    """Fit one ensemble for each pair of graphs and labels (graphs,).

    Members of all ensembles are fitted in ``workers`` processes, one thread each. The result is equal to the bit for any
    number of workers. With more than one worker, processes are spawned: a script must then call this under
    ``if __name__ == "__main__"``.

    Raises
    ------
    TableError
        If there are too few labels.
    NasbuildError
        If a fit diverges, or a worker process ends before its work is done.

    Examples
    --------
    >>> [one, other] = fit_ensembles(schema, shape, [(graphs, labels), (graphs, -labels)], small, seed=1)
    >>> len(one.members), len(other.members)
    (2, 2)
    """
    tasks, owners = [], []
    for owner, (graphs, labels) in enumerate(problems):
        for number, (train, test) in enumerate(plan_splits(len(labels), recipe, seed)):
            member_seed = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
            tasks.append(Task(schema, shape, recipe, graphs, labels, train, test, member_seed))
            owners.append(owner)
    members = _run(list(groups(tasks)), workers, progress or (lambda *_: None))
    return [
        Ensemble(schema, shape, tuple(m for m, o in zip(members, owners, strict=True) if o == owner))
        for owner in range(len(problems))
    ]


def _run(parts: list[list[Task]], workers: int, progress: Progress) -> list[Member]:
    total = sum(task.recipe.epochs for tasks in parts for task in tasks)
    if (workers := min(workers, len(parts))) <= 1:
        done = 0

        def count() -> None:
            nonlocal done
            done += 1
            progress(done, total)

        return [member for tasks in parts for member in fit_members(tasks, count)]
    # Spawned, not forked: a fork of a process in which torch has threads may hang.
    context = multiprocessing.get_context("spawn")
    epochs, stop = context.Value("q", 0), context.Value("b", 0)
    with ProcessPoolExecutor(workers, context, _share, (epochs, stop)) as pool:
        with _interrupts_held():
            futures = [pool.submit(_fit_counted, tasks) for tasks in parts]
        try:
            pending = set(futures)
            while pending:
                finished, pending = wait(pending, timeout=0.2)
                progress(epochs.value, total)
                for future in finished:
                    future.result()
        except BrokenProcessPool:
            raise NasbuildError(
                "a worker process ended before its work was done",
                todo='fit with one worker; a script must fit under if __name__ == "__main__"',
            ) from None
        except BaseException:
            # Running members stop at their next epoch, so that an interrupt takes effect soon.
            stop.value = 1
            pool.shutdown(cancel_futures=True)
            raise
        return [member for future in futures for member in future.result()]


@contextlib.contextmanager
def _interrupts_held() -> Iterator[None]:
    """Blocks interrupts in processes started here, so that none dies while it starts."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Stopped(Exception):
    """The parent needs no more results."""


_shared: Any = None


def _share(epochs: Any, stop: Any) -> None:
    global _shared
    _shared = epochs, stop
    end_with_parent()
    # A keyboard interrupt reaches every process; only the parent handles it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _fit_counted(tasks: list[Task]) -> list[Member]:
    epochs, stop = _shared

    def count() -> None:
        if stop.value:
            raise _Stopped
        with epochs.get_lock():
            epochs.value += 1

    return fit_members(tasks, count)
