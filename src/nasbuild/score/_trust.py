"""How far the scores of a table can be believed: measured on rows that the fits did not see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nasbuild.score._better_method import Baseline, better_method
from nasbuild.score._better_part import PartOrder
from nasbuild.score._gnn_scorer import label_statistics
from nasbuild.score._held_out import Agreement, Evidence, correlation_interval
from nasbuild.score._scorer import Scorer
from nasbuild.score._srcc_text import correlation_text, srcc_text
from nasbuild.score._suspect_labels import SuspectLabel
from nasbuild.table import UnseenChoice

_LEVELS = {"high": 0.8, "fair": 0.5, "low": 0.15}
_SURE = ("high", "fair")  # levels from which on a label that is missed is the label's fault
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
    better_part
        The order among the best of the held-out rows alone, where it is hardest.
    coverage
        Share of held-out labels inside the 90 % interval of their summed score; None if unknown.
    baselines
        Ridge regression and LightGBM on the same table.
    labels, held_out
        Number of labels, and of those that each fit held out on average.
    rare_depths
        Stage and depth pairs of the space that fewer than two labelled architectures have.
    unseen
        Choices and depths of the space that no labelled architecture has.
    beyond
        Share of random architectures of the space whose summed scores lie beyond the worst label: how much of the space
        the labels do not reach. None if it was not looked for.
    n_tied
        For each stage, how many of its best modules the labels don't tell from the very best.
    suspects
        Labels that all other rows speak against, furthest first. None are told where scores are no more than a hint.
    level
        ``"high"``, ``"fair"``, ``"low"`` or ``"none"``: how far the module scores can be believed.
    better
        Recipe of a baseline whose summed module scores surely order held-out rows better; None if there is none.
    verdict
        The same in sentences.
    """

    hops: tuple[Agreement, ...]
    prediction: Agreement
    modules: Agreement
    better_part: tuple[PartOrder, ...]
    coverage: float | None
    baselines: tuple[Baseline, ...]
    labels: int
    held_out: float
    rare_depths: tuple[tuple[int, int], ...]
    unseen: tuple[UnseenChoice, ...]
    beyond: float | None
    n_tied: tuple[int, ...]
    suspects: tuple[SuspectLabel, ...]
    level: str
    better: str | None
    verdict: str

    def __repr__(self) -> str:
        covered = "" if self.coverage is None else f", 90 % intervals hold {self.coverage:.0%}"
        return (
            f"Trust({self.level}: held-out SRCC {srcc_text(self.prediction)}, of summed module scores "
            f"{srcc_text(self.modules)}{covered}; {self.labels:,} labels, {len(self.suspects)} suspect)"
        )


def measure_trust(
    scorer: Scorer,
    evidence: Evidence,
    *,
    baselines: Sequence[Baseline] = (),
    n_tied: Sequence[int] = (),
    suspects: Sequence[SuspectLabel] = (),
    better_part: Sequence[PartOrder] = (),
    beyond: float | None = None,
) -> Trust:
    """Judge a scorer by what was measured on held-out rows."""
    count = label_statistics(scorer.space, scorer.architectures, scorer.labels).count
    rare = tuple(
        (u, depth)
        for u, stage in enumerate(scorer.space.stages)
        for depth in stage.depths
        if count[u, depth] < 2
    )
    level = trust_level(evidence.modules.mean, evidence.tested)
    better = better_method(evidence.modules, baselines, level)
    verdict = _verdict(level, evidence, _labels_text(scorer), baselines, better, better_part)
    return Trust(
        evidence.hops,
        evidence.prediction,
        evidence.modules,
        tuple(better_part),
        evidence.coverage,
        tuple(baselines),
        len(scorer.labels),
        evidence.held_out,
        rare,
        scorer.unseen,
        beyond,
        tuple(int(n) for n in n_tied),
        tuple(suspects) if level in _SURE else (),
        level,
        better,
        verdict,
    )


def trust_level(value: float, tested: int) -> str:
    """How far to believe a correlation measured on ``tested`` different rows.

    A lucky order of few rows must not pass, so the lower end of the 95 % interval counts (Fisher's z),
    and no order of n rows counts as better than 1 - 2 / n: a perfect one is no proof of perfection.
    """
    if tested <= 3 or value <= 0:
        return "none"
    lower, _ = correlation_interval(min(value, 1 - 2 / tested), tested)
    return next((name for name, bound in _LEVELS.items() if lower >= bound), "none")


def _verdict(
    level: str,
    evidence: Evidence,
    labels: str,
    baselines: Sequence[Baseline],
    better: str | None,
    better_part: Sequence[PartOrder] = (),
) -> str:
    measured = (
        f"From {labels}, the summed module scores order unseen architectures with SRCC "
        f"{srcc_text(evidence.modules)} and the prediction y' with {srcc_text(evidence.prediction)} "
        f"(about {evidence.held_out:.0f} rows held out at a time)"
    )
    found = {
        "high": f"{measured}: the module scores can be relied on.",
        "fair": f"{measured}: the best modules are told from the worst, neighbours in rank are not.",
        "low": f"{measured}: the module scores are a hint; evaluate what is built before relying on it.",
        "none": f"{measured}: the table is too small or too noisy to believe the module scores.",
    }[level]
    if better_part and level != "none":
        found += f" {better_part_text(better_part[0])}"
    if baselines:
        told = " and ".join(f"{METHOD_NAMES[r.name]} {srcc_text(r.modules)}" for r in baselines)
        found += f" For comparison, summed module scores by other methods: {told}."
    if better:
        found += f" On this table, {METHOD_NAMES[better]} is better: fit with --recipe {better}."
    return found


def _labels_text(scorer: Scorer) -> str:
    """How many labels there are, and of how many it was learnt."""
    count, target_fit = len(scorer.labels), scorer.n_fitted
    return f"{count} labels" if target_fit == count else f"{target_fit} labels, drawn at random from {count}"


def better_part_text(part: PartOrder) -> str:
    """The order among the better half, in a sentence."""
    if part.modules is None or part.low is None or part.high is None:
        return f"How well they order the better half can't be told from {part.rows} held-out rows."
    rows = f"{part.rows} rows, 95 % interval {part.low:.2f} to {part.high:.2f}".replace("-0.00", "0.00")
    if part.low <= 0:
        return f"Among the better half no order is shown: SRCC {correlation_text(part.modules)} ({rows})."
    return f"Among the better half alone it is {correlation_text(part.modules)} ({rows})."
