"""``demo --live``: the loop on digits, trained here, against random search."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nasbuild.cli._output import Output, number
from nasbuild.cli._run import REPORT, print_rounds, round_rows, write_rounds

if TYPE_CHECKING:
    from nasbuild.loop import Choice


def show_live(out: Output, folder: Path, workers: int, seed: int, budget: int | None) -> None:
    """Run the loop and random search with as many trainings, and show what each came to."""
    from nasbuild.evaluate import InProcess, Pool
    from nasbuild.loop import AFRESH, LIVE, live

    settings = LIVE if budget is None else replace(LIVE, rounds=None, budget=budget)
    total = settings.total
    out.line(
        f"digits-macro: 1,728 small networks. {total} of them are trained here from scratch on 8x8 digits, one after "
        f"another chosen by what was learnt from those before; then random search trains {total} as well."
    )
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
            told=lambda state: write_rounds(state, folder),
        )
    write_rounds(found.state, folder, found)
    print_rounds(out, found.state)
    out.line(f"\nwhat each chose after {total} trainings, one a network, and how good it is:", "bold")
    rows = [("the loop", found.built), ("random search", found.drawn)]
    header = ["", "architecture", "measured loss", f"loss of {AFRESH} fresh trainings", "rank in the table"]
    out.table(
        header,
        [[way, one.id, number(one.measured), _spread(one), f"{one.rank:,} of 1,728"] for way, one in rows],
        right=[2, 3, 4],
    )
    out.line(_verdict(found.built, found.drawn))
    out.line(
        f"fresh trainings have seeds that nothing else used, the same for both; the table's labels are of three others. "
        f"{time.perf_counter() - started:.0f} s in all"
    )
    out.line(f"written: {folder}/{REPORT}, {folder}/loop, {folder}/store.db")
    out.json(
        {
            "out": str(folder),
            "seed": seed,
            "trainings": total,
            "rounds": round_rows(found.state),
            "loop": _row(found.built),
            "random": _row(found.drawn),
        }
    )


def _verdict(built: Choice, drawn: Choice) -> str:
    if built.architecture == drawn.architecture:
        return "\nboth chose the same network"
    better = built.loss < drawn.loss
    gap = abs(built.loss - drawn.loss) / drawn.loss
    return f"\nthe loop's loss is {100 * gap:.1f} % {'lower' if better else 'higher'} than random search's"


def _spread(one: Choice) -> str:
    import numpy as np

    deviation = (
        float(np.std(one.afresh, ddof=1)) / len(one.afresh) ** 0.5 if len(one.afresh) > 1 else float("nan")
    )
    return f"{number(one.loss)} ± {number(deviation)}"


def _row(one: Choice) -> dict[str, Any]:
    return {
        "id": one.id,
        "measured": one.measured,
        "afresh": list(one.afresh),
        "loss": one.loss,
        "label": one.label,
        "rank": one.rank,
    }
