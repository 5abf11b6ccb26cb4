"""What is told of a loop, to persons and machines: its rounds, its best, its race."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nasbuild.cli._output import Output, number

if TYPE_CHECKING:
    from nasbuild.optimize import Evaluations, LoopState
    from nasbuild.space import Space


def round_rows(state: LoopState) -> list[dict[str, Any]]:
    """What came of each round, for machines."""
    names = [target.name for target in state.evaluated.goal.targets]
    return [
        {
            "round": one.number,
            "done": one.done,
            "failed": one.failed,
            **({} if one.expected != one.expected else {"expected_to_fail": one.expected}),
            **({"outside": one.outside} if state.evaluated.goal.bounds else {}),
            "hypervolume": one.volume,
            "note": one.note,
            "targets": {
                name: {
                    key: None if values[t] != values[t] else values[t]
                    for key, values in (
                        ("predicted", one.predicted),
                        ("std", one.std),
                        ("found", one.found),
                        ("best", one.best),
                    )
                }
                for t, name in enumerate(names)
            },
        }
        for one in state.evaluated.summaries
    ]


def print_rounds(out: Output, state: LoopState) -> None:
    """The best so far after each round, against what was predicted."""
    from nasbuild.optimize import FAILURE_LIMITS

    told, bounds = state.evaluated.summaries, state.evaluated.goal.bounds
    expects = any(one.expected == one.expected for one in told)
    for t, target in enumerate(state.evaluated.goal.targets):
        out.line(f"\n{target.name}{f' [{target.unit}]' if target.unit else ''}, round by round", "bold")
        body = [
            [
                one.number,
                one.done,
                one.failed or "",
                *([f"{one.expected:.1f}" if one.expected == one.expected else ""] if expects else []),
                *([one.outside or ""] if bounds else []),
                "random"
                if one.predicted[t] != one.predicted[t]
                else f"{number(one.predicted[t])} ± {number(one.std[t])}",
                number(one.found[t]) if one.found[t] == one.found[t] else "none",
                number(one.best[t]) if one.best[t] == one.best[t] else "none",
                *([f"{one.volume:.3f}"] if len(state.evaluated.goal.targets) > 1 else []),
            ]
            for one in told
        ]
        header = ["round", "evaluated", "failed", *(["expected to fail"] if expects else [])]
        header += ["outside"] if bounds else []
        header += ["best predicted", "best measured", "best so far"]
        if len(state.evaluated.goal.targets) > 1:
            header.append("hypervolume of all")
        out.table(header, body, right=range(len(header)))
    for one in told:
        if one.note:
            out.line(f"note: round {one.number} was random: {one.note}", "yellow")
    print_outside(out, state)
    failed = sum(one.failed for one in told)
    if failed:
        out.line(
            f"note: {failed:,} of {len(state.evaluated.architectures):,} could not be evaluated; --retry-failed tries again",
            "yellow",
        )
    if rule := failing_rows(state):
        out.line(f"what goes with failing: {rule['text']}")
    if expects:
        built, proposed = (f"{risk:.0%}" for risk in FAILURE_LIMITS)
        out.line(
            f"where it was known what is built was held to a fitted probability of failing of at most {built}, what is "
            f"proposed to {proposed}, wherever anything is below"
        )


def failing_rows(state: LoopState) -> dict[str, Any] | None:
    """Which choices go with failing, for machines; None where nothing tells failures from bad luck."""
    from nasbuild.report import rule_data

    if state.failures is None:
        return None
    return rule_data(state.failures.space, state.evaluated.architectures, ~state.evaluated.known)


def print_outside(out: Output, state: LoopState) -> None:
    """How many of the evaluated are outside the bounds, and where nothing is within, what is nearest."""
    from nasbuild.builder import format_bounds
    from nasbuild.optimize import NEAREST

    found = state.evaluated
    if not found.goal.bounds:
        return
    bounds, total = format_bounds(found.goal.bounds), len(found.architectures)
    outside = sum(one.outside for one in found.summaries)
    if outside:
        out.line(f"{outside:,} of {total:,} evaluated are outside {bounds}, as measured: they are no result")
    nearest = found.origins.count(NEAREST)
    if nearest:
        out.line(
            f"note: {nearest:,} were built as near to the bounds as can be, as nothing was predicted to be within",
            "yellow",
        )
    if not found.inside.any():
        out.line(f"note: nothing that was evaluated is within {bounds}; {_reached(found)}", "yellow")


def _reached(found: Evaluations) -> str:
    """How near each bound was come to."""
    told = []
    for bound in found.goal.bounds:
        values = found.bounded[bound.name]
        known = values[values == values]
        if len(known):
            best = known.min() if bound.sign > 0 else known.max()
            told.append(f"{'least' if bound.sign > 0 else 'most'} {bound.name} {number(float(best))}")
    return f"of all evaluated, {' and '.join(told)}" if told else "what is bounded could not be measured"


def best_rows(space: Space, state: LoopState) -> list[dict[str, Any]]:
    """The best, or the front, with what was measured and what is now predicted of them."""
    from nasbuild.space import architecture_id

    found, names = state.evaluated, [t.name for t in state.evaluated.goal.targets]
    some = [found.architectures[i] for i in state.best]
    now = [target_fit.scorer.predict(some) for target_fit in state.fit.targets] if state.fit and some else []
    return [
        {
            "id": architecture_id(space, found.architectures[i]),
            "round": int(found.rounds[i]),
            "why": found.origins[i],
            "values": {n: float(v) for n, v in zip(names, found.values[i], strict=True)},
            **({"bounded": {n: float(v[i]) for n, v in found.bounded.items()}} if found.bounded else {}),
            "predicted": {n: float(value[k]) for n, (value, _) in zip(names, now, strict=False)},
        }
        for k, i in enumerate(state.best)
    ]


def race_rows(space: Space, state: LoopState) -> list[dict[str, Any]]:
    """Every racer, best first; the first is the chosen one. Empty without a race."""
    return [] if state.race is None else state.race.rows(space)


def print_race(out: Output, space: Space, state: LoopState) -> None:
    """What the most promising told again, if they were raced."""
    if state.race is None:
        return
    target = state.evaluated.goal.targets[0]
    out.line(f"\nthe race: {state.race.spent} evaluations repeat the most promising with other seeds", "bold")
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
    header = ["architecture", f"{target.name} in the rounds", "y' now", "repeated", "their mean", ""]
    out.table(header, body, right=range(1, len(header) - 1))
    if state.race.same:
        out.line(
            "note: all repetitions told what had been told before: this evaluator has no noise, so the race ended early",
            "yellow",
        )
    if state.race.failed:
        out.line(
            f"note: {state.race.failed} of {state.race.spent} repetitions could not be evaluated", "yellow"
        )


def print_best(out: Output, state: LoopState, rows: list[dict[str, Any]]) -> None:
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
            *(number(row["bounded"][n]) for n in also),
            row["round"],
            row["why"],
        ]
        for row in rows
    ]
    out.table(header, body, right=range(1, len(header) - 1))
