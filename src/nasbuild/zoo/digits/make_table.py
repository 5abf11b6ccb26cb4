"""Makes the table from the trainings: averages the seeds, measures costs, and writes the card."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path

from nasbuild._atomic_write import write_text
from nasbuild.errors import NasbuildError
from nasbuild.zoo.digits.card import write_card
from nasbuild.zoo.digits.cost import (
    LATENCY_SAMPLES,
    count_macs,
    count_params,
    measure_latency,
    median_and_spread,
)
from nasbuild.zoo.digits.generate import Trainings, read_trainings
from nasbuild.zoo.digits.space import Arch, all_archs, arch_id

TABLE, CARD = "archs.jsonl.gz", "card.md"


def make_table(
    folder: Path,
    target: Path,
    *,
    archs: Sequence[Arch] | None = None,
    samples: int = LATENCY_SAMPLES,
    progress: Callable[[int, int], None] | None = None,
) -> str:
    """Write ``archs.jsonl.gz`` and ``card.md`` into ``target`` from the trainings in ``folder``.

    Only seeds with which every architecture has been trained are used.

    Parameters
    ----------
    archs
        The whole space by default.
    samples
        Timed passes of each architecture; at least 2.
    progress
        Called with the completed and total rounds of the latency measurement.

    Returns
    -------
    str
        A sentence about what was written.

    Raises
    ------
    NasbuildError
        If no seed is complete, or ``target`` can't be written.
    """
    archs = all_archs() if archs is None else archs
    trainings = read_trainings(folder)
    seeds = complete_seeds(trainings, archs)
    if not seeds:
        raise NasbuildError(
            "no seed is complete",
            where=str(folder),
            todo="continue the training: run the same command without --finish",
        )
    times = measure_latency(archs, samples=samples, progress=progress)
    rows = [
        table_row(arch, [trainings[arch_id(arch), seed] for seed in seeds], times[i].tolist())
        for i, arch in enumerate(archs)
    ]
    target.mkdir(parents=True, exist_ok=True)
    write_text(target / TABLE, "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows))
    write_text(target / CARD, write_card(archs, seeds, trainings, rows, times))
    return f"wrote {len(rows):,} architectures, {len(seeds)} seeds each, to {target / TABLE}"


def complete_seeds(trainings: Trainings, archs: Sequence[Arch]) -> list[int]:
    """The seeds with which all of ``archs`` have been trained, in order."""
    ids = [arch_id(arch) for arch in archs]
    return [
        seed for seed in sorted({s for _, s in trainings}) if all((name, seed) in trainings for name in ids)
    ]


def table_row(arch: Arch, metrics: Sequence[dict[str, float]], times: Sequence[float]) -> dict:
    """A row of the table.

    Parameters
    ----------
    metrics
        Of each seed. With a single seed ``acc_std`` and ``loss_std`` are None.
    times
        Latencies in milliseconds.
    """
    latency, spread = median_and_spread(times)
    labels: dict[str, float | int | None] = {}
    for name, digits in (("acc", 4), ("loss", 5)):
        values = [m[name] for m in metrics]
        labels[name] = round(statistics.fmean(values), digits)
        labels[f"{name}_std"] = round(statistics.stdev(values), digits) if len(values) > 1 else None
    labels |= {"macs": count_macs(arch), "params": count_params(arch)}
    labels |= {"latency_cpu": round(latency, 4), "latency_cpu_std": round(spread, 4)}
    stages = [[{"op": op} for op in ops] for ops in arch]
    # The id that the space assigns, so that built architectures can be found in the table.
    name = "/".join("-".join(ops) for ops in arch)
    return {"id": name, "arch": {"stages": stages}, "metrics": labels}
