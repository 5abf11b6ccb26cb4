"""Trust in a fit on graphs, measured on held-out networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nasbuild.predictor import Member
from nasbuild.score._better_method import Baseline, better_method
from nasbuild.score._held_out import Agreement, correlation_interval
from nasbuild.score._srcc_text import srcc_text
from nasbuild.score._trust import METHOD_NAMES, pairs_text, trust_level

_FEW = 50  # held-out networks below which a correlation is itself uncertain


@dataclass(frozen=True)
class GraphTrust:
    """What was measured on held-out networks.

    Attributes
    ----------
    hops
        Agreement of the graph norms at hops 0 to M.
    prediction
        Agreement of y'.
    baselines
        Agreement of ridge regression and LightGBM on counts of operations, on the same held-out networks.
    pairs
        Share of pairs of held-out networks that y' orders as their labels do; None if unknown.
    labels, held_out, tested
        Number of labels, the mean number that a member held out, and the number held out by any member.
    level
        ``"high"``, ``"fair"``, ``"low"`` or ``"none"``: how far to believe the order of networks.
    better
        A baseline that ranks held-out networks significantly better; None if there is none.
    verdict
        The main results in sentences.

    Examples
    --------
    >>> acc.trust.labels, acc.trust.level in ("high", "fair", "low", "none"), len(acc.trust.hops)
    (16, True, 3)
    """

    hops: tuple[Agreement, ...]
    prediction: Agreement
    baselines: dict[str, Agreement]
    pairs: float | None
    labels: int
    held_out: float
    tested: int
    level: str
    better: str | None
    verdict: str

    def __repr__(self) -> str:
        return f"GraphTrust({self.level}: held-out SRCC {srcc_text(self.prediction)}; {self.labels:,} labels)"


def measure_graph_trust(
    members: Sequence[Member], labels: int, baselines: Mapping[str, Agreement], pairs: float | None = None
) -> GraphTrust:
    """The trust in an ensemble, from the networks that each member held out."""
    member_srcc = np.stack([member.srcc for member in members])
    prediction = Agreement.of(member_srcc[:, -1])
    held_out = float(np.mean([len(member.test) for member in members]))
    tested = len(np.unique(np.concatenate([member.test for member in members])))
    level = trust_level(prediction.mean, tested)
    better = better_method(prediction, [Baseline(name, one, one) for name, one in baselines.items()], level)
    return GraphTrust(
        tuple(Agreement.of(member_srcc[:, m]) for m in range(member_srcc.shape[1] - 1)),
        prediction,
        dict(baselines),
        pairs,
        labels,
        held_out,
        tested,
        level,
        better,
        _verdict(level, prediction, baselines, labels, held_out, tested, better, pairs),
    )


def _verdict(
    level: str,
    prediction: Agreement,
    baselines: Mapping[str, Agreement],
    labels: int,
    held_out: float,
    tested: int,
    better: str | None,
    pairs: float | None = None,
) -> str:
    measured = (
        f"{pairs_text(pairs, networks=True)}From {labels} networks, y' orders unseen ones with SRCC {srcc_text(prediction)} "
        f"(about {held_out:.0f} held out at a time)"
    )
    found = {
        "high": f"{measured}: this order can be relied on.",
        "fair": f"{measured}: this separates good networks from bad ones, but not neighbours in rank.",
        "low": f"{measured}: a hint, not more.",
        "none": f"{measured}: too low to be believed.",
    }[level]
    if tested <= 3:
        found += f" Only {tested} networks were held out, too few to measure anything."
    elif tested < _FEW:
        # No order of n rows counts as better than 1 - 2 / n, as for the level.
        most = 1 - 2 / tested
        low, high = correlation_interval(min(max(prediction.mean, -most), most), tested)
        found += (
            f" Only {tested} networks were held out, so the SRCC itself is uncertain: "
            f"its 95 % interval is {low:.2f} to {high:.2f}."
        )
    if baselines:
        measured_beside = " and ".join(
            f"{METHOD_NAMES[name]} {srcc_text(one)}" for name, one in baselines.items()
        )
        found += f" On counts of operations alone, without how they are connected: {measured_beside}."
    if better:
        found += (
            f" On these networks {METHOD_NAMES[better]} on counts is better: the fit learnt nothing about how operations "
            "are connected, so take scores of nodes and pieces as hints."
        )
    return found
