"""``demo --live``: the loop on digits, trained here, against random search."""

from __future__ import annotations

import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nasbuild.cli._optimize import REPORT, write_rounds
from nasbuild.cli._output import Output, number
from nasbuild.cli._round_output import print_race, print_rounds, race_rows, round_rows

if TYPE_CHECKING:
    from nasbuild.optimize import Choice, Live


def show_live(out: Output, folder: Path, workers: int, seed: int, budget: int | None) -> None:
    """Run the loop and random search with as many trainings, and show what each came to."""
    from nasbuild.evaluate import InProcess, Pool
    from nasbuild.optimize import AFRESH, FIT, LIVE, live
    from nasbuild.space import load_space

    # Of few trainings, a race leaves most to the rounds.
    settings = (
        LIVE
        if budget is None
        else replace(LIVE, rounds=None, budget=budget, race=min(LIVE.race, budget // 4))
    )
    total, race = settings.total, settings.race
    repeats = f", and the last {race} repeat the most promising with other seeds" if race else ""
    out.line(
        f"digits-macro: 1,728 small networks, trained here from scratch on 8x8 digits. The loop has {total} trainings: "
        f"{settings.explored} networks, chosen by what was learnt from those before{repeats}; then random search trains {total} networks."
    )
    space, fit = load_space("digits-macro"), folder / "loop" / FIT
    started = time.perf_counter()
    stopped = f"stopped: what was trained is in {folder}; the same command goes on"
    with out.progress(stopped) as move:
        found = live(
            folder,
            seed,
            settings=settings,
            afresh=AFRESH,
            executor=Pool(workers) if workers > 1 else InProcess(),
            workers=workers,
            progress=move,
            told=lambda state: write_rounds(state, folder, fit),
        )
    write_rounds(found.state, folder, fit, found)
    print_rounds(out, found.state)
    print_race(out, space, found.state)
    out.line(f"\nwhat each chose after {total} trainings, and how good it is:", "bold")
    rows = [("the loop", found.built), ("random search", found.drawn)]
    header = ["", "architecture", "measured loss", f"loss of {AFRESH} fresh trainings", "rank in the table"]
    out.table(
        header,
        [[way, one.id, _seen(one), _spread(one), f"{one.rank:,} of 1,728"] for way, one in rows],
        right=[2, 3, 4],
    )
    out.line(f"\n{verdict(found)}")
    out.line(
        f"random search chooses the best of {total} that were trained once each. Fresh trainings have seeds that nothing "
        "else used, the same for both; the table's labels are of three others. "
        f"{time.perf_counter() - started:.0f} s in all"
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
            "told_apart": found.gap.told,
        }
    )


def verdict(found: Live) -> str:
    """Which is better, if that is told apart by the fresh trainings."""
    from nasbuild.optimize import APART

    gap = found.gap
    if found.built.architecture == found.drawn.architecture:
        return "both chose the same network"
    if not gap.told:
        return (
            f"not told apart by {gap.trainings} fresh trainings: the loop's loss is {_by(gap.mean)} than random search's, "
            f"which is less than {APART:g} standard errors"
        )
    share = 100 * abs(gap.mean) / found.drawn.loss
    return f"the loop's loss is {_by(gap.mean)} (± {number(gap.error)}, {share:.1f} %) than random search's"


def _by(gap: float) -> str:
    return f"{number(abs(gap))} {'lower' if gap > 0 else 'higher'}"


def _spread(one: Choice) -> str:
    return f"{number(one.loss)} ± {number(one.error)}"


def _seen(one: Choice) -> str:
    n = len(one.measured)
    return f"{number(sum(one.measured) / n)} ({n} training{'s' * (n > 1)})"


def _row(one: Choice) -> dict[str, Any]:
    return {
        "id": one.id,
        "measured": list(one.measured),
        "afresh": list(one.afresh),
        "loss": one.loss,
        "label": one.label,
        "rank": one.rank,
    }
