"""Builds for one value of a sweep by the chosen criterion; adds a title and notes about optimality."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from nasbuild.api._build_request import BuildRequest
from nasbuild.builder import (
    Bound,
    Built,
    bounds_on_targets,
    build_exhaustive,
    build_front,
    build_predicted,
    build_shortlisted,
    build_within,
    built_rows,
    describe,
    failure_bound,
    fits_per_tie,
    format_bounds,
    is_layerwise,
    predicted_bound_names,
    propose,
    propose_within,
)
from nasbuild.builder import build as build_architectures
from nasbuild.errors import Infeasible
from nasbuild.optimize import FAILURE_LIMITS
from nasbuild.score import Fit, TargetFit
from nasbuild.space import count_architectures, format_count


@dataclass(frozen=True)
class SweepPoint:
    """Architectures built for one value of a sweep.

    Examples
    --------
    >>> from nasbuild.api import BuildRequest, build_requested
    >>> [point] = build_requested(fit, BuildRequest(["acc"], top=2)).points
    >>> len(point.rows), point.title
    (2, "best by prediction y' of the 30 best by summed module score for acc")
    """

    target_fit: TargetFit
    rows: list[dict[str, Any]]
    title: str
    note: str
    remark: str
    risk: float | None = None
    """Upper bound on the fitted failure probability; None if there was none."""


def build_point(fit: Fit, request: BuildRequest, bounds: Sequence[Bound]) -> SweepPoint:
    """Builds a front, proposals, or the best architectures for one value of a sweep.

    If the fit has a model of failed evaluations, the failure probability is bounded as in the closed loop. Where no
    architecture meets that bound, a looser one applies, and finally none.

    Raises
    ------
    Infeasible
        If no architecture is within the bounds.
    """
    bounds = bounds_on_targets(fit, bounds)
    for risk in (
        FAILURE_LIMITS[request.propose is not None :] if fit.failures and request.supports_bounds else ()
    ):
        try:
            return replace(_point(fit, request, bounds, [*bounds, failure_bound(risk)]), risk=risk)
        except Infeasible:
            continue
    return _point(fit, request, bounds, bounds)


def _point(fit: Fit, request: BuildRequest, bounds: Sequence[Bound], held: Sequence[Bound]) -> SweepPoint:
    """Builds within ``held``, which adds a bound on the failure probability to the user's ``bounds``."""
    target_fit = fit.of(request.targets[0] if request.targets else None)
    also, selected_by = list(dict.fromkeys(bound.name for bound in bounds)), list[str]()
    note = remark = ""
    if request.front is not None:
        target_fit, built, selected_by, title, remark = _front(fit, request.targets, request.n, bounds, held)
        also = [*selected_by, *also]
    elif request.propose is not None:
        title = f"to evaluate next for {target_fit.target.name}{_within(bounds)}"
        if held:
            built = propose_within(fit, target_fit.target.name, request.n, held)
        else:
            built = propose(target_fit, request.n)
    else:
        built, title, note = _best_of_ties(fit, target_fit, request, held)
        title = f"{title} for {target_fit.target.name}{_within(bounds)}"
    rows = built_rows(fit, target_fit, built, also, selected_by)
    if bounds:
        rows = [{**row, "where": format_bounds(bounds)} for row in rows]
    if request.criterion(fit) in ("shortlist", "score") and request.front is None:
        remark = _beyond(rows, bounds)
    guessed = predicted_bound_names(fit, bounds)
    if guessed:
        names = " and ".join(guessed)
        verb = "is" if len(guessed) == 1 else "are"
        caveat = f"{names} {verb} predicted: bounds hold for predictions, not for measurements"
        remark = f"{remark}; {caveat}" if remark else caveat
    return SweepPoint(target_fit, rows, title, note, remark)


