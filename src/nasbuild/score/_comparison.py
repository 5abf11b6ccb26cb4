"""Why one architecture is predicted better than another: a sum over parts and pairs that is exact."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from nasbuild.score._fit import TargetFit
from nasbuild.score._scorer import Scorer
from nasbuild.space import Architecture, Space, Stage, module_id
from nasbuild.table import Part, changed_parts

_ROUNDING = 1e-9  # of the largest contribution, below which one is rounding
_MOST_BENT = 5.0  # factor by which the sum of all changes may bend the scale, before it is shown apart
_SAMPLES = 4_000  # of the posterior, for the order of both
_TAILS = (0.05, 0.95)
_STEP = 1e-6  # of the labels' range: for the slope of the scale where both predictions are equal


@dataclass(frozen=True)
class Contribution:
    """What a part, a pair or the rest contributes to a difference between two predictions.

    Attributes
    ----------
    kind
        ``part`` (a feature at a layer, or a number of layers), ``module`` (a stage's whole module), ``pair`` (what two
        parts or stages do together), ``higher`` (all other interactions) or ``limits`` (of the metric).
    text
        What differs, such as ``block5.attn: off, not on``.
    stages
        Positions of the stages concerned.
    value
        In the label's unit.
    std
        Deviation over posterior samples or members; None where it isn't known.

    Examples
    --------
    >>> from nasbuild.score import compare_architectures
    >>> one = compare_architectures(acc, *table.architectures[:2]).contributions[0]
    >>> one.kind, one.stages, one.value < 0 < one.std
    ('module', (2,), True)
    """

    kind: str
    text: str
    stages: tuple[int, ...]
    value: float
    std: float | None = None


@dataclass(frozen=True)
class Comparison:
    """The difference of two predictions y', first minus second, as a sum.

    Attributes
    ----------
    first, second
        y' of both, in the label's unit.
    first_std, second_std
        Their deviations.
    contributions
        Largest first; their sum is ``difference``.
    interval
        Limits that hold 90 % of the differences that measurements may have: posterior samples of both together, with
        what their deviations hold besides, such as noise, for each alone. None where the method has no joint posterior.
    first_larger
        Share of these samples in which the first is larger.
    slope
        Labels for each unit on the scale on which scores add up, between both; 1 if that is the label's own scale.

    Examples
    --------
    >>> from nasbuild.score import compare_architectures
    >>> found = compare_architectures(acc, *table.architectures[:2])
    >>> found.difference == found.first - found.second, found.is_straight
    (True, False)
    """

    first: float
    second: float
    first_std: float
    second_std: float
    contributions: tuple[Contribution, ...]
    slope: float
    interval: tuple[float, float] | None = None
    first_larger: float | None = None

    @property
    def difference(self) -> float:
        """First minus second prediction."""
        return self.first - self.second

    @property
    def is_straight(self) -> bool:
        """Whether contributions are as they add up, not multiplied by a factor."""
        return abs(self.slope - 1) < 1e-6


def compare_architectures(target_fit: TargetFit, first: Architecture, second: Architecture) -> Comparison:
    """Why the first architecture is predicted as it is and the second is not.

    The summed score is a sum over stages, and within a stage over changed parts where changing each alone explains it.
    Interactions add pairs of stages or, in a table of single changes, of parts; what is left is `higher`. These
    add up on the scale on which scores do. One factor takes all of them to the label's unit: the difference of both
    predictions over the difference of both sums. So their sum is exact on any scale.

    Examples
    --------
    >>> from nasbuild.score import compare_architectures
    >>> found = compare_architectures(acc, *table.architectures[:2])
    >>> found.contributions[0].kind, found.contributions[0].text
    ('module', 'stage3: mb_e1_k3, not mb_e3_k3-mb_e3_k3')
    >>> total = sum(one.value for one in found.contributions)
    >>> bool(np.isclose(total, found.difference))
    True
    """
    scorer, both = target_fit.scorer, [first, second]
    free = scorer.predict_unlimited(both)[0]
    value, std, _ = scorer.predict_and_flag(both)
    sums = [scorer.sum_at(float(v)) for v in free]
    slope = _slope(scorer, float(free[0]), float(free[1]), sums)
    found = [*_module_contributions(scorer, first, second), *_pair_contributions(scorer, first, second)]
    known, whole = sum(one.value for one in found), sums[0] - sums[1]
    if (
        scorer.part_pairs(both) is not None
        and known * whole > 0
        and 1 / _MOST_BENT < whole / known < _MOST_BENT
    ):
        # What is left there says how the scale bends with the sum of all changes, so it is part of the factor.
        slope *= whole / known
        whole = known
    rest = whole - known
    found.append(Contribution("higher", "all other interactions", (), rest))
    found = [
        replace(one, value=one.value * slope, std=None if one.std is None else one.std * abs(slope))
        for one in found
    ]
    limited = float(value[0] - value[1]) - sum(one.value for one in found)
    found.append(Contribution("limits", "limits of the metric", (), limited))
    least = _ROUNDING * max(abs(one.value) for one in found)
    shown = [one for one in found if abs(one.value) > least]
    return Comparison(
        float(value[0]),
        float(value[1]),
        float(std[0]),
        float(std[1]),
        tuple(sorted(shown, key=lambda one: -abs(one.value))),
        slope,
        *_order(scorer, both, std),
    )


def _order(
    scorer: Scorer, both: list[Architecture], std: np.ndarray
) -> tuple[tuple[float, float] | None, float | None]:
    """Interval of the difference, and how often the first is larger; both are sampled together, as their errors are alike."""
    samples = None if both[0] == both[1] else scorer.posterior_labels(both, _SAMPLES)
    if samples is None:
        return None, None
    more = np.sqrt(np.maximum(std**2 - samples.var(axis=0), 0))
    samples = samples + more * np.random.default_rng(0).normal(size=samples.shape)
    difference = samples[:, 0] - samples[:, 1]
    low, high = np.quantile(difference, _TAILS)
    return (float(low), float(high)), float(np.mean(difference > 0))


def _slope(scorer: Scorer, first: float, second: float, sums: list[float]) -> float:
    """Labels for each unit of the sums, between two predictions."""
    if abs(sums[0] - sums[1]) > 1e-12 * max(1.0, *map(abs, sums)):
        return (first - second) / (sums[0] - sums[1])
    step = _STEP * float(np.ptp(scorer.labels)) or _STEP
    near = scorer.sum_at(first + step) - scorer.sum_at(first - step)
    return 2 * step / near if near > 0 else 1.0


def _module_contributions(
    scorer: Scorer, first: Architecture, second: Architecture
) -> Iterator[Contribution]:
    """Differences of the modules' scores, by changed parts where these explain a stage."""
    space = scorer.space
    changed: dict[int, list[Part]] = {}
    for part in changed_parts(space, second, first):
        changed.setdefault(part.stage, []).append(part)
    for u, (stage, new, old) in enumerate(zip(space.stages, first.modules, second.modules, strict=True)):
        if new == old:
            continue
        parts = changed.get(u, [])
        whole, std = _difference(scorer, u, stage.encode(new), stage.encode(old))
        if len(parts) == 1:
            yield Contribution("part", _part_text(space, parts[0], first, second), (u,), whole, std)
            continue
        left = whole
        if len(new) == len(old) and parts and not stage.conditional:
            for part in parts:
                code = _with_part(stage, stage.encode(old), stage.encode(new), part)
                value, std = _difference(scorer, u, code, stage.encode(old))
                left -= value
                yield Contribution("part", _part_text(space, part, first, second), (u,), value, std)
            if abs(left) > _ROUNDING * abs(whole):
                yield Contribution("module", f"{stage.name}: its changes together", (u,), left)
        else:
            text = f"{stage.name}: {module_id(stage, new)}, not {module_id(stage, old)}"
            yield Contribution("module", text, (u,), whole, std)


