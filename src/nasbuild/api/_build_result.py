"""Carries out a build: the steps that the notebook and the command line share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nasbuild.api._build_request import BuildRequest
from nasbuild.api._failing_note import failing_note
from nasbuild.api._sweep_point import SweepPoint, build_point
from nasbuild.builder import Bound, format_bounds
from nasbuild.errors import Infeasible
from nasbuild.predictor import one_thread
from nasbuild.score import Fit, restrict_fit, with_failures
from nasbuild.space import Architecture, fix_parts, parse_architecture


@dataclass(frozen=True)
class BuildResult:
    """What a build found.

    Attributes
    ----------
    fit
        The fit that was built from: with unseen choices, fixed parts, and a model of failures.
    points
        What was built for each value of a sweep that can be met; at least one.
    infeasible
        A sentence for each value that can't be met.
    failing
        Note about failed evaluations; empty if there is none.

    Examples
    --------
    >>> from nasbuild.api import BuildRequest, build_requested
    >>> result = build_requested(fit, BuildRequest(["acc"], top=2))
    >>> len(result.rows), result.notes
    (2, [])
    """

    fit: Fit
    points: list[SweepPoint]
    infeasible: list[str]
    failing: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Rows of all points."""
        return [row for point in self.points for row in point.rows]

    @property
    def notes(self) -> list[str]:
        """Notes and remarks of all points, then that about failed evaluations."""
        notes = [text for point in self.points for text in (point.note, point.remark) if text]
        return [*notes, self.failing] if self.failing else notes


@one_thread()
def build_requested(fit: Fit, request: BuildRequest) -> BuildResult:
    """Builds what is asked for; unless it may fail, with a bounded probability of failing.

    Raises
    ------
    NasbuildError
        If a target, a part or a bound is not one of the fit.
    Infeasible
        If no value of the sweep can be met.

    Examples
    --------
    >>> from nasbuild.api import BuildRequest, build_requested
    >>> result = build_requested(fit, BuildRequest(["acc"], top=1, where=["layers <= 4 | 2"]))
    >>> len(result.points), result.infeasible
    (1, ['layers <= 2: nothing is within all bounds; loosen one of them: layers <= 3'])
    """
    if request.unseen:
        fit = fit.with_unseen()
    if request.fix:
        fit = restrict_fit(fit, fix_parts(fit.space, request.fix))
    names = request.target_names(fit)
    if not request.may_fail:
        fit = with_failures(fit, names)
    points, infeasible = _build_sweep(fit, request)
    return BuildResult(fit, points, infeasible, failing_note(fit, names, [point.risk for point in points]))


def _build_sweep(fit: Fit, request: BuildRequest) -> tuple[list[SweepPoint], list[str]]:
    """Builds for each value of a sweep; returns the points, and a sentence for each value that can't be met."""
    sweep: Sequence[Sequence[Bound]] = request.sweep
    points: list[SweepPoint] = []
    infeasible, taken = [], list[Architecture]()
    for bounds in sweep:
        try:
            points.append(build_point(fit, request, bounds, taken))
            if request.propose is not None:
                taken += [parse_architecture(fit.space, row["arch"]) for row in points[-1].rows]
        except Infeasible as error:
            if len(sweep) == 1:
                raise
            infeasible.append(f"{format_bounds(bounds)}: {error.what}; {error.todo}")
    if not points:
        raise Infeasible(
            f"no architecture meets any of the {len(sweep)} values", where="--where", todo=infeasible[0]
        )
    return points, infeasible
