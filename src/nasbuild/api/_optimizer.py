"""The closed loop by ask and tell: a notebook evaluates where and how it likes."""

from __future__ import annotations

import os
import tempfile
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from nasbuild.api._arguments import checked_recipe, texts
from nasbuild.api._claims import Claims
from nasbuild.api._fit import Fit, with_verbs
from nasbuild.api._reported_results import reported_results
from nasbuild.api._rows import Rows
from nasbuild.builder import format_bounds
from nasbuild.errors import NasbuildError
from nasbuild.evaluate import Evaluator, Store
from nasbuild.optimize import (
    Candidate,
    Evaluations,
    Learned,
    LoopSettings,
    RoundPlan,
    best_rows,
    best_within_budgets,
    count_singles,
    gather_rounds,
    learn,
    left_of_start,
    plan_round,
    with_costs,
)
from nasbuild.predictor import AnyRecipe
from nasbuild.search import parse_goal
from nasbuild.space import (
    Architecture,
    Space,
    architecture_id,
    count_architectures,
    fix_parts,
    load_space,
    to_dict,
)
from nasbuild.table import Table, read_table

STUDY = "ask-tell"
INTERRUPTED = "interrupted"
_TABLE: Any = object()


class Optimizer:
    """Asks for architectures to evaluate, and learns from what it is told: `nasbuild.optimize`, driven by hand.

    The same architectures come as from `nasbuild.optimize` with equal seed and batches. All it knows is in its store:
    a new optimizer on the same store continues. Processes on one store share the work, as what one has asked for is
    not asked for by another. What a process asked for and did not tell is asked for first, once that process has ended.

    Parameters
    ----------
    space
        A `Space`, or what `nasbuild.load_space` reads. It declares the metrics.
    targets
        Metrics or equations of them, such as ``"acc"`` or ``"-latency"``; of several, the front is improved.
    store
        File (SQLite) or database URL; without one, all is forgotten at the end.
    where, fix
        Bounds and fixed parts, as for `Fit.build`. Several values of a bound, ``"bytes <= 1e9 | 2e9"``, are budgets that
        take turns; `best` then has the best within each.
    first
        Architectures that are asked for before any fit, at random; 20 if None. Where the space declares a reference, these
        are the reference and its single changes: all if None, and in `run` half of its budget at most. What was told before
        is not asked for.
    recipe
        As for `nasbuild.fit`.
    seed
        Seed of sampling and fits; each has a study of its own in the store.
    workers
        Processes that fit.
    study
        Name of what measures; results under other names in the store are not touched.

    Raises
    ------
    NasbuildError
        If the space declares no metrics, a target or bound is wrong, or the store can't be used.

    Examples
    --------
    >>> import nasbuild as nb
    >>> opt = nb.Optimizer("digits-macro", "loss", first=4)
    >>> for row in opt.ask(4):
    ...     layers = sum(map(len, row["arch"]["stages"]))
    ...     opt.tell(row, {"loss": float(layers)})
    >>> opt.counts()
    {'running': 0, 'done': 4, 'failed': 0}
    >>> opt.best(1)[0]["loss"]
    4.0
    >>> rows = opt.run(lambda arch: {"loss": float(len(arch["stages"][0]))}, budget=5)
    >>> len(opt.table)
    5
    """

    def __init__(
        self,
        space: Space | str | os.PathLike[str],
        targets: str | Sequence[str],
        *,
        store: str | os.PathLike[str] | None = None,
        where: str | Sequence[str] = (),
        fix: str | Sequence[str] = (),
        first: int | None = None,
        recipe: str | AnyRecipe = "default",
        seed: int = 0,
        workers: int = 1,
        study: str = STUDY,
    ) -> None:
        whole = space if isinstance(space, Space) else load_space(space)
        if not whole.metrics:
            raise NasbuildError(
                f"space {whole.name!r} declares no metrics, so nobody knows what is better",
                todo="add metrics with their directions to the space",
            )
        self.space = fix_parts(whole, texts(fix, "fix"))
        self.goal = parse_goal(
            self.space, texts(targets, "targets"), texts(where, "where"), whole.metrics, sweeps=True
        )
        self._settings = LoopSettings(first=first, seed=seed)
        self._singles = count_singles(self.space, seed)
        self._seed, self._workers = seed, workers
        self._recipe = checked_recipe(recipe)
        folder = tempfile.mkdtemp() if store is None else None
        self._store = Store(Path(folder) / "store.db" if folder else store, self.space, study, seed=seed)  # type: ignore[arg-type]
        self._claims = Claims(self._store, folder)
        self._finalizer = weakref.finalize(self, self._claims.close)
        self._lock = threading.RLock()
        self._learned: tuple[dict[Architecture, Mapping[str, float | None]], Learned] = ({}, Learned())

    def ask(self, n: int = 1) -> Rows:
        """``n`` architectures to evaluate, claimed for this process; fewer if the space or the bounds have no more.

        The last of the reference's single changes come without others, which are planned with their results.

        Returns
        -------
        Rows with ``id``, ``arch`` (plain data), ``why`` (``"random"``, ``"built"``, ``"proposed"``, ``"nearest"`` to the
        bounds, or ``"interrupted"``: another process ended without telling it) and, after a fit, ``expected``. Around a
        reference ``why`` is also ``"reference"``, ``"single"`` or ``"joint"``: it shows whether effects add up.

        Raises
        ------
        Infeasible
            If nothing is within bounds that are known exactly.
        """
        return self._ask(n, self._begin())

    def _ask(self, n: int, begin: int) -> Rows:
        """`ask`, with ``begin`` architectures before any fit."""
        rows: list[dict[str, Any]] = []
        start = begin if self._singles else 0
        with self._lock:
            while len(rows) < n:
                claimed, known = self._store.claimed(), self._metrics()
                left = [a for a, abandoned in claimed.items() if abandoned and a not in known]
                planned = [self._row(a, INTERRUPTED) for a in left[: n - len(rows)]]
                seen = [*known, *(a for a in claimed if a not in known)]
                waiting = left_of_start(self.space, self._seed, seen, start)
                if more := n - len(rows) - len(planned):
                    ready = not waiting if start else len(seen) >= begin
                    learned = self._learn(known) if ready else Learned()
                    plan = plan_round(self.space, self.goal, more, learned, seen, self._seed, start=start)
                    planned += [self._planned_row(plan, i) for i in range(len(plan.candidates))]
                if not planned:
                    break
                # Another process may be quicker; the next turn knows what it has claimed.
                mine = set(self._claims.claim([a for a, _ in planned]))
                rows += [row for a, row in planned if a in mine]
                if rows and 0 < len(waiting) < more:
                    break
        return Rows(rows, f"{len(rows):,} to evaluate for {self._named()}", space=self.space)

    def tell(self, architectures: Any, metrics: Any = _TABLE, *, replace: bool = False) -> None:
        """What evaluations measured, asked for or not. All of it is stored, or nothing.

        Parameters
        ----------
        architectures
            Rows of `ask`, ids, `Architecture`, plain data; one or a list of them. Without ``metrics``, a table, frame or
            file of architectures with metrics (`nasbuild.read_table`).
        metrics
            For one, a mapping of metrics (a number if one is needed); None, a reason or an exception for a failed
            evaluation. For several, a list of these, columns or a frame.
        replace
            Replace metrics that were told before. Failed evaluations can always be told anew.

        Raises
        ------
        NasbuildError
            If an architecture is unknown or was told before, numbers differ, or a metric of the goal is missing.
        """
        with self._lock:
            if metrics is _TABLE:
                table = (
                    architectures
                    if isinstance(architectures, Table)
                    else read_table(architectures, self.space)
                )
                architectures = list(table.architectures)
                metrics = [{n: float(v[i]) for n, v in table.columns.items()} for i in range(len(table))]
            reported = reported_results(self.space, self.goal.metrics, architectures, metrics, self._by_id)
            known = self._store.results()
            again = [a for a, r in reported if a in known and known[a].metrics not in (None, r.metrics)]
            if again and not replace:
                raise NasbuildError(
                    f"{architecture_id(self.space, again[0])} was told before with other metrics",
                    where="tell",
                    todo="give replace=True if the new ones are right",
                )
            self._claims.finish(reported)

    def run(
        self,
        function: Callable[[dict[str, Any]], Any],
        budget: int,
        *,
        batch: int = 10,
        progress: Callable[[int, int, int], None] = lambda *_: None,
    ) -> Rows:
        """Evaluate with a function until ``budget`` evaluations are known or running, those of other processes included.

        Parameters
        ----------
        function
            Takes an architecture as plain data, returns metrics; what it raises fails that evaluation.
        budget
            Evaluations of the study in all, so that a stopped run goes on.
        batch
            Asked for between fits.
        progress
            Called with how many are done, wanted and failed.

        Returns
        -------
        The best, or the front of several targets.
        """
        begin = self._begin(budget)
        evaluator = Evaluator("function", self.space.metrics, lambda a: function(to_dict(self.space, a)))
        while True:
            left = sum(self._store.claimed().values())
            count = sum(self.counts().values()) - left
            # What was interrupted comes alone, so that the next batch is planned with its results.
            size = left or (batch if count >= begin else begin - count)
            asked = self._ask(min(budget - count, size), begin)
            if not asked:
                return self.front() if len(self.goal.targets) > 1 else self.best()
            by_id = self._by_id()
            # Processes that ask at the same time may together ask for too many.
            kept = max(len(asked) - max(sum(self.counts().values()) - budget, 0), 0)
            self._claims.release([by_id[row["id"]] for row in asked[kept:]])
            for row in asked[:kept]:
                architecture = by_id[row["id"]]
                self._claims.finish([(architecture, evaluator.evaluate([architecture])[0])])
                counts = self.counts()
                progress(counts["done"] + counts["failed"], budget, counts["failed"])

    def best(self, n: int = 10, *, target: str | None = None) -> Rows:
        """The best of what was told within the bounds, best first; with budgets the best within each, which ``where`` names.

        Raises
        ------
        NasbuildError
            If there are several targets and none is named.
        """
        names = [one.name for one in self.goal.targets]
        if target is None and len(names) > 1:
            raise NasbuildError(
                "there are several targets", where="target", allowed=names, todo="or call front()"
            )
        if target not in (None, *names):
            raise NasbuildError(f"there is no target {target!r}", where="target", allowed=names)
        index = names.index(target) if target else 0
        found = self._evaluations()
        if self.goal.budgets:
            return self._best_within_budgets(found)
        inside = np.flatnonzero(found.inside)
        best = inside[np.argsort(-found.signs[index] * found.values[inside, index], kind="stable")][:n]
        return Rows(
            self._result_rows(found, best), f"{len(best):,} best for {names[index]}", space=self.space
        )

    def _best_within_budgets(self, found: Evaluations) -> Rows:
        best = best_within_budgets(found)
        known = [one for one in best if one.row is not None]
        rows = self._result_rows(found, np.array([one.row for one in known], dtype=np.int64))
        rows = [{"where": format_bounds(one.bounds), **row} for one, row in zip(known, rows, strict=True)]
        text = f"best for {self._named()} within {len(best):,} budgets"
        if len(known) < len(best):
            none = ", ".join(format_bounds(one.bounds) for one in best if one.row is None)
            text += f"; nothing told is within {none}"
        return Rows(rows, text, space=self.space)

    def _begin(self, budget: int | None = None) -> int:
        """Evaluations before any fit; single changes take half of a budget at most, unless ``first`` says otherwise."""
        if self._singles and self._settings.first is None:
            whole = 2 * self._singles if budget is None else budget
            return LoopSettings(rounds=None, budget=max(whole, 1)).around(self._singles).begin
        return self._settings.around(self._singles).begin

    def front(self) -> Rows:
        """What was told within the bounds and nothing else told dominates; of one target, the best."""
        found = self._evaluations()
        kept = best_rows(found, 1)
        return Rows(
            self._result_rows(found, kept), f"front of {len(kept):,} for {self._named()}", space=self.space
        )

    @property
    def fit(self) -> Fit:
        """The fit of all that was told, as of `nasbuild.fit` without baselines.

        Raises
        ------
        NasbuildError
            If nothing can be learned yet.
        """
        with self._lock:
            learned = self._learn(self._metrics())
        if learned.fit is None:
            raise NasbuildError(
                learned.note.removeprefix("no fit was possible before it: ") or "nothing was told yet"
            )
        return with_verbs(replace(learned.fit, failures=learned.failures))

    @property
    def table(self) -> Table:
        """All completed evaluations."""
        return self._store.table()

    def counts(self) -> dict[str, int]:
        """Number of running (asked for, not told), done and failed evaluations of all processes."""
        return self._store.counts()

    def pending(self) -> Rows:
        """What was asked for and not told yet, by any process."""
        rows = [
            self._row(a, INTERRUPTED if gone else "running")[1] for a, gone in self._store.claimed().items()
        ]
        return Rows(rows, f"{len(rows):,} asked for and not told yet", space=self.space)

    def close(self) -> None:
        """Let others have what was asked for and not told, and close the store."""
        self._finalizer()

    def __enter__(self) -> Optimizer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        if not self._finalizer.alive:
            return f"Optimizer of {self._named()}, closed"
        counts = self.counts()
        states = f"{counts['done']:,} done, {counts['failed']:,} failed, {counts['running']:,} asked for"
        size = count_architectures(self.space)
        return f"Optimizer of {self._named()} in space {self.space.name!r} ({size:,} architectures): {states}"

    def _named(self) -> str:
        return " and ".join(target.name for target in self.goal.targets)

    def _metrics(self) -> dict[Architecture, Mapping[str, float | None]]:
        results = self._store.results()
        return {**with_costs(self.goal, self.space, {a: r.metrics or {} for a, r in results.items()})}

    def _learn(self, known: dict[Architecture, Mapping[str, float | None]]) -> Learned:
        # Equal dictionaries may have another order, which fits depend on.
        if list(self._learned[0].items()) != list(known.items()):
            found = learn(
                self.space, self.goal, known, recipe=self._recipe, seed=self._seed, workers=self._workers
            )
            self._learned = (known, found)
        return self._learned[1]

    def _by_id(self) -> dict[str, Architecture]:
        every = [*self._store.results(), *self._store.claimed()]
        return {architecture_id(self.space, a): a for a in every}

    def _row(self, architecture: Architecture, why: str) -> tuple[Architecture, dict[str, Any]]:
        arch = to_dict(self.space, architecture)
        return architecture, {"id": architecture_id(self.space, architecture), "arch": arch, "why": why}

    def _planned_row(self, plan: RoundPlan, i: int) -> tuple[Architecture, dict[str, Any]]:
        architecture, row = self._row(plan.candidates[i].architecture, plan.candidates[i].origin)
        expected = {
            target.name: {"prediction": float(plan.predicted[i, t]), "std": float(plan.std[i, t])}
            for t, target in enumerate(self.goal.targets)
            if not np.isnan(plan.predicted[i, t])
        }
        return architecture, {**row, **({"expected": expected} if expected else {})}

    def _evaluations(self) -> Evaluations:
        known = self._metrics()
        nothing = np.full((len(known), len(self.goal.targets)), np.nan)
        plan = RoundPlan(tuple(Candidate(a, "") for a in known), nothing, nothing)
        return gather_rounds(self.goal, [plan], known, self.space)

    def _result_rows(self, found: Evaluations, places: np.ndarray) -> list[dict[str, Any]]:
        results = self._store.results()
        rows = []
        for i in map(int, places):
            architecture = found.architectures[i]
            values = {t.name: float(found.values[i, n]) for n, t in enumerate(self.goal.targets)}
            values |= {name: float(column[i]) for name, column in found.bounded.items()}
            rows.append(
                {
                    "id": architecture_id(self.space, architecture),
                    **values,
                    "arch": to_dict(self.space, architecture),
                    "metrics": dict(results[architecture].metrics or {}),
                }
            )
        return rows
