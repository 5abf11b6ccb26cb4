"""How far the scores of a table can be believed: measured on rows that the fits did not see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nasbuild.score._doubtful import Doubtful
from nasbuild.score._held_out import Agreement, Evidence
from nasbuild.score._modules import label_statistics
from nasbuild.score._scorer import Scorer

_LEVELS = {"high": 0.8, "fair": 0.5, "low": 0.15}
_SURE = ("high", "fair")  # levels from which on a label that is missed is the label's fault
BETTER = 0.01  # SRCC by which another method must lead before it is offered
METHOD_NAMES = {
    "default": "additive process",
    "paper": "graph networks",
    "mse": "graph networks on the squared error",
    "ridge": "ridge regression",
    "lightgbm": "LightGBM",
    "marginal": "marginal means",
    "ped-anova": "marginal means",  # its importances score no module
}
"""Methods by recipe, as they stand in a sentence."""


@dataclass(frozen=True)
class Rival:
    """Another method on the same table, held out fold by fold.

    Attributes
    ----------
    name
        Its recipe.
    prediction, modules
        Agreement of its free prediction, and of its summed module scores.
    """

    name: str
    prediction: Agreement
    modules: Agreement


@dataclass(frozen=True)
class Trust:
    """What was measured on held-out rows for one target.

    Attributes
    ----------
    hops
        Agreement of what each hop tells alone. Recipe ``paper``: norms of graphs, hops 0 to M.
        Recipe ``default``: what looks at no more than hop + 1 layers in a row.
    prediction
        Agreement of y'.
    modules
        Agreement of the summed module scores.
    coverage
        Share of held-out labels inside the 90 % interval of their summed score; None if unknown.
    rivals
        Ridge regression and LightGBM on the same table.
    labels, held_out
        Number of labels, and of those that each fit held out on average.
    unseen
        Stage and depth pairs of the space that fewer than two labelled architectures have.
    untold
        For each stage, how many of its best modules the labels don't tell from the very best.
    doubtful
        Labels that all other rows speak against, furthest first. None are told where scores are no more than a hint.
    level
        ``"high"``, ``"fair"``, ``"low"`` or ``"none"``: how far the module scores can be believed.
    better
        Recipe of a rival whose summed module scores order held-out rows better; None if there is none.
    verdict
        The same in sentences.
    """

    hops: tuple[Agreement, ...]
    prediction: Agreement
    modules: Agreement
    coverage: float | None
    rivals: tuple[Rival, ...]
    labels: int
    held_out: float
    unseen: tuple[tuple[int, int], ...]
    untold: tuple[int, ...]
    doubtful: tuple[Doubtful, ...]
    level: str
    better: str | None
    verdict: str


def measure_trust(
    scorer: Scorer,
    evidence: Evidence,
    *,
    rivals: Sequence[Rival] = (),
    untold: Sequence[int] = (),
    doubtful: Sequence[Doubtful] = (),
) -> Trust:
    """Judge a scorer by what was measured on held-out rows."""
    count = label_statistics(scorer.space, scorer.architectures, scorer.labels).count
    unseen = tuple(
        (u, depth)
        for u, stage in enumerate(scorer.space.stages)
        for depth in stage.depths
        if count[u, depth] < 2
    )
    level = level_of(evidence.modules.mean, evidence.tested)
    best = max(rivals, key=lambda r: r.modules.mean, default=None)
    # One lucky fold must not send anyone elsewhere: the lead must also exceed what chance gives.
    margin = max(BETTER, chance_of(evidence.modules))
    better = best.name if best and best.modules.mean > evidence.modules.mean + margin else None
    verdict = _verdict(level, evidence, len(scorer.labels), rivals, better)
    return Trust(
        evidence.hops,
        evidence.prediction,
        evidence.modules,
        evidence.coverage,
        tuple(rivals),
        len(scorer.labels),
        evidence.held_out,
        unseen,
        tuple(int(n) for n in untold),
        tuple(doubtful) if level in _SURE else (),
        level,
        better,
        verdict,
    )


def chance_of(agreement: Agreement) -> float:
    """Half a standard error of the mean correlation over the fits."""
    return 0.5 * agreement.std / np.sqrt(max(len(agreement.each), 1))


def level_of(value: float, tested: int) -> str:
    """How far to believe a correlation measured on ``tested`` different rows.

    A lucky order of few rows must not pass, so the lower end of the 95 % interval counts (Fisher's z),
    and no order of n rows counts as better than 1 - 2 / n: a perfect one is no proof of perfection.
    """
    if tested <= 3 or value <= 0:
        return "none"
    lower, _ = interval_of(min(value, 1 - 2 / tested), tested)
    return next((name for name, bound in _LEVELS.items() if lower >= bound), "none")


def interval_of(value: float, tested: int) -> tuple[float, float]:
    """The 95 % interval of a correlation of more than three rows, by Fisher's z."""
    middle, half = np.arctanh(value), 1.96 / np.sqrt(tested - 3)
    return float(np.tanh(middle - half)), float(np.tanh(middle + half))


def _verdict(level: str, evidence: Evidence, labels: int, rivals: Sequence[Rival], better: str | None) -> str:
    measured = (
        f"From {labels} labels, the summed module scores order unseen architectures with SRCC "
        f"{srcc_text(evidence.modules)} and the prediction y' with {srcc_text(evidence.prediction)} "
        f"(about {evidence.held_out:.0f} rows held out at a time)"
    )
    found = {
        "high": f"{measured}: the module scores can be relied on.",
        "fair": f"{measured}: the best modules are told from the worst, neighbours in rank are not.",
        "low": f"{measured}: the module scores are a hint; evaluate what is built before relying on it.",
        "none": f"{measured}: the table is too small or too noisy to believe the module scores.",
    }[level]
    if rivals:
        told = " and ".join(f"{METHOD_NAMES[r.name]} {srcc_text(r.modules)}" for r in rivals)
        found += f" For comparison, summed module scores by other methods: {told}."
    if better:
        found += f" On this table, {METHOD_NAMES[better]} is better: fit with --recipe {better}."
    return found


def srcc_text(agreement: Agreement) -> str:
    """Two digits, three where two would make it perfect; no minus before a zero."""
    value = agreement.mean
    return f"{value:.3f}" if value >= 0.995 else f"{value + 0.0:.2f}".replace("-0.00", "0.00")
