"""How far the scores of a table can be believed: measured on rows that the members did not see."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nasbuild.predictor import srcc
from nasbuild.score._modules import ModuleScorer, label_statistics

_LEVELS = {"high": 0.8, "fair": 0.5, "low": 0.15}


@dataclass(frozen=True)
class Agreement:
    """Spearman correlation with held-out labels: mean and deviation over the members, and each."""

    mean: float
    std: float
    each: tuple[float, ...]


@dataclass(frozen=True)
class Trust:
    """What was measured on held-out rows for one target.

    Attributes
    ----------
    hops
        Agreement of each hop's graph norms, hops 0 to M.
    prediction
        Agreement of y'.
    modules
        Agreement of the summed module scores.
    labels, held_out
        Number of labels, and of those that each member held out on average.
    unseen
        Stage and depth pairs of the space that fewer than two labelled architectures have.
    level
        ``"high"``, ``"fair"``, ``"low"`` or ``"none"``: how far the module scores can be believed.
    verdict
        The same in a sentence.
    """

    hops: tuple[Agreement, ...]
    prediction: Agreement
    modules: Agreement
    labels: int
    held_out: float
    unseen: tuple[tuple[int, int], ...]
    level: str
    verdict: str


def measure_trust(scorer: ModuleScorer) -> Trust:
    """Measure a fitted ensemble on the rows that each of its members held out."""
    members = scorer.ensemble.members
    by_hop = np.array([member.srcc for member in members])
    sums = [srcc(scorer.held_out_sums(k), scorer.labels[member.test]) for k, member in enumerate(members)]
    hops = tuple(_agreement(column) for column in by_hop.T[:-1])
    prediction, modules = _agreement(by_hop[:, -1]), _agreement(np.array(sums))
    count = label_statistics(scorer.space, scorer.architectures, scorer.labels).count
    unseen = tuple(
        (u, depth)
        for u, stage in enumerate(scorer.space.stages)
        for depth in stage.depths
        if count[u, depth] < 2
    )
    held_out = float(np.mean([len(member.test) for member in members]))
    tested = len(np.unique(np.concatenate([member.test for member in members])))
    level = _level(modules.mean, tested)
    verdict = _verdict(level, modules, prediction, len(scorer.labels), held_out)
    return Trust(hops, prediction, modules, len(scorer.labels), held_out, unseen, level, verdict)


def _agreement(each: np.ndarray) -> Agreement:
    return Agreement(float(each.mean()), float(each.std()), tuple(float(v) for v in each))


def _level(value: float, tested: int) -> str:
    """How far to believe a correlation measured on ``tested`` different rows.

    A lucky order of few rows must not pass, so the lower end of the 95 % interval counts (Fisher's z),
    and no order of n rows counts as better than 1 - 2 / n: a perfect one is no proof of perfection.
    """
    if tested <= 3 or value <= 0:
        return "none"
    lower = np.tanh(np.arctanh(min(value, 1 - 2 / tested)) - 1.96 / np.sqrt(tested - 3))
    return next((name for name, bound in _LEVELS.items() if lower >= bound), "none")


def _verdict(level: str, modules: Agreement, prediction: Agreement, labels: int, held_out: float) -> str:
    measured = (
        f"From {labels} labels, the summed module scores order unseen architectures with SRCC "
        f"{modules.mean:.2f} and the prediction y' with {prediction.mean:.2f} (about {held_out:.0f} rows "
        "held out at a time)"
    )
    return {
        "high": f"{measured}: the module scores can be relied on.",
        "fair": f"{measured}: the best modules are told from the worst, neighbours in rank are not.",
        "low": f"{measured}: the module scores are a hint; evaluate what is built before relying on it.",
        "none": f"{measured}: the table is too small or too noisy to believe the module scores.",
    }[level]
