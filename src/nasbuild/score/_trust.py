"""Trust: how far to believe scores and predictions, measured on held-out rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nasbuild.predictor import RUINED
from nasbuild.score._better_method import Baseline, better_method
from nasbuild.score._better_part import PartOrder
from nasbuild.score._gnn_scorer import label_statistics
from nasbuild.score._held_out import (
    LEAST_JOINT,
    Agreement,
    Evidence,
    correlation_interval,
    joint_rows,
    rows_to_hold_out,
)
from nasbuild.score._pair_order import times_in_100
from nasbuild.score._proxy import ProxyWorth, worth_text
from nasbuild.score._scorer import Scorer
from nasbuild.score._srcc_text import correlation_text, srcc_text
from nasbuild.score._suspect_labels import SuspectLabel
from nasbuild.table import UnseenChoice

_LEVELS = {"high": 0.8, "fair": 0.5, "low": 0.15}
_SURE = ("high", "fair")  # trust levels at which a large residual is blamed on the label
METHOD_NAMES = {
    "default": "additive Gaussian process",
    "paper": "graph networks",
    "mse": "graph networks on the squared error",
    "ridge": "ridge regression",
    "lightgbm": "LightGBM",
    "marginal": "marginal means",
    "ped-anova": "marginal means",  # its importances score no module
    "singles": "sum of single changes",
}
"""Names of methods by recipe, as used in sentences."""


@dataclass(frozen=True)
class Trust:
    """What was measured on held-out rows for one target.

    Attributes
    ----------
    hops
        Agreement of each hop alone. Recipe ``paper``: graph norms at hops 0 to M. Recipe ``default``: terms that look at
        no more than hop + 1 consecutive layers.
    prediction
        Agreement of y'.
    modules
        Agreement of the summed module scores.
    better_part
        Agreement among the best of the held-out rows only, where ranking is hardest.
    pairs
        Share of pairs of held-out rows that y' orders as their labels do; None if unknown.
    coverage
        Share of held-out labels inside the 90 % interval of their summed score; None if unknown.
    baselines
        Ridge regression and LightGBM on the same folds.
    labels, held_out
        Number of labels, and the mean number that a fit held out.
    rare_depths
        Pairs of stage and depth that fewer than two labelled architectures have.
    unseen
        Choices and depths of the space that no labelled architecture has.
    beyond
        Share of random architectures whose summed scores lie beyond the worst label: the part of the space that the
        labels do not reach. None if it was not measured.
    n_tied
        For each stage, the number of modules tied with the best one.
    suspects
        Suspect labels: likely measurement errors, largest residual first. Empty at levels ``"low"`` and ``"none"``.
    level
        ``"high"``, ``"fair"``, ``"low"`` or ``"none"``: how far to believe the module scores.
    better
        Recipe of a baseline whose summed module scores rank held-out rows significantly better; None if there is none.
    verdict
        The main results in sentences.
    joint
        In a table of single changes, the number of joint rows, on which trust is measured; None for other tables.
    proxies
        What each proxy was worth, used or not.

    Examples
    --------
    >>> acc.trust.labels, acc.trust.level, acc.trust.better
    (41, 'fair', None)
    >>> 0.7 < acc.trust.modules.mean < 1, len(acc.trust.n_tied)
    (True, 3)
    """

    hops: tuple[Agreement, ...]
    prediction: Agreement
    modules: Agreement
    better_part: tuple[PartOrder, ...]
    pairs: float | None
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
    joint: int | None = None
    proxies: tuple[ProxyWorth, ...] = ()

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
    pairs: float | None = None,
    beyond: float | None = None,
    proxies: Sequence[ProxyWorth] = (),
    improving: int = 0,
) -> Trust:
    """The trust in a scorer, from its evidence on held-out rows.

    Parameters
    ----------
    improving
        Number of single changes that improve on the reference, which are not believed.

    Examples
    --------
    >>> from nasbuild.score import measure_trust
    >>> measure_trust(ridge, score.evidence_of(held_out, labels)).level
    'fair'
    """
    count = label_statistics(scorer.space, scorer.architectures, scorer.labels).count
    rare = tuple(
        (u, depth)
        for u, stage in enumerate(scorer.space.stages)
        for depth in stage.depths
        if count[u, depth] < 2
    )
    rows = joint_rows(scorer.space, scorer.architectures)
    joint = None if rows is None else len(rows)
    tested = 0 if rows is None else len(rows_to_hold_out(scorer.architectures, rows))
    untested = joint is not None and tested < LEAST_JOINT
    level = "none" if untested else trust_level(evidence.modules.mean, evidence.tested, better_part)
    better = better_method(evidence.modules, baselines, level)
    if joint is not None and untested:
        # Held-out single changes test nothing but whether parts are alike.
        baselines, suspects, better_part, pairs, beyond = (), (), (), None, None
        verdict = _untested_verdict(scorer, joint, tested, improving)
    else:
        labels = _labels_text(scorer) if joint is None else _joint_text(scorer, joint, tested, improving)
        verdict = _verdict(level, evidence, labels, baselines, better, better_part, pairs)
    verdict = " ".join([verdict, *([worth_text(proxies)] if proxies else [])])
    return Trust(
        evidence.hops,
        evidence.prediction,
        evidence.modules,
        tuple(better_part),
        pairs,
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
        joint,
        tuple(proxies),
    )


def trust_level(value: float, tested: int, better_part: Sequence[PartOrder] = ()) -> str:
    """The trust level of a correlation measured on ``tested`` distinct rows.

    The lower end of the 95 % interval counts (Fisher's z), so that a lucky order of few rows does not pass. A correlation
    on n rows counts as at most 1 - 2 / n, as a perfect order of few rows proves little. Trust is never high where no order
    is shown among the better labels: two clumps of labels have a high correlation over all, whoever tells them apart.

    >>> trust_level(0.95, 200), trust_level(0.95, 12), trust_level(0.2, 12)
    ('high', 'low', 'none')
    """
    if tested <= 3 or value <= 0:
        return "none"
    lower, _ = correlation_interval(min(value, 1 - 2 / tested), tested)
    level = next((name for name, bound in _LEVELS.items() if lower >= bound), "none")
    clumps = any(part.low is not None and part.low <= 0 for part in better_part)
    return "fair" if level == "high" and clumps else level


def _verdict(
    level: str,
    evidence: Evidence,
    labels: str,
    baselines: Sequence[Baseline],
    better: str | None,
    better_part: Sequence[PartOrder] = (),
    pairs: float | None = None,
) -> str:
    measured = (
        f"{pairs_text(pairs, baselines)}From {labels}, the summed module scores order unseen architectures with SRCC "
        f"{srcc_text(evidence.modules)} and the prediction y' with {srcc_text(evidence.prediction)} "
        f"(about {evidence.held_out:.0f} rows held out at a time)"
    )
    found = {
        "high": f"{measured}: the module scores can be relied on.",
        "fair": f"{measured}: the scores separate the best modules from the worst, but not neighbours in rank.",
        "low": f"{measured}: the module scores are a hint; evaluate what is built before relying on it.",
        "none": f"{measured}: the table is too small or too noisy for the module scores to be believed.",
    }[level]
    if better_part and level != "none":
        found += f" {better_part_text(better_part[0])}"
    if baselines:
        measured_beside = " and ".join(f"{METHOD_NAMES[r.name]} {srcc_text(r.modules)}" for r in baselines)
        found += f" For comparison, summed module scores by other methods: {measured_beside}."
    if better:
        found += f" On this table, {METHOD_NAMES[better]} is better: fit with --recipe {better}."
    return found


def _untested_verdict(scorer: Scorer, joint: int, tested: int, improving: int) -> str:
    single = len(scorer.labels) - joint
    few = f"only {joint} of {len(scorer.labels)} labelled rows change" if joint else "no labelled row changes"
    few += " more than one part of the reference"
    if joint >= LEAST_JOINT:
        few = f"of {joint} rows that change more than one part of the reference, {joint - tested} have a choice that no other row has"
    return (
        f"Nothing here shows whether effects add up: {few}. The {single - 1:,} effects of single changes are taken as measured"
        f"{_improving_text(improving)}{_ruined_text(scorer.n_ruined)}, and y' assumes that they add up. Measure 10 to 30 joint rows."
    )


def _joint_text(scorer: Scorer, joint: int, tested: int, improving: int) -> str:
    """What a table of single changes was learnt from, and the scale on which its effects add up."""
    scale = scorer.scale_text
    held = "which alone" if tested == joint else f"{tested} of which"
    return (
        f"a reference, {len(scorer.labels) - joint - 1} single changes and {joint} joint rows, {held} are held out"
        + (f" (effects add up on {scale})" if scale else "")
        + _improving_text(improving)
        + _ruined_text(scorer.n_ruined)
    )


def _improving_text(count: int) -> str:
    """The single changes that improve on the reference; empty if there are none."""
    if not count:
        return ""
    return (
        f", but {count} that improve{'s' if count == 1 else ''} on the reference as half the loss expected of such changes "
        "(gains seldom add up)"
    )


def _ruined_text(count: int) -> str:
    """The rows whose label is far beyond that of the reference; empty if there are none."""
    if not count:
        return ""
    return f", without {count} ruined network{'' if count == 1 else 's'} (over {RUINED:g} times the label of the reference, or of a row with the same change)"


def pairs_text(pairs: float | None, baselines: Sequence[Baseline] = (), *, networks: bool = False) -> str:
    """How often the prediction picks the better of two, beside the baselines, in a sentence; empty if unknown."""
    if pairs is None:
        return ""
    beside = ", ".join(
        f"{METHOD_NAMES[b.name]} {100 * b.pairs:.0f}" for b in baselines if b.pairs is not None
    )
    return (
        f"Of two unseen {'networks' if networks else 'architectures'}, the fit picks the better one {times_in_100(pairs)}"
        + (f" ({beside}). " if beside else ". ")
    )


def _labels_text(scorer: Scorer) -> str:
    """The number of labels, and of those used if fewer."""
    count, used = len(scorer.labels), scorer.n_fitted
    return f"{count} labels" if used == count else f"{used} labels, drawn at random from {count}"


def better_part_text(part: PartOrder) -> str:
    """The agreement among the better half, in a sentence.

    Examples
    --------
    >>> from nasbuild.score import PartOrder, better_part_text
    >>> better_part_text(PartOrder(share=0.5, rows=21, modules=0.74, prediction=0.75, low=0.46, high=0.89))
    'Among the better half alone it is 0.74 (21 rows, 95 % interval 0.46 to 0.89).'
    """
    if part.modules is None or part.low is None or part.high is None:
        return f"{part.rows} held-out rows are too few to measure the order among the better half."
    rows = f"{part.rows} rows, 95 % interval {part.low:.2f} to {part.high:.2f}".replace("-0.00", "0.00")
    if part.low <= 0:
        return f"Among the better half no order is shown: SRCC {correlation_text(part.modules)} ({rows})."
    return f"Among the better half alone it is {correlation_text(part.modules)} ({rows})."
