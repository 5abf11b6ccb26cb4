"""Chooses the reference: the architecture that others are shown as changes of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nasbuild.space import Architecture, architecture_id

if TYPE_CHECKING:
    from nasbuild.score import Fit
    from nasbuild.table import Table

_NEAR = 0.5  # share of the stages in which most rows may differ from a centre of the table


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
    declared = getattr(fit.space, "reference", None)
    if isinstance(declared, Architecture):
        row = fit.table.row_of.get(declared)
        name = architecture_id(fit.space, declared) if row is None else fit.table.ids[row]
        return Reference(declared, name, "space", "Differences are to the reference that the space declares.")
    row = centre_row(fit.table)
    if row is not None:
        text = "Differences are to the measured architecture from which the rows of the table differ least."
        return Reference(fit.table.architectures[row], fit.table.ids[row], "table", text)
    first = fit.targets[0]
    row = int(first.labels.rows[int(np.argmax(first.target.sign * first.labels.values))])
    text = f"Differences are to the best measured architecture by {first.target.name}."
    return Reference(fit.table.architectures[row], fit.table.ids[row], "best", text)


def centre_row(table: Table) -> int | None:
    """Returns the row from which the others differ in the fewest stages on average.

    None if most rows differ from it in more than half of the stages, so that it is no centre.
    """
    columns = []
    for u in range(len(table.space.stages)):
        codes: dict[object, int] = {}
        columns.append([codes.setdefault(a.modules[u], len(codes)) for a in table.architectures])
    modules = np.array(columns, dtype=np.int64)
    # The mean distance of a row is a sum over stages of how many rows have another module there.
    same = sum(np.bincount(column)[column] for column in modules)
    row = int(np.argmax(same))
    distance = (modules != modules[:, row : row + 1]).sum(axis=0)
    others = np.delete(distance, row)
    return row if len(others) and np.median(others) <= _NEAR * len(modules) else None
