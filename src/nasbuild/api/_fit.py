"""A fit with the verbs of a notebook."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nasbuild.api._arguments import named_architecture, named_architectures, texts, whole
from nasbuild.api._build_request import BuildRequest
from nasbuild.api._build_result import build_requested
from nasbuild.api._explanation import Explanation
from nasbuild.api._fit_html import fit_html
from nasbuild.api._plot import FitPlot
from nasbuild.api._rows import Rows
from nasbuild.builder import reduce_space
from nasbuild.report import comparison_data, comparison_lines, explain_data, pairs_data, write_report
from nasbuild.score import Fit as ScoreFit
from nasbuild.score import module_rows, prediction_rows, save_fit
from nasbuild.space import Space, module_id

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class Fit(ScoreFit):
    """The result of learning from a table, with everything that can be done with it.

    ``fit["acc"]`` is what was learnt about one target. Created by `nasbuild.fit` or `nasbuild.load_fit`.

    Examples
    --------
    >>> list(fit), fit["acc"].trust.level
    (['acc', 'macs'], 'fair')
    >>> [row["id"] for row in fit.build(3)] == [row["id"] for row in fit.build(10)[:3]]
    True
    """

    def explain(self, *, modules: int = 3) -> Explanation:
        """What matters: how far to believe the fit, feature choices, the best and worst modules of each stage.

        Parameters
        ----------
        modules
            How many of the best and of the worst modules of each stage.

        Examples
        --------
        >>> [target["target"] for target in fit.explain(modules=1)["targets"]]
        ['acc', 'macs']
        """
        return Explanation(explain_data(self, modules=modules))

    @property
    def plot(self) -> FitPlot:
        """Figures by matplotlib: ``fit.plot.front()``, ``modules()``, ``features()``, ``held_out()``."""
        return FitPlot(self)

    def predict(self, architectures: Any, *, target: str | None = None) -> Rows:
        """Predictions of architectures, a row for each: ``id``, ``prediction`` and ``std`` in the target's unit.

        They are one or several `Architecture`, plain data, rows with ``arch``, a table, or a frame, whose ids are kept.
        ``target`` is one of the fit; without it the first. ``shares`` holds the score of each stage's module, ``extrapolates`` whether the row lies beyond the table.

        Raises
        ------
        FitError
            If there is no such target.

        Examples
        --------
        >>> rows = fit.predict(nb.sample(fit.space, 3, 0), target="acc")
        >>> len(rows), list(rows[0])
        (3, ['id', 'target', 'prediction', 'std', 'shares', 'extrapolates'])
        """
        target_fit = self.of(target)
        found = named_architectures(self.space, architectures)
        rows = prediction_rows(target_fit, found)
        return Rows(rows, f"{len(rows):,} predictions of {target_fit.target.name}")

    def compare(self, first: Any, second: Any, *, target: str | None = None) -> Rows:
        """Why ``first`` is predicted better than ``second``: a sum over parts and pairs that is their exact difference.

        Both are an `Architecture`, plain data, the id of a row of the table, a file with one architecture, or
        ``"reference"``.

        Returns
        -------
        Rows with ``kind``, ``text``, ``stages``, ``value`` and ``std``, largest first, in the target's unit. ``value``
        adds up to the prediction of the first less that of the second.

        Raises
        ------
        NasbuildError
            If one of them is no architecture of the space.

        Examples
        --------
        >>> rows = fit.compare(table.ids[40], table.ids[0], target="acc")
        >>> rows[0]["text"], round(sum(row["value"] for row in rows), 2)
        ('stage2: mb_e6_k5-mb_e6_k5, not mb_e1_k3', 13.88)
        """
        named = [
            named_architecture(self, one, where) for one, where in ((first, "first"), (second, "second"))
        ]
        data = comparison_data(self.of(target), *named)
        heading, _, remark = comparison_lines(data)
        return Rows(data["contributions"], heading, [remark] if remark else [])

    def pairs(self, *, target: str | None = None) -> Rows:
        """Pairs of choices that stand out: what both do together beyond the sum of what each does alone, surest first.

        Returns
        -------
        Rows with ``first``, ``second``, ``stages``, ``effect`` with ``std`` and 90 % interval (``low``, ``high``) in the
        target's unit, ``bend`` (what the scale adds to any two choices of their size) and ``rows`` with both. None
        stands out in most tables: the notes say how many were looked at.

        Raises
        ------
        FitError
            If there is no such target.

        Examples
        --------
        >>> rows = fit.pairs(target="acc")
        >>> len(rows), rows.notes
        (0, ('recipe ridge does not separate pairs',))
        """
        target_fit = self.of(target)
        found = pairs_data(self, target_fit)
        title = f"pairs of choices of {target_fit.target.name}"
        if found is None:
            return Rows([], title, [f"recipe {self.recipe.name} does not separate pairs"])
        return Rows(found["named"], title, found["sentences"])

    def build(
        self,
        top: int = 10,
        *,
        target: str | None = None,
        where: str | Sequence[str] = (),
        fix: str | Sequence[str] = (),
        by: str | None = None,
        k: int | None = None,
        apart: int = 1,
        unseen: bool = False,
        may_fail: bool = False,
    ) -> Rows:
        """The best architectures; nothing is searched or evaluated.

        Parameters
        ----------
        top
            How many.
        where
            Bounds, such as ``"params <= 3.2e6"``; ``"bytes <= 1e9 | 2e9"`` builds for each value.
        fix
            Parts held fixed, such as ``"stage3.depth = 2"``.
        by
            ``"shortlist"`` (the default: the best prediction of the best by score), ``"score"``, ``"prediction"`` or
            ``"exhaustive"``.
        k
            Combine the ``k`` best modules of each stage only.
        apart
            Stages in which any two differ, at least.
        unseen
            Also modules with choices or depths that no labelled architecture has.
        may_fail
            Also where rows of the table have no value.

        Returns
        -------
        Rows with ``id``, ``arch``, ``score``, ``prediction``, ``std``, ``extrapolates`` and known ``metrics``.

        Raises
        ------
        Infeasible
            If nothing is within the bounds.
        NasbuildError
            If options exclude each other.

        Examples
        --------
        >>> rows = fit.build(3, target="acc", where="layers <= 4")
        >>> [sum(map(len, row["arch"]["stages"])) for row in rows]
        [4, 4, 4]
        >>> fit.build(3, target="acc", where="layers <= 2")
        Traceback (most recent call last):
            ...
        nasbuild.errors.Infeasible: --where: nothing is within all bounds; loosen one of them: layers <= 3
        """
        targets, where, fix = (target,) if target else (), texts(where, "where"), texts(fix, "fix")
        spread = None if apart == 1 else apart  # 1 is no condition
        return self._built(
            BuildRequest(targets, whole(top, "top"), None, None, k, spread, by, where, fix, unseen, may_fail)
        )

    def build_front(
        self,
        n: int,
        *,
        targets: Sequence[str] = (),
        where: str | Sequence[str] = (),
        fix: str | Sequence[str] = (),
        unseen: bool = False,
        may_fail: bool = False,
    ) -> Rows:
        """``n`` architectures along the predicted Pareto front of several targets (all of the fit if none are named).

        Examples
        --------
        >>> rows = fit.build_front(4)
        >>> len(rows), rows[0]["target"], list(rows[0]["expected"])
        (4, 'acc', ['macs'])
        """
        where, fix = texts(where, "where"), texts(fix, "fix")
        return self._built(
            BuildRequest(
                texts(targets, "targets"),
                front=whole(n, "n"),
                where=where,
                fix=fix,
                unseen=unseen,
                may_fail=may_fail,
            )
        )

    def propose(
        self,
        n: int,
        *,
        target: str | None = None,
        where: str | Sequence[str] = (),
        fix: str | Sequence[str] = (),
        may_fail: bool = False,
    ) -> Rows:
        """``n`` architectures to evaluate next, by Thompson sampling: likely to be the best, or to teach what is.

        Examples
        --------
        >>> rows = fit.propose(3, target="acc")
        >>> len(rows), [row["id"] in table.ids for row in rows]
        (3, [False, False, False])
        """
        targets, where, fix = (target,) if target else (), texts(where, "where"), texts(fix, "fix")
        return self._built(
            BuildRequest(targets, propose=whole(n, "n"), where=where, fix=fix, may_fail=may_fail)
        )

    def shrink(self, k: int = 25, *, targets: Sequence[str] = ()) -> Space:
        """The space reduced to the ``k`` best modules of each stage, united over targets, for a search.

        Examples
        --------
        >>> [len(stage.modules) for stage in fit.shrink(4, targets=["acc"]).stages]
        [4, 4, 4]
        """
        return reduce_space([self.of(name) for name in targets] or list(self.targets), k)

    def modules(self, *, target: str | None = None, stage: str | None = None, top: int | None = None) -> Rows:
        """Module scores in the target's unit, best first: ``stage``, ``module``, ``score``, ``std``.

        Examples
        --------
        >>> rows = fit.modules(target="acc", stage="stage1", top=2)
        >>> [row["module"] for row in rows]
        [[{'op': 'mb_e6_k5'}, {'op': 'mb_e6_k5'}], [{'op': 'mb_e6_k5'}, {'op': 'mb_e3_k3'}]]
        """
        target_fit = self.of(target)
        wanted = None if stage is None else self.space.stage_index(stage)
        rows: list[dict[str, Any]] = []
        for scores in target_fit.stages:
            if wanted in (None, scores.stage):
                best = scores.best(target_fit.target.sign, top)
                definition = self.space.stages[scores.stage]
                for rank, row in zip(
                    best, module_rows(self.space, target_fit.target.name, scores, best), strict=True
                ):
                    name = module_id(definition, scores.module(self.space, int(rank)))
                    rows.append({"id": name, **row, "stage": definition.name})
        return Rows(rows, f"{len(rows):,} module scores of {target_fit.target.name}")

    def report(self, path: str | os.PathLike[str], *, top: int = 10) -> Path:
        """Write the report, one page that needs nothing else (``.html``; ``.pdf`` where there is a Chromium).

        Examples
        --------
        >>> fit.report("report.html", top=3).name
        'report.html'
        """
        write_report(self, path, top=top)
        return Path(path)

    def save(self, folder: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the fit folder; `nasbuild.load_fit` reads it.

        Examples
        --------
        >>> folder = fit.save("fit")
        >>> nb.load_fit(folder)["acc"].trust.level == fit["acc"].trust.level
        True
        """
        save_fit(self, folder, overwrite=overwrite)
        return Path(folder)

    def to_pandas(self, *, target: str | None = None) -> pd.DataFrame:
        """Module scores as a pandas frame, each module by its readable id.

        Examples
        --------
        >>> frame = fit.to_pandas(target="acc")
        >>> len(frame), list(frame.columns)
        (36, ['id', 'target', 'stage', 'score', 'std'])
        """
        return self.modules(target=target).to_pandas()

    def __repr__(self) -> str:
        lines = [
            f"Fit of {len(self.table):,} architectures of {self.space.name!r} by recipe {self.recipe.name!r}"
        ]
        lines += [f"  {target_fit.target.name}: {target_fit.trust.verdict}" for target_fit in self.targets]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return fit_html(self)

    def _built(self, request: BuildRequest) -> Rows:
        request.check()
        found = build_requested(self, request)
        title = "; ".join(dict.fromkeys(point.title for point in found.points))
        notes = [*dict.fromkeys(found.notes), *found.infeasible]
        return Rows(found.rows, title, notes, space=self.space)


def with_verbs(fit: ScoreFit) -> Fit:
    """A fit as one that has the verbs."""
    return Fit(**{field.name: getattr(fit, field.name) for field in fields(ScoreFit)})
