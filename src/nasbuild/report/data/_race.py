"""Plain data about a race: what each of the most promising told again, and which is chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nasbuild.report.data._health import health

if TYPE_CHECKING:
    from nasbuild.objective import Target
    from nasbuild.optimize import Race
    from nasbuild.space import Space


def race_data(race: Race, target: Target, space: Space) -> dict[str, Any]:
    """Every reading of every racer, best first."""
    found = []
    if race.same:
        found.append(
            (
                "note",
                "all repetitions told what had been told before: this evaluator has no noise, so spend such "
                "evaluations on rounds",
            )
        )
    if race.failed:
        found.append(("note", f"{race.failed} of {race.spent} repetitions could not be evaluated"))
    fine = f"{race.spent} repetitions of {len(race.racers)} architectures, none failed"
    return {
        "target": target.name,
        "unit": target.unit,
        "spent": race.spent,
        "racers": race.rows(space),
        "health": health(found, fine),
        "next": [],
    }
