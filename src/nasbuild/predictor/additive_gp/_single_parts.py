"""All choices of a stage, each alone in the module of the reference, and their effects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from nasbuild.predictor.additive_gp._design_matrix import Design, grouped_entries, scaled_rows
from nasbuild.predictor.additive_gp._terms import Terms
from nasbuild.space import Architecture, Space, Stage, changed_codes, group_codes
from nasbuild.table import Part

_FLOOR = 0.02  # of the median effect, below which an effect is as likely as this to interact


@dataclass(frozen=True)
class SingleParts:
    """All choices of a stage, each alone in the module of the reference.

    Attributes
    ----------
    shape
        Of the stage's array in `JointKernel.effects`.
    places
        Where each choice stands in it, (choices, 3).
    rows
        Rows of all terms side by side, that of the reference first, (1 + choices, columns).
    """

    shape: tuple[int, int, int]
    places: np.ndarray
    rows: csr_matrix

    @classmethod
    def of(cls, u: int, stage: Stage, code: np.ndarray, table: Design, terms: Terms) -> SingleParts:
        """From the reference's module of stage ``u``, as a code (depth, features)."""
        every = list(changed_codes(stage, code))
        places = [(1 + one.place, max(one.feature, 0), one.choice) for one in every]
        modules = group_codes([code, *(one.code for one in every)])
        rows = scaled_rows(table.terms, [grouped_entries(terms, u, modules)], [modules])
        return cls(
            choices_shape(stage), np.array(places, dtype=np.int64).reshape(-1, 3), csr_matrix(rows.whole)
        )

    def effects(self, weights: np.ndarray) -> np.ndarray:
        """Effect of each choice by the weights of all columns, (choices,)."""
        values = self.rows @ weights
        return values[1:] - values[0]


def choices_shape(stage: Stage) -> tuple[int, int, int]:
    """Shape of an array with a number for every choice of every part of a stage: (1 + places, features, choices).

    Row 0 is for numbers of layers, in the order of the stage's depths.
    """
    choices = max([len(stage.depths), *(len(feature.choices) for feature in stage.features)])
    return 1 + max(stage.depths), max(len(stage.features), 1), choices


def size_of(space: Space, sizes: Sequence[np.ndarray], architecture: Architecture, part: Part) -> float:
    """The entry of a part's choice in arrays of `choices_shape`, one for each stage."""
    stage, module = space.stages[part.stage], architecture.modules[part.stage]
    if part.layer is None or part.feature is None:
        return float(sizes[part.stage][0, 0, stage.depths.index(len(module))])
    f = [feature.name for feature in stage.features].index(part.feature)
    return float(sizes[part.stage][1 + part.layer, f, stage.features[f].index(module[part.layer][f])])


def effect_tables(parts: Sequence[SingleParts], weights: np.ndarray) -> tuple[np.ndarray, ...]:
    """Arrays of `JointKernel.effects`; tiny effects count as a small one."""
    values = [part.effects(weights) for part in parts]
    least = max(_FLOOR * typical(np.concatenate(values)), 1e-12)
    found = []
    for part, own in zip(parts, values, strict=True):
        table = np.zeros(part.shape)
        sizes = np.where(own < 0, np.minimum(own, -least), np.maximum(own, least))
        table[tuple(part.places.T)] = sizes
        found.append(table)
    return tuple(found)


def typical(excess: np.ndarray) -> float:
    """Median size of the effects that are not 0."""
    size = np.abs(excess[excess != 0])
    return float(np.median(size)) if len(size) else 1.0
