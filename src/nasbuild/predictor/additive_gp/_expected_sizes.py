"""How large the effect of a choice at a part is expected to be: how much the part matters, times how much the choice does."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from nasbuild.predictor.additive_gp._attribute_numbers import LEAST_KNOWN, numbers_from_attributes
from nasbuild.predictor.additive_gp._proxy_sizes import ProxySize
from nasbuild.predictor.additive_gp._single_parts import choices_shape
from nasbuild.predictor.additive_gp._stage_kinds import stage_kinds
from nasbuild.predictor.additive_gp._vocabularies import vocabularies
from nasbuild.space import ABSENT, Architecture, Space, choice_attributes, choice_key, features_by_name
from nasbuild.table import Part, ReferenceChanges

_FLOOR = 0.1  # of the median size of a choice's effects, below which an effect counts as this small
_SWEEPS = 10  # of the median polish
_JOINT_ERROR = 0.3  # prior deviation of the error of numbers from joint rows
_JOINT_WEIGHT = 2  # number of choices that it counts as
_UNTOLD = 3.0  # deviation of a number of which too few others tell
_DEPTH = "depth"  # in the place of a feature's name

_Choice = tuple[str, Hashable]
"""The name of a vocabulary (`vocabularies`) and a choice, or `_DEPTH` and a number of layers."""


class _Effect(NamedTuple):
    """Size of the label's change by single change."""

    part: Part
    choice: _Choice
    size: float


class ExpectedSizes(NamedTuple):
    """Expected sizes of effects, and how sure they are.

    Attributes
    ----------
    sizes
        For each stage (1 + places, features, choices), 0 at the reference's choice. Row 0 holds numbers of layers, in the
        order of the stage's depths.
    deviations
        Deviations of their logarithms for choices that are known from their attributes alone, 0 for all others, in the same
        shape; None if there are none.
    """

    sizes: tuple[np.ndarray, ...]
    deviations: tuple[np.ndarray, ...] | None