def _pair_contributions(scorer: Scorer, first: Architecture, second: Architecture) -> Iterator[Contribution]:
    """Differences of what pairs of parts or of stages add."""
    space = scorer.space
    parts = scorer.part_pairs([first, second])
    if parts is not None:
        for (p, q), (new, old) in parts.items():
            if new != old:
                yield Contribution(
                    "pair", f"{p.text(space)} with {q.text(space)}", (p.stage, q.stage), float(new - old)
                )
        return
    codes = [[stage.encode(a.modules[u]) for a in (first, second)] for u, stage in enumerate(space.stages)]
    pairs = scorer.pairs(codes)
    if pairs is None:
        return
    for u, v in combinations(range(len(space.stages)), 2):
        x, y = pairs.factors[u], pairs.factors[v]
        new, old = ((x @ pairs.links[u, v]) * y).sum(axis=1)
        if new != old:
            names = [space.stages[w].name for w in (u, v)]
            yield Contribution("pair", f"{names[0]} with {names[1]}", (u, v), float(new - old))


def _difference(scorer: Scorer, stage: int, new: np.ndarray, old: np.ndarray) -> tuple[float, float | None]:
    """Score of a module less that of another, with its deviation over samples or members."""
    values = [float(scorer.score(stage, code[None])[0][0]) for code in (new, old)]
    members = [scorer.member_scores(stage, code[None])[:, 0] for code in (new, old)]
    std = float((members[0] - members[1]).std()) if len(members[0]) > 1 else None
    return values[0] - values[1], std


def _with_part(stage: Stage, old: np.ndarray, new: np.ndarray, part: Part) -> np.ndarray:
    """A module's code with one part of another module."""
    names = [feature.name for feature in stage.features]
    assert part.layer is not None
    assert part.feature is not None
    f, code = names.index(part.feature), old.copy()
    code[slice(None) if part.feature in stage.shared else part.layer, f] = new[part.layer, f]
    return code


def _part_text(space: Space, part: Part, first: Architecture, second: Architecture) -> str:
    new, old = (part.choice_of(space, one) for one in (first, second))
    return f"{part.text(space)}: {new}, not {old}"
