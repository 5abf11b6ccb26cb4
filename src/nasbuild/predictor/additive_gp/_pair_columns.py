"""Pairs of choices of a table that may interact: in which rows both stand, and what the process expects of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from nasbuild.predictor.additive_gp._additive_gp import AdditiveGP
from nasbuild.space import ABSENT, Architecture, Choice, Space, choice_key, group_stages
from nasbuild.table import Part, changed_parts

MOST_PAIRS = 20_000
"""Most pairs that are looked at; of more, those with the most rows."""
_MOST_CHOICES = 3_000
_LEAST_ROWS = 5  # with both choices, in an ordinary table
_LEAST_JOINT = 2  # the same in a table of single changes: one row may be off by anything


class PartChoice(NamedTuple):
    """A choice of a part: of a feature at a layer of a stage, or a number of layers.

    Examples
    --------
    >>> from nasbuild.predictor import PartChoice
    >>> from nasbuild.table import Part
    >>> PartChoice(Part(0, 1, "op"), "mb_e1_k3").text(space)
    'stage1.1.op = mb_e1_k3'
    """

    part: Part
    choice: Choice

    def text(self, space: Space) -> str:
        """``STAGE.LAYER.FEATURE = CHOICE``, as bounds and ``--fix`` write it."""
        return f"{self.part.text(space)} = {self.choice}"


@dataclass(frozen=True)
class PairColumns:
    """Columns of the pairs of choices that are looked at, among some rows of a table.

    The interaction e of a pair is the difference of differences between rows with both, one and none of its choices. In
    a table of single changes it is that of the reference, else the mean over the other choices in the table. Its prior
    has a part of its own, whose column is the product of two columns of ``held``. The process adds g: the covariance of
    its part of e with the rows is weight × the product of two columns of ``kernel``. Its variance is weight × the product
    of two ``sizes``.

    Attributes
    ----------
    choices
        The choices that pairs are made of.
    held
        Which rows have a choice, in an ordinary table less the mean, (rows, choices).
    kernel, sizes
        Features of the process's interactions, (rows, choices), and (choices,).
    pairs
        Positions of two choices, (pairs, 2).
    both
        Number of rows that have both choices, (pairs,).
    """

    choices: tuple[PartChoice, ...]
    held: np.ndarray
    kernel: np.ndarray
    sizes: np.ndarray
    pairs: np.ndarray
    both: np.ndarray

    def column(self, pair: int) -> np.ndarray:
        """The pair's own column, (rows,)."""
        p, q = self.pairs[pair]
        return self.held[:, p] * self.held[:, q]


def single_columns(gp: AdditiveGP, reference: Architecture, rows: np.ndarray) -> PairColumns:
    """Pairs of changed parts of the reference, in joint rows at these positions."""
    joint = gp.joint
    assert joint is not None
    some = [gp.architectures[i] for i in rows]
    choices, held = _changed(gp.space, reference, some)
    number = held.astype(int)
    both = number.T @ number
    pairs = _pairs(choices, both, both >= _LEAST_JOINT, same_stage=True)
    parts = np.sqrt(np.abs(joint.features(group_stages(gp.space, some))))
    place = [joint.column(c.part) for c in choices]
    effects = np.array([joint.effect(c.part, c.choice) for c in choices])
    features = np.sqrt(np.abs(effects)) * parts[:, place]
    return PairColumns(
        choices, held.astype(float), features, np.abs(effects), pairs, both[pairs[:, 0], pairs[:, 1]]
    )


def table_columns(gp: AdditiveGP, rows: np.ndarray) -> PairColumns:
    """Pairs of choices in different stages, in rows of an ordinary table at these positions.

    Of a part with two choices in these rows one is enough: the other has the same interactions, with the other sign.
    """
    some = [gp.architectures[i] for i in rows]
    choices, held = _held(gp.space, some)
    number = held.astype(int)
    both = number.T @ number
    # A choice that every row has can't be told from none.
    allowed = _not_mirrored(gp.space, choices) & ~held.all(axis=0)
    pairs = _pairs(choices, both, (both >= _LEAST_ROWS) & allowed & allowed[:, None], same_stage=False)
    kernel, sizes = np.zeros(held.shape), np.zeros(len(choices))
    for u in range(len(gp.space.stages)) if gp.interaction_variance else ():
        own = [n for n, c in enumerate(choices) if c.part.stage == u]
        features = gp.interaction.features[u][rows]
        differences = differences_of(features, choices, held, own)
        kernel[:, own] = features @ differences.T
        sizes[own] = (differences**2).sum(axis=1)
    return PairColumns(
        choices, held - held.mean(axis=0), kernel, sizes, pairs, both[pairs[:, 0], pairs[:, 1]]
    )