def expected_sizes(
    space: Space,
    architectures: Sequence[Architecture],
    labels: np.ndarray,
    changes: ReferenceChanges,
    ruined: np.ndarray,
    beside: Sequence[ProxySize] = (),
) -> ExpectedSizes | None:
    """Expected size of the effect of every choice at every part of the reference, in the label's unit.

    A part that suffers much from one choice suffers much from others. So the logarithm of an effect's size is about a
    number of the part plus a number of the choice. Both are found from single changes by median polish (Tukey, Exploratory
    Data Analysis, 1977, chapter 10), which a few noisy or ruinous measurements hardly bend. A choice without single changes
    has its number from joint rows that contain it, else from its attributes (`numbers_from_attributes`). A part without
    them has the mean of its like: the same feature of stages whose names differ in numbers only.

    Parameters
    ----------
    changes
        Of these architectures; its ``row`` is the measured reference.
    ruined
        Which rows are ruined, (rows,). A single change that ruins the network keeps its own size.
    beside
        What a proxy says of single changes (`proxy_sizes`). They have its sizes.

    Returns
    -------
    None without a proxy where no feature has rows with two choices beside that of the reference: then there is nothing to
    multiply.
    """
    excess = np.abs(labels - labels[changes.row])
    named = vocabularies(space)
    rows = [
        {part: _choice(space, named, architecture, part) for part in parts}
        for architecture, parts in zip(architectures, changes.parts, strict=True)
    ]
    single = [
        _Effect(part, choice, float(size))
        for row, size in zip(rows, excess, strict=True)
        if len(row) == 1
        for part, choice in row.items()
    ]
    measured = {effect[:2] for effect in single}
    by_proxy = {(one.part, _choice(space, named, one.architecture, one.part)): one for one in beside}
    single += [
        _Effect(*both, one.size) for both, one in by_proxy.items() if not one.ruined and both not in measured
    ]
    choices = {choice for row in rows for choice in row.values() if choice[0] != _DEPTH}
    if not by_proxy and len(choices) == len({name for name, _ in choices}):
        return None
    of_part, of_choice = _median_polish(single)
    if not of_part:
        return None
    kinds = stage_kinds(space.stages)
    like: dict[Hashable, list[float]] = defaultdict(list)
    for part, number in of_part.items():
        like[kinds[part.stage][0], part.layer, part.feature].append(number)
    whole = float(np.mean(list(of_part.values())))

    def part_number(part: Part) -> float:
        same = like.get((kinds[part.stage][0], part.layer, part.feature))
        return of_part.get(part, float(np.mean(same)) if same else whole)

    joint = [(row, float(size)) for row, size in zip(rows, excess, strict=True) if len(row) > 1 and size > 0]
    # Numbers of parts compare within a vocabulary only, those of parts with a typical choice everywhere.
    usual = _typical_numbers(of_choice)
    weights = [{part: np.exp(part_number(part) + usual(row[part])) for part in row} for row, _ in joint]
    of_joint = {c: n + usual(c) for c, n in _of_joint_rows(joint, weights).items()}
    from_attributes = _from_attributes(space, of_choice, of_joint, usual)
    of_choice = of_joint | of_choice | {c: mean for c, (mean, _) in from_attributes.items()}

    ruinous = {
        next(iter(row.items())): float(excess[i]) for i, row in enumerate(rows) if len(row) == 1 and ruined[i]
    }

    def size(part: Part, choice: _Choice) -> float:
        if (part, choice) in ruinous:
            return ruinous[part, choice]
        if (part, choice) in by_proxy:
            return by_proxy[part, choice].size
        return float(np.exp(part_number(part) + of_choice.get(choice, usual(choice))))

    def deviation(_: Part, choice: _Choice) -> float:
        return from_attributes.get(choice, (0.0, 0.0))[1]

    found = _of_all_choices(space, changes.reference, named, size)
    return ExpectedSizes(
        found,
        _of_all_choices(space, changes.reference, named, deviation) if from_attributes else None,
    )


def _of_all_choices(
    space: Space, reference: Architecture, named: Mapping[str, str], size: Callable[[Part, _Choice], float]
) -> tuple[np.ndarray, ...]:
    """A number for all choices of every part but those of the reference, in the shape of `ExpectedSizes.sizes`."""
    found = []
    for u, (stage, module) in enumerate(zip(space.stages, reference.modules, strict=True)):
        own = np.zeros(choices_shape(stage))
        for d, depth in enumerate(stage.depths):
            if depth != len(module):
                own[0, 0, d] = size(Part(u, None, None), (_DEPTH, depth))
        for n, layer in enumerate(module):
            for f, feature in enumerate(stage.features):
                if layer[f] is ABSENT or (n and feature.name in stage.shared):
                    continue
                for c, choice in enumerate(feature.choices):
                    if c != feature.absent and choice_key(choice) != choice_key(layer[f]):
                        own[1 + n, f, c] = size(
                            Part(u, n, feature.name), (named[feature.name], choice_key(choice))
                        )
        found.append(own)
    return tuple(found)


