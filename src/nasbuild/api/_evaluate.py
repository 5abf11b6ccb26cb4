"""Evaluate architectures, and the closed loop, from a notebook."""

from __future__ import annotations

import hashlib
import inspect
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from nasbuild.api._arguments import checked_recipe, texts
from nasbuild.api._fit import with_verbs
from nasbuild.errors import NasbuildError
from nasbuild.evaluate import Evaluator, Executor, InProcess, Pool, Spec, Store, evaluate_all
from nasbuild.optimize import LoopSettings, LoopState
from nasbuild.optimize import optimize as run_rounds
from nasbuild.search import parse_goal
from nasbuild.space import Architecture, Space, fix_parts, to_dict
from nasbuild.table import Table, table_from_evaluations

Function = Callable[[dict[str, Any]], Mapping[str, Any]]
"""A function of an architecture as plain data (``{"stages": [[{feature: choice}, ...], ...]}``) that returns metrics."""
Progress = Callable[[str, int, int, str], None]
"""Called with the current activity, the number done, the total, and a note."""


@dataclass(frozen=True)
class _FunctionSpec(Spec):
    """A function that lives in this process alone, such as one of a notebook's."""

    function: Function | None = None

    @cached_property
    def _evaluator(self) -> Evaluator:
        function, space = self.function, self.space.whole or self.space
        assert function is not None
        return Evaluator(
            self.name, space.metrics, lambda a: function(to_dict(space, a)), code=_source_hash(function)
        )


def evaluate(
    space: Space,
    evaluator: str | Function,
    architectures: Iterable[Architecture],
    *,
    store: str | os.PathLike[str] | None = None,
    workers: int | None = None,
    seed: int = 0,
    limit: float | None = None,
    retry_failed: bool = False,
    again: bool = False,
    progress: Callable[[int, int, int], None] = lambda *_: None,
) -> Table:
    """Metrics of architectures as a table, evaluated now or known from the store.

    Parameters
    ----------
    evaluator
        A name, as ``nasbuild evaluate --evaluator`` takes it (see `nasbuild.evaluate.load_evaluator`), or a function of an
        architecture as plain data that returns the metrics that the space declares.
    store
        File (SQLite) or database URL in which results are kept; what it holds is not evaluated again. Without one, nothing
        is kept.
    workers
        Processes that evaluate; this one if None. Functions run in this one.
    seed
        Handed to evaluators that train.
    limit
        Seconds that an evaluation may take.
    retry_failed, again
        Evaluate failed ones once more; those of earlier code once more.
    progress
        Called with how many are done, wanted and failed.

    Returns
    -------
    A table in the order asked for. Failed evaluations have no values (NaN).

    Raises
    ------
    NasbuildError
        If the evaluator can't be loaded, the store can't be used, or nothing was evaluated.

    Examples
    --------
    >>> import nasbuild as nb
    >>> space = nb.load_space("digits-macro")
    >>> def layers(arch):
    ...     return {"acc": 0.5, "loss": float(sum(map(len, arch["stages"])))}
    >>> table = nb.evaluate(space, layers, nb.sample(space, 3, 0))
    >>> len(table), sorted(table.columns)
    (3, ['acc', 'loss'])
    """
    spec = _spec(space, evaluator, seed, limit)
    with _opened(store, spec) as kept:
        results = evaluate_all(
            spec,
            list(architectures),
            kept,
            executor=_executor(evaluator, workers),
            retry_failed=retry_failed,
            renew_outdated=again,
            progress=progress,
        )
    reasons = [result.reason for result in results.values() if result.metrics is None]
    if len(reasons) == len(results):
        why = f"; the first: {reasons[0]}" if reasons else ""
        raise NasbuildError(
            f"all of {len(results):,} evaluations failed{why}", where=f"evaluator {spec.name}"
        )
    return table_from_evaluations(
        space.whole or space, {a: result.metrics or {} for a, result in results.items()}
    )


