"""Rounds, best architectures and race of a closed loop, as JSON rows and as printed tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nasbuild.cli._output import Output, number

if TYPE_CHECKING:
    from nasbuild.optimize import Evaluations, LoopState
    from nasbuild.space import Space


def round_rows(state: LoopState) -> list[dict[str, Any]]:
    """Returns the results of each round as JSON rows."""
    names = [target.name for target in state.evaluated.goal.targets]
    return [
        {
            "round": one.number,
            "evaluated": one.done,
            "failed": one.failed,
            **({} if one.expected != one.expected else {"expected_failures": one.expected}),
            **({"out_of_bounds": one.outside} if state.evaluated.goal.bounds else {}),
            "hypervolume": one.volume,
            "note": one.note,
            "targets": {
                name: {
                    key: None if values[t] != values[t] else values[t]
                    for key, values in (
                        ("best_predicted", one.predicted),
                        ("std", one.std),
                        ("best_measured", one.found),
                        ("best_so_far", one.best),
                    )
                }
                for t, name in enumerate(names)
            },
        }
        for one in state.evaluated.summaries
    ]


def print_rounds(out: Output, state: LoopState) -> None:
    """Prints, for each round, the best prediction, the best measurement and the best so far."""
    from nasbuild.optimize import FAILURE_LIMITS
    from nasbuild.report import percent

    rounds, bounds = state.evaluated.summaries, state.evaluated.goal.bounds
    expects = any(one.expected == one.expected for one in rounds)
    for t, target in enumerate(state.evaluated.goal.targets):
        out.line(f"\n{target.name}{f' [{target.unit}]' if target.unit else ''}, round by round", "bold")
        body = [
            [
                one.number,
                one.done,
                one.failed or "",
                *([f"{one.expected:.1f}" if one.expected == one.expected else ""] if expects else []),
                *([one.outside or ""] if bounds else []),
                ("single changes" if state.singles and not one.number else "random")
                if one.predicted[t] != one.predicted[t]
                else f"{number(one.predicted[t])} ± {number(one.std[t])}",
                number(one.found[t]) if one.found[t] == one.found[t] else "none",
                number(one.best[t]) if one.best[t] == one.best[t] else "none",
                *([f"{one.volume:.3f}"] if len(state.evaluated.goal.targets) > 1 else []),
            ]
            for one in rounds
        ]
        header = ["round", "evaluated", "failed", *(["expected failures"] if expects else [])]
        header += ["out of bounds"] if bounds else []
        header += ["best predicted", "best measured", "best so far"]
        if len(state.evaluated.goal.targets) > 1:
            header.append("hypervolume")
        out.table(header, body, right=range(len(header)))
    for one in rounds:
        if one.note:
            out.line(f"note: round {one.number} was random: {one.note}", "yellow")
    print_outside(out, state)
    failed = sum(one.failed for one in rounds)
    if failed:
        out.line(
            f"note: {failed:,} of {len(state.evaluated.architectures):,} evaluations failed; --retry-failed tries again",
            "yellow",
        )
    if rule := failing_rows(state):
        out.line(f"evaluations fail more often with: {rule['text']}")
    if expects:
        built, proposed = (percent(risk) for risk in FAILURE_LIMITS)
        out.line(
            f"limits on the fitted failure probability, where architectures below them exist: {built} for built ones, "
            f"{proposed} for proposed ones"
        )


def failing_rows(state: LoopState) -> dict[str, Any] | None:
    """Returns the choices that go with failures; None where failures look random."""
    from nasbuild.report import rule_data

    if state.failures is None:
        return None
    return rule_data(state.failures.space, state.evaluated.architectures, ~state.evaluated.known)


def print_outside(out: Output, state: LoopState) -> None:
    """Prints how many evaluated architectures violate the bounds, and the nearest values if all do."""
    from nasbuild.optimize import NEAREST

    found = state.evaluated
    if not found.goal.bounds:
        return
    bounds, total = found.goal.bounds_text, len(found.architectures)
    outside = sum(one.outside for one in found.summaries)
    if outside:
        out.line(
            f"{outside:,} of {total:,} evaluated architectures measure outside {bounds} and don't count as results"
        )
    nearest = found.origins.count(NEAREST)
    if nearest:
        out.line(
            f"note: {nearest:,} were built as near to the bounds as possible, as no prediction was within them",
            "yellow",
        )
    if not found.inside.any():
        out.line(f"note: no evaluated architecture is within {bounds}; {_nearest_values(found)}", "yellow")


def _nearest_values(found: Evaluations) -> str:
    """Names the measured value nearest to each bound."""
    nearest = []
    for bound in found.goal.bounds:
        values = found.bounded[bound.name]
        known = values[values == values]
        if len(known):
            best = known.min() if bound.sign > 0 else known.max()
            nearest.append(f"{'lowest' if bound.sign > 0 else 'highest'} {bound.name} {number(float(best))}")
    return f"{' and '.join(nearest)} of all evaluated" if nearest else "no bounded quantity could be measured"


def best_rows(space: Space, state: LoopState) -> list[dict[str, Any]]:
    """Returns the best, or the front, with measured values and current predictions."""
    return _rows(space, state, state.best.tolist())


def _rows(space: Space, state: LoopState, places: list[int]) -> list[dict[str, Any]]:
    from nasbuild.space import architecture_id

    found, names = state.evaluated, [t.name for t in state.evaluated.goal.targets]
    best = [found.architectures[i] for i in places]
    now = [target_fit.scorer.predict(best) for target_fit in state.fit.targets] if state.fit and best else []
    return [
        {
            "id": architecture_id(space, found.architectures[i]),
            "round": int(found.rounds[i]),
            "origin": found.origins[i],
            "values": {n: float(v) for n, v in zip(names, found.values[i], strict=True)},
            **(
                {"bounded_values": {n: float(v[i]) for n, v in found.bounded.items()}}
                if found.bounded
                else {}
            ),
            "predicted": {n: float(value[k]) for n, (value, _) in zip(names, now, strict=False)},
        }
        for k, i in enumerate(places)
    ]


def budget_rows(space: Space, state: LoopState) -> list[dict[str, Any]]:
    """Returns the best measured architecture within each budget; None where nothing is. Empty without budgets."""
    from nasbuild.builder import format_bounds
    from nasbuild.optimize import best_within_budgets

    if not state.evaluated.goal.budgets:
        return []
    best = best_within_budgets(state.evaluated)
    rows = iter(_rows(space, state, [one.row for one in best if one.row is not None]))
    return [
        {"where": format_bounds(one.bounds), "best": None if one.row is None else next(rows)} for one in best
    ]


def measured_singles(state: LoopState) -> int:
    """Number of single changes that a loop around a reference asked for and measured."""
    from nasbuild.optimize import SINGLE

    found = state.evaluated
    return sum(origin == SINGLE and bool(k) for origin, k in zip(found.origins, found.known, strict=True))


def print_budgets(out: Output, state: LoopState, rows: list[dict[str, Any]]) -> None:
    """Prints the best measured architecture within each budget, beside its current prediction."""
    found = state.evaluated
    name = found.goal.targets[0].name
    also = [n for n in found.bounded if n != name]
    total = len(found.architectures)
    out.line(f"\nthe best measured of {total:,} evaluated within each budget", "bold")
    nothing = ["none measured", *[""] * (4 + len(also))]
    body = [
        [
            row["where"],
            *(
                nothing
                if (best := row["best"]) is None
                else [
                    best["id"],
                    number(best["values"][name]),
                    number(best["predicted"].get(name, float("nan"))),
                    *(number(best["bounded_values"][n]) for n in also),
                    best["round"],
                    best["origin"],
                ]
            ),
        ]
        for row in rows
    ]
    header = ["budget", "architecture", name, "y' now", *also, "round", ""]
    out.table(header, body, right=range(2, len(header) - 1))
    if state.singles:
        _print_trust(out, state)


def _print_trust(out: Output, state: LoopState) -> None:
    """Prints what joint rows say about whether single changes add up."""
    if state.fit is not None:
        out.line(state.fit.targets[0].trust.verdict)


def race_rows(space: Space, state: LoopState) -> list[dict[str, Any]]:
    """Returns all racers, best first; the first one is chosen. Empty without a race."""
    return [] if state.race is None else state.race.rows(space)


def print_race(out: Output, space: Space, state: LoopState) -> None:
    """Prints the repeated evaluations of the most promising architectures, if there was a race."""
    if state.race is None:
        return
    target = state.evaluated.goal.targets[0]
    out.line(
        f"\nthe race: {state.race.spent} evaluations repeat the most promising architectures with other seeds",
        "bold",
    )
    body = [
        [
            row["id"],
            number(row["first"]),
            number(float("nan") if row["predicted"] is None else row["predicted"]),
            len(row["readings"]),
            f"{number(row['mean'])} ± {number(float('nan') if row['error'] is None else row['error'])}"
            if row["readings"]
            else "-",
            "chosen" if place == 0 else "",
        ]
        for place, row in enumerate(race_rows(space, state))
    ]
    header = ["architecture", f"{target.name} in the rounds", "y' now", "repetitions", "their mean", ""]
    out.table(header, body, right=range(1, len(header) - 1))
    if state.race.same:
        out.line(
            "note: all repetitions gave the same values: this evaluator has no noise, so the race ended early",
            "yellow",
        )
    if state.race.failed:
        out.line(f"note: {state.race.failed} of {state.race.spent} repetitions failed", "yellow")


def print_best(out: Output, state: LoopState, rows: list[dict[str, Any]]) -> None:
    """Prints the best architectures, or the front, with predictions and rounds."""
    if not rows:
        return
    names = [t.name for t in state.evaluated.goal.targets]
    also = [n for n in state.evaluated.bounded if n not in names]
    title = f"the best {len(rows)}" if len(names) == 1 else f"the front of {len(rows)}"
    out.line(f"\n{title} of {len(state.evaluated.architectures):,} evaluated", "bold")
    header = ["architecture", *(x for n in names for x in (n, "y' now")), *also, "round", ""]
    body = [
        [
            row["id"],
            *(
                x
                for n in names
                for x in (number(row["values"][n]), number(row["predicted"].get(n, float("nan"))))
            ),
            *(number(row["bounded_values"][n]) for n in also),
            row["round"],
            row["origin"],
        ]
        for row in rows
    ]
    out.table(header, body, right=range(1, len(header) - 1))
