"""What ``nasbuild build`` builds for one value of a sweep, with a title and what is not sure of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from nasbuild.errors import Infeasible

if TYPE_CHECKING:
    from nasbuild.builder import Bound, Built
    from nasbuild.score import Fit, TargetFit


@dataclass(frozen=True)
class Wanted:
    """The options that hold for every value of a sweep."""

    targets: Sequence[str]
    top: int
    front: int | None
    propose: int | None
    k: int | None
    apart: int
    by: str

    @property
    def weighs(self) -> bool:
        """Whether the way of building keeps bounds."""
        return self.k is None and self.by != "exhaustive"


@dataclass(frozen=True)
class BuiltPart:
    """What was built for one value of a sweep."""

    target_fit: TargetFit
    rows: list[dict[str, Any]]
    title: str
    note: str
    remark: str
    risk: float | None = None
    """To which a fitted probability of failing was held."""


def part_of(fit: Fit, wanted: Wanted, bounds: Sequence[Bound]) -> BuiltPart:
    """What is built for one value of a sweep: a front, proposals, or the best.

    Where the run knows where evaluations fail, it is held to a probability of failing as in a loop; to a higher one, and at last
    to none, where nothing is below.

    Raises
    ------
    Infeasible
        If nothing is within the bounds.
    """
    from nasbuild.builder import failure_bound
    from nasbuild.optimize import FAILURE_LIMITS

    for risk in FAILURE_LIMITS[bool(wanted.propose) :] if fit.failures and wanted.weighs else ():
        try:
            return replace(_part(fit, wanted, bounds, [*bounds, failure_bound(risk)]), risk=risk)
        except Infeasible:
            continue
    return _part(fit, wanted, bounds, bounds)


def _part(fit: Fit, wanted: Wanted, bounds: Sequence[Bound], held: Sequence[Bound]) -> BuiltPart:
    """What is built within ``held``; ``bounds`` are those of the user's."""
    from nasbuild.builder import built_rows, format_bounds, predicted_bound_names, propose, propose_within

    target_fit = fit.of(wanted.targets[0] if wanted.targets else None)
    also, note, remark = list(dict.fromkeys(bound.name for bound in bounds)), "", ""
    if wanted.front:
        target_fit, built, also, title, remark = _front(fit, wanted.targets, wanted.front, bounds, held)
    elif wanted.propose:
        title = f"to evaluate next for {target_fit.target.name}{_within(bounds)}"
        if held:
            built = propose_within(fit, target_fit.target.name, wanted.propose, held)
        else:
            built = propose(target_fit, wanted.propose)
    else:
        built, title, note = _best_of_ties(fit, target_fit, wanted, held)
        title = f"{title} for {target_fit.target.name}{_within(bounds)}"
    rows = built_rows(fit, target_fit, built, also)
    if bounds:
        rows = [{**row, "where": format_bounds(bounds)} for row in rows]
    if wanted.by in ("shortlist", "score") and not wanted.front:
        remark = _beyond(rows, bounds)
    guessed = predicted_bound_names(fit, bounds)
    if guessed:
        told = " and ".join(guessed)
        told = (
            f"what is known of {told} is a prediction: bounds on it hold for that, not for what is measured"
        )
        remark = f"{remark}; {told}" if remark else told
    return BuiltPart(target_fit, rows, title, note, remark)


def _best_of_ties(
    fit: Fit, target_fit: TargetFit, wanted: Wanted, bounds: Sequence[Bound]
) -> tuple[list[Built], str, str]:
    """`_best`; with ties that are not kept by choosing stages together, of what is built for each of their choices.

    Raises
    ------
    Infeasible
        If no choice has anything within the bounds.
    """
    from nasbuild.builder import fits_per_tie

    found, refused, name = [], None, target_fit.target.name
    # The best modules of a stage, and all predictions, are those of each choice of the ties.
    for part in fits_per_tie(fit, together=wanted.k is None and wanted.by != "exhaustive"):
        try:
            found.append(_best(part, part.of(name), wanted.top, wanted.k, bounds, wanted.apart, wanted.by))
        except Infeasible as error:
            refused = error
    if not found:
        assert refused is not None
        raise refused
    if len(found) == 1:
        return found[0]
    built = [one for some, _, _ in found for one in some]
    by = "score" if wanted.by == "score" else "prediction"
    built.sort(key=lambda one: -target_fit.target.sign * getattr(one, by))
    kept: list[Built] = []
    for one in built:
        modules = one.architecture.modules
        differ = (sum(a != b for a, b in zip(modules, k.architecture.modules, strict=True)) for k in kept)
        if len(kept) < wanted.top and all(count >= wanted.apart for count in differ):
            kept.append(one)
    note = next((note for _, _, note in found if note), "")
    return kept, f"{found[0][1]}, of {len(found)} choices of ties,", note


