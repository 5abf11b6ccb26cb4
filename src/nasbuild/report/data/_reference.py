"""Chooses the reference: the architecture that others are shown as changes of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nasbuild.space import Architecture, architecture_id
from nasbuild.table import centre_row

if TYPE_CHECKING:
    from nasbuild.score import Fit


@dataclass(frozen=True)
class Reference:
    """An architecture that others are changes of.

    Attributes
    ----------
    id
        Its id in the table, or its canonical one.
    source
        ``"space"`` if the space declares it, ``"table"`` if most rows differ little from it, ``"best"`` if it is
        the best measured.
    text
        The same in a sentence.
    """

    architecture: Architecture
    id: str
    source: str
    text: str


def reference_of(fit: Fit) -> Reference:
    """Returns the reference that the space declares, else the centre of the table, else the best measured."""
    declared = fit.space.reference
    if declared is not None:
        row = fit.table.row_of.get(declared)
        name = architecture_id(fit.space, declared) if row is None else fit.table.ids[row]
        return Reference(declared, name, "space", "Differences are to the reference that the space declares.")
    row = centre_row(fit.space, fit.table.architectures)
    if row is not None:
        text = "Differences are to the measured architecture from which the rows of the table differ least."
        return Reference(fit.table.architectures[row], fit.table.ids[row], "table", text)
    first = fit.targets[0]
    row = int(first.labels.rows[int(np.argmax(first.target.sign * first.labels.values))])
    text = f"Differences are to the best measured architecture by {first.target.name}."
    return Reference(fit.table.architectures[row], fit.table.ids[row], "best", text)