def differences_of(
    values: np.ndarray, choices: Sequence[PartChoice], held: np.ndarray, own: Sequence[int]
) -> np.ndarray:
    """What values (rows, columns) of a stage are with a choice, less those of the rows without, (own, columns).

    Parameters
    ----------
    own
        Positions of the choices of this stage. Values are taken for a sum over its parts, by least squares. Only this
        part's share differs between rows with and without the choice.
    """
    has = held[:, own].astype(float)
    weights = np.linalg.lstsq(np.column_stack([np.ones(len(has)), has]), values, rcond=None)[0][1:]
    found = np.zeros((len(own), values.shape[1]))
    for k, n in enumerate(own):
        same = [j for j, m in enumerate(own) if choices[m].part == choices[n].part]
        without = 1 - has[:, k]
        if 0 < without.sum() < len(has):
            found[k] = weights[k] - (without @ has[:, same] / without.sum()) @ weights[same]
    return found


def _changed(
    space: Space, reference: Architecture, rows: Sequence[Architecture]
) -> tuple[tuple[PartChoice, ...], np.ndarray]:
    """The choices by which rows differ from the reference, and which rows have them, (rows, choices) bool."""
    found = []
    for row in rows:
        own = [(part, part.choice_of(space, row)) for part in changed_parts(space, reference, row)]
        found.append([PartChoice(part, choice) for part, choice in own if choice is not ABSENT])
    return _indicators(found)


def _held(space: Space, rows: Sequence[Architecture]) -> tuple[tuple[PartChoice, ...], np.ndarray]:
    """All choices that rows have, but those of ranges of numbers, and which rows have them, (rows, choices) bool."""
    found = []
    for row in rows:
        own = []
        for u, (stage, module) in enumerate(zip(space.stages, row.modules, strict=True)):
            if len(stage.depths) > 1:
                own.append(PartChoice(Part(u, None, None), len(module)))
            for n, layer in enumerate(module):
                for feature, choice in zip(stage.features, layer, strict=True):
                    shared = n > 0 and feature.name in stage.shared
                    if (
                        not shared
                        and choice is not ABSENT
                        and feature.range is None
                        and len(feature.present) > 1
                    ):
                        own.append(PartChoice(Part(u, n, feature.name), choice))
        found.append(own)
    return _indicators(found)


def _indicators(rows: Sequence[Sequence[PartChoice]]) -> tuple[tuple[PartChoice, ...], np.ndarray]:
    # True and 1 are equal as keys, so choices are known by `choice_key`.
    every = {(one.part, choice_key(one.choice)): one for own in rows for one in own}
    order = sorted(every, key=lambda key: (_order(key[0]), str(key[1])))
    place = {key: n for n, key in enumerate(order)}
    held = np.zeros((len(rows), len(order)), dtype=bool)
    for n, own in enumerate(rows):
        for one in own:
            held[n, place[one.part, choice_key(one.choice)]] = True
    kept = np.sort(np.argsort(-held.sum(axis=0), kind="stable")[:_MOST_CHOICES])
    return tuple(every[order[k]] for k in kept), held[:, kept]


def _order(part: Part) -> tuple[int, int, str]:
    return part.stage, -1 if part.layer is None else part.layer, part.feature or ""


def _not_mirrored(space: Space, choices: Sequence[PartChoice]) -> np.ndarray:
    """Choices without that of the reference, or the first one, of parts that have two choices, (choices,) bool."""
    of_part: dict[Part, list[int]] = {}
    for n, one in enumerate(choices):
        of_part.setdefault(one.part, []).append(n)
    allowed = np.ones(len(choices), dtype=bool)
    for part, own in of_part.items():
        if len(own) == 2:
            first = _base(space, part, [choices[n].choice for n in own])
            allowed[own[first]] = False
    return allowed


def _base(space: Space, part: Part, two: Sequence[Choice]) -> int:
    """Which of two choices the other is compared with."""
    if space.reference is not None:
        module = space.reference.modules[part.stage]
        if part.layer is None or part.layer < len(module):
            own = choice_key(part.choice_of(space, space.reference))
            if own in (keys := [choice_key(choice) for choice in two]):
                return keys.index(own)
    stage = space.stages[part.stage]
    listed = stage.depths if part.feature is None else stage.feature(part.feature).choices
    keys = [choice_key(choice) for choice in listed]
    return int(np.argmin([keys.index(choice_key(choice)) for choice in two]))


def _pairs(
    choices: Sequence[PartChoice], both: np.ndarray, enough: np.ndarray, *, same_stage: bool
) -> np.ndarray:
    """Positions of two choices of different parts that enough rows have together, (pairs, 2)."""
    stage = np.array([one.part.stage for one in choices], dtype=np.int64)
    parts = {part: n for n, part in enumerate(dict.fromkeys(one.part for one in choices))}
    part = np.array([parts[one.part] for one in choices], dtype=np.int64)
    apart = (part[:, None] != part) if same_stage else (stage[:, None] != stage)
    first, second = np.nonzero(np.triu(enough & apart, 1))
    some = np.sort(np.argsort(-both[first, second], kind="stable")[:MOST_PAIRS])
    return np.column_stack([first[some], second[some]])
