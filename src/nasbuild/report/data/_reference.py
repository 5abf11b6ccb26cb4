"""Chooses the reference: the architecture that others are shown as changes of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nasbuild.space import Architecture, architecture_id
from nasbuild.table import reference_row

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
    found = reference_row(fit.space, fit.table.architectures)
    if found is not None:
        reference, row = found
        name = architecture_id(fit.space, reference) if row is None else fit.table.ids[row]
        source, text = "table", "the measured architecture from which the rows of the table differ least"
        if fit.space.reference is not None:
            source, text = "space", "the reference that the space declares"
        return Reference(reference, name, source, f"Differences are to {text}.")
    first = fit.targets[0]
    row = int(first.labels.rows[int(np.argmax(first.target.sign * first.labels.values))])
    text = f"Differences are to the best measured architecture by {first.target.name}."
    return Reference(fit.table.architectures[row], fit.table.ids[row], "best", text)