def _best(
    fit: Fit, target_fit: TargetFit, n: int, k: int | None, bounds: Sequence[Bound], apart: int, by: str
) -> tuple[list[Built], str, str]:
    """The best, a title, and what is not sure of them."""
    from nasbuild.builder import build as build_architectures
    from nasbuild.builder import (
        build_exhaustive,
        build_predicted,
        build_shortlisted,
        build_within,
        is_layerwise,
    )
    from nasbuild.space import count_architectures, shown_count

    note = ""
    if by == "exhaustive":
        built = build_exhaustive(target_fit, n)
        title = f"best by prediction y' of all {shown_count(count_architectures(fit.space))} architectures"
    elif by == "prediction":
        found = build_predicted(fit, target_fit.target.name, n, bounds, k=k)
        built, title = found.built, "best by prediction y'"
        if found.pool is not None:
            title += f" of the {found.pool:,} best by summed module score"
        elif not found.proven:
            note = (
                f"found by swaps of single modules or layers; {_at_most(target_fit, found.gap, 'prediction')}"
            )
    elif by == "shortlist":
        short = build_shortlisted(fit, target_fit.target.name, n, bounds, apart=apart, k=k)
        built, title = (
            short.built,
            f"best by prediction y' of the {short.length:,} best by summed module score",
        )
        if not short.n_proven:
            note = (
                f"the best by score is not proven to be the best: {_at_most(target_fit, short.gap, 'score')}"
            )
        elif not short.proven:
            note = f"of the {short.length:,} best by score, the first {short.n_proven:,} are proven; beyond them, better ones may exist"
    else:
        title = "best by summed module score"
        if not bounds and apart == 1 and (k is not None or not is_layerwise([target_fit], {})):
            return build_architectures(target_fit, n, k=k), title, note
        within = build_within(fit, target_fit.target.name, n, bounds, apart=apart)
        built = within.built
        if 0 < within.n_proven < len(built):
            note = (
                f"the first {within.n_proven:,} are proven to be the best; beyond them, better ones may exist"
            )
        elif not within.n_proven:
            note = f"not proven to be the best: {_at_most(target_fit, within.gap, 'score')}"
    return built, title, note


def _at_most(target_fit: TargetFit, gap: float, what: str) -> str:
    """What is known of better ones that may exist."""
    if gap == float("inf"):
        return "better ones may exist"
    unit = f" {target_fit.target.unit}" if target_fit.target.unit else ""
    return f"no {what} is better than the first by more than {gap:.2g}{unit}"


def _front(
    fit: Fit, targets: Sequence[str], n: int, bounds: Sequence[Bound], held: Sequence[Bound]
) -> tuple[TargetFit, list[Built], list[str], str, str]:
    """The first target, the front by it, what else is to be told of each, a title, and how far it reaches."""
    from nasbuild.builder import build_front, describe

    found = build_front(fit, n, targets=targets, bounds=held)
    target_fit = fit.of(found.targets[0])
    title = f"front of {' and '.join(found.targets)}{_within(bounds)}"
    also = [*found.targets[1:], *(bound.name for bound in bounds)]
    reach = (
        f"hypervolume between the worst labels and the best: {found.volume:.3f} as predicted, "
        f"{found.labelled_volume:.3f} of what is labelled"
    )
    remark = reach if found.volume == found.volume else ""
    return target_fit, describe(target_fit, found.architectures), also, title, remark


def _beyond(rows: Sequence[dict[str, Any]], bounds: Sequence[Bound]) -> str:
    """How many are beyond a bound by y', which sums of scores do not see."""
    count = sum(
        any(b.sign * (row["expected"][b.name]["prediction"] - b.value) > 1e-6 * abs(b.value) for b in bounds)
        for row in rows
    )
    if not count:
        return ""
    return (
        f"{count:,} of {len(rows):,} are beyond a bound by prediction y', which knows what stages do to each other; "
        "--by prediction keeps that within"
    )


def _within(bounds: Sequence[Bound]) -> str:
    from nasbuild.builder import format_bounds

    return f" with {format_bounds(bounds)}" if bounds else ""
