"""Plain data about a race: repeated evaluations of the most promising architectures, and the chosen one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nasbuild.report.data._health import health

if TYPE_CHECKING:
    from nasbuild.objective import Target
    from nasbuild.optimize import Race
    from nasbuild.space import Space


def race_data(race: Race, target: Target, space: Space) -> dict[str, Any]:
    """Returns all repetitions of all architectures in the race, best first."""
    found = []
    if race.same:
        found.append(
            (
                "note",
                "all repetitions gave the same values: this evaluator has no noise, so spend these "
                "evaluations on rounds",
            )
        )
    if race.failed:
        found.append(("note", f"{race.failed} of {race.spent} repetitions failed"))
    fine = f"{race.spent} repetitions of {len(race.racers)} architectures, none failed"
    return {
        "target": target.name,
        "unit": target.unit,
        "spent": race.spent,
        "racers": race.rows(space),
        "health": health(found, fine),
        "next": [],
    }
