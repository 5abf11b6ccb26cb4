"""How far to believe what was learnt from networks: measured on networks that the fits did not see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nasbuild.predictor import Member
from nasbuild.score._better_method import Baseline, better_method
from nasbuild.score._held_out import Agreement, correlation_interval
from nasbuild.score._srcc_text import srcc_text
from nasbuild.score._trust import METHOD_NAMES, trust_level

_FEW = 50  # held-out networks below which a measured correlation is itself rough


@dataclass(frozen=True)
class GraphTrust:
    """What was measured on held-out networks.

    Attributes
    ----------
    hops
        Agreement of the norms of graphs at hops 0 to M.
    prediction
        Agreement of y'.
    baselines
        Agreement of ridge regression and LightGBM on counts of operations, on the same held-out networks.
    labels, held_out, tested
        Number of labels, of those that each member held out on average, and of those held out by any.
    level
        ``"high"``, ``"fair"``, ``"low"`` or ``"none"``: how far the order of networks can be believed.
    better
        A baseline that surely orders held-out networks better; None if there is none.
    verdict
        The same in sentences.
    """

    hops: tuple[Agreement, ...]
    prediction: Agreement
    baselines: dict[str, Agreement]
    labels: int
    held_out: float
    tested: int
    level: str
    better: str | None
    verdict: str

    def __repr__(self) -> str:
        return f"GraphTrust({self.level}: held-out SRCC {srcc_text(self.prediction)}; {self.labels:,} labels)"


def measure_graph_trust(
    members: Sequence[Member], labels: int, baselines: Mapping[str, Agreement]
) -> GraphTrust:
    """Judge the members of an ensemble by the networks that each held out."""
    each = np.stack([member.srcc for member in members])
    prediction = Agreement.of(each[:, -1])
    held_out = float(np.mean([len(member.test) for member in members]))
    tested = len(np.unique(np.concatenate([member.test for member in members])))
    level = trust_level(prediction.mean, tested)
    better = better_method(prediction, [Baseline(name, one, one) for name, one in baselines.items()], level)
    return GraphTrust(
        tuple(Agreement.of(each[:, m]) for m in range(each.shape[1] - 1)),
        prediction,
        dict(baselines),
        labels,
        held_out,
        tested,
        level,
        better,
        _verdict(level, prediction, baselines, labels, held_out, tested, better),
    )


def _verdict(
    level: str,
    prediction: Agreement,
    baselines: Mapping[str, Agreement],
    labels: int,
    held_out: float,
    tested: int,
    better: str | None,
) -> str:
    measured = (
        f"From {labels} networks, y' orders unseen ones with SRCC {srcc_text(prediction)} "
        f"(about {held_out:.0f} held out at a time)"
    )
    found = {
        "high": f"{measured}: this order can be relied on.",
        "fair": f"{measured}: good networks are told from bad ones, neighbours in rank are not.",
        "low": f"{measured}: a hint, not more.",
        "none": f"{measured}: too little to be believed.",
    }[level]
    if tested <= 3:
        found += f" Only {tested} networks checked it, which tells nothing."
    elif tested < _FEW:
        # No order of n rows counts as better than 1 - 2 / n, as for the level.
        most = 1 - 2 / tested
        low, high = correlation_interval(min(max(prediction.mean, -most), most), tested)
        found += (
            f" Only {tested} networks checked it, so the SRCC itself is rough: "
            f"with 95 % confidence {low:.2f} to {high:.2f}."
        )
    if baselines:
        told = " and ".join(f"{METHOD_NAMES[name]} {srcc_text(one)}" for name, one in baselines.items())
        found += f" On counts of operations alone, without how they are connected: {told}."
    if better:
        found += (
            f" On these networks {METHOD_NAMES[better]} on counts is better: how operations are connected was "
            "not learnt, so take scores of nodes and of pieces as hints."
        )
    return found