def optimize(
    space: Space,
    evaluator: str | Function,
    targets: str | Sequence[str],
    *,
    out: str | os.PathLike[str],
    store: str | os.PathLike[str] | None = None,
    where: str | Sequence[str] = (),
    fix: str | Sequence[str] = (),
    budget: int | None = None,
    rounds: int | None = None,
    batch: int = 10,
    first: int | None = None,
    race: int = 0,
    recipe: str = "default",
    workers: int | None = None,
    seed: int = 0,
    limit: float | None = None,
    progress: Progress = lambda *_: None,
    on_round: Callable[[LoopState], None] = lambda _: None,
) -> LoopState:
    """The closed loop: evaluate, fit, build, evaluate, until the budget is spent; a stopped one goes on.

    Parameters
    ----------
    targets
        Metrics or equations; several are improved together, along their front.
    out
        Folder of evaluations, the last fit and the best.
    store
        As for `evaluate`; ``OUT.store.db`` beside the folder if None.
    where, fix
        Bounds and fixed parts, as for `Fit.build`. Several values of a bound, ``"bytes <= 1e9 | 2e9"``, are budgets:
        the best is wanted within each (`nasbuild.optimize.best_within_budgets`).
    budget, rounds, batch, first, race
        As `nasbuild.optimize.LoopSettings`. Where the space declares a reference, the first round has single changes of it.
    progress
        Called with the current activity, the number done, the total, and a note.
    on_round
        Called after every round.

    Returns
    -------
    The state after the last round: ``evaluated``, ``fit``, positions of the ``best``.

    Raises
    ------
    NasbuildError
        If settings exclude each other, the folder holds something else, or all evaluations of the first round fail.

    Examples
    --------
    >>> space = nb.load_space("digits-macro")
    >>> state = nb.optimize(
    ...     space, "digits-macro", "acc", out="loop", budget=10, first=8, batch=2, recipe="ridge"
    ... )
    >>> len(state.evaluated.architectures), state.ended
    (10, True)
    """
    # Without a budget, as many rounds as by default.
    most = rounds if rounds is not None or budget is not None else LoopSettings.rounds
    settings = LoopSettings(most, batch, first, budget, seed, race)
    spec = _spec(fix_parts(space, texts(fix, "fix")), evaluator, seed, limit)
    goal = parse_goal(
        spec.space, texts(targets, "targets"), texts(where, "where"), spec.load().metrics, sweeps=True
    )
    folder = Path(out)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _opened(folder.with_name(f"{folder.name}.store.db") if store is None else store, spec) as kept:
        state = run_rounds(
            folder,
            spec,
            goal,
            settings,
            kept,
            recipe=checked_recipe(recipe),
            executor=_executor(evaluator, workers),
            workers=workers or 1,
            progress=progress,
            on_round=on_round,
        )
    return state if state.fit is None else replace(state, fit=with_verbs(state.fit))


def _spec(space: Space, evaluator: str | Function, seed: int, limit: float | None) -> Spec:
    if isinstance(evaluator, str):
        return Spec(evaluator, space, seed, limit)
    if limit is not None:
        raise NasbuildError(
            "a function can't be ended within this process",
            where="limit",
            todo="name it as 'FILE.py:FUNCTION'",
        )
    if not space.metrics:
        raise NasbuildError(
            f"space {space.name!r} declares no metrics, so nobody knows what is better",
            todo="add metrics with their directions to the space",
        )
    name = f"{evaluator.__module__}.{evaluator.__qualname__}"
    return _FunctionSpec(name, space, seed, None, evaluator)


def _executor(evaluator: str | Function, workers: int | None) -> Executor:
    if workers is None:
        return InProcess()
    if not isinstance(evaluator, str):
        raise NasbuildError(
            "workers can't load a function of this process",
            where="workers",
            todo="name it as 'FILE.py:FUNCTION'",
        )
    return Pool(workers)


@contextmanager
def _opened(store: str | os.PathLike[str] | None, spec: Spec) -> Iterator[Store]:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "store.db" if store is None else store
        kept = Store(place, spec.space, spec.name, seed=spec.seed)
        try:
            yield kept
        finally:
            kept.close()


def _source_hash(function: Function) -> str | None:
    try:
        return hashlib.sha256(inspect.getsource(function).encode()).hexdigest()
    except (OSError, TypeError):
        return None
