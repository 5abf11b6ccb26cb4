"""``demo --live``: the closed loop on digits, with real trainings, against random search."""

from __future__ import annotations

import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nasbuild.cli._optimize import REPORT, write_rounds
from nasbuild.cli._output import Output, number
from nasbuild.cli._round_output import print_race, print_rounds, race_rows, round_rows

if TYPE_CHECKING:
    from nasbuild.optimize import LiveChoice, LiveResult


def show_live(out: Output, folder: Path, workers: int, seed: int, budget: int | None) -> None:
    """Runs the loop and random search with equally many trainings, and prints both results."""
    from nasbuild.evaluate import InProcess, Pool
    from nasbuild.optimize import FIT, FRESH_TRAININGS, LIVE_SETTINGS, live_demo
    from nasbuild.space import load_space

    # With few trainings, the race takes a quarter at most.
    settings = (
        LIVE_SETTINGS
        if budget is None
        else replace(LIVE_SETTINGS, rounds=None, budget=budget, race=min(LIVE_SETTINGS.race, budget // 4))
    )
    total, race = settings.total, settings.race
    repeats = f"; the last {race} repeat the most promising with other seeds" if race else ""
    out.line(
        f"digits-macro: 1,728 small networks, trained from scratch on 8x8 digits. The loop has {total} trainings: "
        f"{settings.explored} networks, chosen by a fit of those before{repeats}. Random search then trains {total} networks."
    )
    space, fit = load_space("digits-macro"), folder / "loop" / FIT
    started = time.perf_counter()
    stopped = f"stopped: results are in {folder}; the same command resumes"
    with out.progress(stopped) as move:
        found = live_demo(
            folder,
            seed,
            settings=settings,
            afresh=FRESH_TRAININGS,
            executor=Pool(workers) if workers > 1 else InProcess(),
            workers=workers,
            progress=move,
            on_round=lambda state: write_rounds(state, folder, fit),
        )
    write_rounds(found.state, folder, fit, found)
    print_rounds(out, found.state)
    print_race(out, space, found.state)
    out.line(f"\nthe choice of each after {total} trainings, and how good it is:", "bold")
    rows = [("the loop", found.built), ("random search", found.drawn)]
    header = [
        "",
        "architecture",
        "measured loss",
        f"loss of {FRESH_TRAININGS} fresh trainings",
        "rank in the table",
    ]
    out.table(
        header,
        [[way, one.id, _seen(one), _spread(one), f"{one.rank:,} of 1,728"] for way, one in rows],
        right=[2, 3, 4],
    )
    out.line(f"\n{verdict(found)}")
    out.line(
        f"random search chooses the best of {total} networks, each trained once. Fresh trainings use new seeds, the same "
        "for both; the labels of the table use three other seeds. "
        f"Total time: {time.perf_counter() - started:.0f} s"
    )
    out.line(f"written: {folder}/{REPORT}, {folder}/loop, {folder}/store.db")
    out.json(
        {
            "out": str(folder),
            "seed": seed,
            "trainings": total,
            "rounds": round_rows(found.state),
            "race": race_rows(space, found.state),
            "loop": _row(found.built),
            "random": _row(found.drawn),
            "gap": None if found.gap.error != found.gap.error else asdict(found.gap),
            "significant": found.gap.significant,
        }
    )


def verdict(found: LiveResult) -> str:
    """Says which choice is better, if fresh trainings show a significant difference."""
    from nasbuild.optimize import SIGNIFICANT_ERRORS

    gap = found.gap
    if found.built.architecture == found.drawn.architecture:
        return "both chose the same network"
    if not gap.significant:
        return (
            f"no significant difference in {gap.trainings} fresh trainings: the loop's loss is {_by(gap.mean)} than random "
            f"search's, which is less than {SIGNIFICANT_ERRORS:g} standard errors"
        )
    share = 100 * abs(gap.mean) / found.drawn.loss
    return f"the loop's loss is {_by(gap.mean)} (± {number(gap.error)}, {share:.1f} %) than random search's"


def _by(gap: float) -> str:
    return f"{number(abs(gap))} {'lower' if gap > 0 else 'higher'}"


def _spread(one: LiveChoice) -> str:
    return f"{number(one.loss)} ± {number(one.error)}"


def _seen(choice: LiveChoice) -> str:
    n = len(choice.measured)
    return f"{number(sum(choice.measured) / n)} ({n} training{'s' * (n > 1)})"


def _row(choice: LiveChoice) -> dict[str, Any]:
    return {
        "id": choice.id,
        "measured": list(choice.measured),
        "fresh_losses": list(choice.afresh),
        "loss": choice.loss,
        "label": choice.label,
        "rank": choice.rank,
    }