def _best_of_ties(
    fit: Fit, target_fit: TargetFit, request: BuildRequest, bounds: Sequence[Bound]
) -> tuple[list[Built], str, str]:
    """As `_best`, for spaces with tied stages: the best over all joint choices of the tied stages.

    Raises
    ------
    Infeasible
        If no joint choice has an architecture within the bounds.
    """
    found, refused, name, by = [], None, target_fit.target.name, request.criterion(fit)
    apart = 1 if request.apart is None else request.apart
    # The k best modules of a stage and exhaustive prediction need each joint choice of the ties apart.
    for tie_fit in fits_per_tie(fit, together=request.supports_bounds):
        try:
            found.append(_best(tie_fit, tie_fit.of(name), request.n, request.k, bounds, apart, by))
        except Infeasible as error:
            refused = error
    if not found:
        assert refused is not None
        raise refused
    if len(found) == 1:
        return found[0]
    candidates = [built for architectures, _, _ in found for built in architectures]
    value = "score" if by == "score" else "prediction"
    candidates.sort(key=lambda built: -target_fit.target.sign * getattr(built, value))
    kept: list[Built] = []
    for built in candidates:
        modules = built.architecture.modules
        differ = (sum(a != b for a, b in zip(modules, k.architecture.modules, strict=True)) for k in kept)
        if len(kept) < request.n and all(count >= apart for count in differ):
            kept.append(built)
    note = next((note for _, _, note in found if note), "")
    return kept, f"{found[0][1]}, of {len(found)} choices of ties,", note


def _best(
    fit: Fit, target_fit: TargetFit, n: int, k: int | None, bounds: Sequence[Bound], apart: int, by: str
) -> tuple[list[Built], str, str]:
    """Returns the best architectures, a title, and a note about optimality."""
    note = ""
    if by == "exhaustive":
        built = build_exhaustive(target_fit, n)
        title = f"best by prediction y' of all {format_count(count_architectures(fit.space))} architectures"
    elif by == "prediction":
        found = build_predicted(fit, target_fit.target.name, n, bounds, k=k)
        built, title = found.built, "best by prediction y'"
        if found.pool is not None:
            title += f" of the {found.pool:,} best by summed module score"
        elif not found.proven:
            note = (
                f"found by local search, not proven optimal: {_at_most(target_fit, found.gap, 'prediction')}"
            )
    elif by == "shortlist":
        short = build_shortlisted(fit, target_fit.target.name, n, bounds, apart=apart, k=k)
        built, title = (
            short.built,
            f"best by prediction y' of the {short.length:,} best by summed module score",
        )
        if not short.n_proven:
            note = f"the first by score is not proven optimal: {_at_most(target_fit, short.gap, 'score')}"
        elif not short.proven:
            note = f"of the {short.length:,} best by score, the first {short.n_proven:,} are proven optimal; beyond them, better ones may exist"
    else:
        title = "best by summed module score"
        if not bounds and apart == 1 and (k is not None or not is_layerwise([target_fit], {})):
            return build_architectures(target_fit, n, k=k), title, note
        within = build_within(fit, target_fit.target.name, n, bounds, apart=apart)
        built = within.built
        if 0 < within.n_proven < len(built):
            note = f"the first {within.n_proven:,} are proven optimal; beyond them, better ones may exist"
        elif not within.n_proven:
            note = f"not proven optimal: {_at_most(target_fit, within.gap, 'score')}"
    return built, title, note


def _at_most(target_fit: TargetFit, gap: float, value: str) -> str:
    """Says how much better an undiscovered architecture can be at most."""
    if gap == float("inf"):
        return "better ones may exist"
    unit = f" {target_fit.target.unit}" if target_fit.target.unit else ""
    return f"no {value} exceeds the first by more than {gap:.2g}{unit}"


def _front(
    fit: Fit, targets: Sequence[str], n: int, bounds: Sequence[Bound], held: Sequence[Bound]
) -> tuple[TargetFit, list[Built], list[str], str, str]:
    """Returns the first target, the front, names of its other targets, a title, and its hypervolume."""
    found = build_front(fit, n, targets=targets, bounds=held)
    target_fit = fit.of(found.targets[0])
    title = f"front of {' and '.join(found.targets)}{_within(bounds)}"
    reach = (
        f"hypervolume, scaled by the range of the labels: {found.volume:.3f} predicted, "
        f"{found.labelled_volume:.3f} of the labelled architectures"
    )
    remark = reach if found.volume == found.volume else ""
    return target_fit, describe(target_fit, found.architectures), list(found.targets[1:]), title, remark


def _beyond(rows: Sequence[dict[str, Any]], bounds: Sequence[Bound]) -> str:
    """Counts architectures whose prediction y' violates a bound, which sums of scores don't show."""
    count = sum(
        any(b.sign * (row["expected"][b.name]["prediction"] - b.value) > 1e-6 * abs(b.value) for b in bounds)
        for row in rows
    )
    if not count:
        return ""
    return (
        f"{count:,} of {len(rows):,} violate a bound by prediction y', which includes interactions between stages; "
        "--by prediction bounds y'"
    )


def _within(bounds: Sequence[Bound]) -> str:
    return f" with {format_bounds(bounds)}" if bounds else ""