def _from_attributes(
    space: Space,
    of_choice: Mapping[_Choice, float],
    of_joint: Mapping[_Choice, float],
    usual: Callable[[_Choice], float],
) -> dict[_Choice, tuple[float, float]]:
    """Numbers of choices that no row has, and their deviations, from the attributes of those that some have."""
    features, found = features_by_name(space.stages), {}
    gaps = [of_joint[choice] - number for choice, number in of_choice.items() if choice in of_joint]
    error = np.sqrt((np.sum(np.square(gaps)) + _JOINT_WEIGHT * _JOINT_ERROR**2) / (len(gaps) + _JOINT_WEIGHT))
    for name in dict.fromkeys(vocabularies(space).values()):
        attributes = choice_attributes(space, name)
        if not attributes:
            continue
        columns = np.stack(list(attributes.values()), axis=1)
        choices = [(name, choice_key(choice)) for choice in features[name].choices]
        present = [i for i in range(len(choices)) if i != features[name].absent]
        told = [i for i in present if choices[i] in of_choice or choices[i] in of_joint]
        wanted = [i for i in present if i not in told]
        if len(told) < LEAST_KNOWN:
            # Single changes may have no effect at all, which is no number.
            found |= {choices[i]: (usual(choices[i]), _UNTOLD) for i in wanted}
        if len(told) < LEAST_KNOWN or not wanted:
            continue
        numbers = np.array([of_choice.get(choices[i], of_joint.get(choices[i], 0.0)) for i in told])
        errors = np.array([0.0 if choices[i] in of_choice else float(error) for i in told])
        mean, std = numbers_from_attributes(numbers, errors, columns[told], columns[wanted])
        found |= {choices[i]: (float(m), float(d)) for i, m, d in zip(wanted, mean, std, strict=True)}
    return found


def _typical_numbers(of_choice: Mapping[_Choice, float]) -> Callable[[_Choice], float]:
    """Median number of the choices of a choice's vocabulary, else of all."""
    numbers: dict[str, list[float]] = defaultdict(list)
    for (name, _), number in of_choice.items():
        numbers[name].append(number)
    median = {name: float(np.median(own)) for name, own in numbers.items()}
    whole = float(np.median(list(of_choice.values())))
    return lambda choice: median.get(choice[0], whole)


def _choice(space: Space, named: Mapping[str, str], architecture: Architecture, part: Part) -> _Choice:
    module = architecture.modules[part.stage]
    if part.layer is None or part.feature is None:
        return _DEPTH, len(module)
    names = [feature.name for feature in space.stages[part.stage].features]
    return named[part.feature], choice_key(module[part.layer][names.index(part.feature)])


def _median_polish(single: Sequence[_Effect]) -> tuple[dict[Part, float], dict[_Choice, float]]:
    """A number of each part and each choice: their sums are about the logarithms of the effects' sizes."""
    by_choice: dict[_Choice, list[float]] = defaultdict(list)
    for effect in single:
        by_choice[effect.choice].append(effect.size)
    least = {choice: _FLOOR * float(np.median(sizes)) for choice, sizes in by_choice.items()}
    kept = [effect for effect in single if least[effect.choice] > 0]
    log = {effect[:2]: np.log(max(effect.size, least[effect.choice])) for effect in kept}
    of_part: dict[Part, float] = dict.fromkeys((part for part, _ in log), 0.0)
    of_choice: dict[_Choice, float] = dict.fromkeys((choice for _, choice in log), 0.0)
    for _ in range(_SWEEPS):
        left: dict[_Choice, list[float]] = defaultdict(list)
        for (part, choice), value in log.items():
            left[choice].append(value - of_part[part])
        of_choice = {choice: float(np.median(values)) for choice, values in left.items()}
        rest: dict[Part, list[float]] = defaultdict(list)
        for (part, choice), value in log.items():
            rest[part].append(value - of_choice[choice])
        of_part = {part: float(np.median(values)) for part, values in rest.items()}
    return of_part, of_choice


def _of_joint_rows(
    joint: Sequence[tuple[Mapping[Part, _Choice], float]], weights: Sequence[Mapping[Part, float]]
) -> dict[_Choice, float]:
    """Numbers of choices from joint rows: a row's effect for each unit of changed weight.

    Of several rows with a choice, those count most that consist mainly of it.
    """
    sums: dict[_Choice, float] = defaultdict(float)
    shares: dict[_Choice, float] = defaultdict(float)
    for (row, size), weight in zip(joint, weights, strict=True):
        total = sum(weight.values())
        held: dict[_Choice, float] = defaultdict(float)
        for part, choice in row.items():
            held[choice] += weight[part] / total
        for choice, share in held.items():
            sums[choice] += share**2 * np.log(size / total)
            shares[choice] += share**2
    return {choice: sums[choice] / shares[choice] for choice in sums}
