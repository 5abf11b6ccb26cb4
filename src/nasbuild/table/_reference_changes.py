"""Tables as changes of a reference: which row it is, and how many parts of it each row changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from nasbuild.space import ABSENT, Absent, Architecture, Choice, Space, architecture_id, choice_key
from nasbuild.table._table import Table, short_id

_NEAR = 0.5  # share of the stages in which most rows may differ from a centre of the table
_NAMED = 6  # parts in a sentence


class Part(NamedTuple):
    """A feature at one layer of a stage, from 0; the number of layers has neither layer nor feature.

    Examples
    --------
    >>> from nasbuild.table import Part
    >>> Part(0, 1, "op").text(space), Part(0, None, None).text(space)
    ('stage1.1.op', 'stage1.depth')
    """

    stage: int
    layer: int | None
    feature: str | None

    def text(self, space: Space) -> str:
        """``STAGE.LAYER.FEATURE`` or ``STAGE.depth``; without the layer where the stage has only one."""
        stage = space.stages[self.stage]
        layer = [] if self.layer is None or max(stage.depths) == 1 else [str(self.layer)]
        return ".".join([stage.name, *layer, self.feature or "depth"])

    def choice_of(self, space: Space, architecture: Architecture) -> Choice | Absent:
        """The choice that an architecture has there; a number of layers without a layer.

        Examples
        --------
        >>> from nasbuild.table import Part
        >>> architecture = table.architectures[0]
        >>> Part(0, 0, "op").choice_of(space, architecture), Part(0, None, None).choice_of(space, architecture)
        ('mb_e1_k3', 1)
        """
        module = architecture.modules[self.stage]
        if self.layer is None or self.feature is None:
            return len(module)
        names = [feature.name for feature in space.stages[self.stage].features]
        return module[self.layer][names.index(self.feature)]


def changed_parts(space: Space, reference: Architecture, architecture: Architecture) -> tuple[Part, ...]:
    """The parts in which an architecture differs from the reference.

    Another number of layers is one part, whatever the layers that come or go. Features that exist in only one of the two
    do not count: the choice that makes them exist does.

    Examples
    --------
    >>> from nasbuild.table import changed_parts
    >>> reference, other = table.architectures[0], table.architectures[1]
    >>> [part.text(space) for part in changed_parts(space, reference, other)]
    ['stage2.depth', 'stage3.depth', 'stage3.0.op']
    """
    found = []
    for u, (old, new) in enumerate(zip(reference.modules, architecture.modules, strict=True)):
        if old == new:
            continue
        stage = space.stages[u]
        if len(old) != len(new):
            found.append(Part(u, None, None))
        for n, (before, after) in enumerate(zip(old, new, strict=False)):
            for feature, a, b in zip(stage.features, before, after, strict=True):
                shared = n > 0 and feature.name in stage.shared
                if not shared and a is not ABSENT and b is not ABSENT and choice_key(a) != choice_key(b):
                    found.append(Part(u, n, feature.name))
    return tuple(found)


def all_parts(space: Space, reference: Architecture) -> tuple[Part, ...]:
    """All parts of the reference that have another choice in the space.

    Examples
    --------
    >>> from nasbuild.table import all_parts
    >>> [part.text(space) for part in all_parts(space, table.architectures[0])][:3]
    ['stage1.depth', 'stage1.0.op', 'stage2.depth']
    """
    found = []
    for u, (stage, module) in enumerate(zip(space.stages, reference.modules, strict=True)):
        if len(stage.depths) > 1:
            found.append(Part(u, None, None))
        for n, layer in enumerate(module):
            for feature, choice in zip(stage.features, layer, strict=True):
                if choice is ABSENT or len(feature.present) < 2 or (n > 0 and feature.name in stage.shared):
                    continue
                found.append(Part(u, n, feature.name))
    return tuple(found)


def centre_row(space: Space, architectures: Sequence[Architecture]) -> int | None:
    """The row from which the others differ in the fewest stages on average.

    None if most rows differ from it in more than half of the stages, so that it is no centre.

    Examples
    --------
    >>> from nasbuild.table import centre_row
    >>> centre_row(space, table.architectures) is None  # drawn from the whole space
    True
    """
    if not architectures:
        return None
    columns = []
    for u in range(len(space.stages)):
        codes: dict[object, int] = {}
        columns.append([codes.setdefault(a.modules[u], len(codes)) for a in architectures])
    modules = np.array(columns, dtype=np.int64)
    # The mean distance of a row is a sum over stages of how many rows have another module there.
    same = sum(np.bincount(column)[column] for column in modules)
    row = int(np.argmax(same))
    distance = (modules != modules[:, row : row + 1]).sum(axis=0)
    others = np.delete(distance, row)
    return row if len(others) and np.median(others) <= _NEAR * len(modules) else None


def reference_row(
    space: Space, architectures: Sequence[Architecture]
) -> tuple[Architecture, int | None] | None:
    """The declared reference, else the centre of the table, and its first row; None if there is neither.

    The row is None if the declared reference was not evaluated.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from nasbuild.table import reference_row
    >>> around = replace(space, reference=table.architectures[2])
    >>> reference_row(around, table.architectures)[1], reference_row(space, table.architectures)
    (2, None)
    """
    if space.reference is not None:
        return space.reference, next((n for n, a in enumerate(architectures) if a == space.reference), None)
    row = centre_row(space, architectures)
    return None if row is None else (architectures[row], row)


@dataclass(frozen=True)
class ReferenceChanges:
    """How the rows of a table differ from a reference.

    Attributes
    ----------
    reference
        The architecture that the others are changes of.
    row
        Its first row; None if it was not evaluated.
    declared
        Whether the space declares it; else it is the centre of the table.
    parts
        The changed parts of each row.

    Examples
    --------
    >>> from nasbuild.table import ReferenceChanges
    >>> from dataclasses import replace
    >>> around = replace(space, reference=table.architectures[0])
    >>> changes = ReferenceChanges.of(around, table.architectures)
    >>> changes.row, changes.declared, changes.counts[:2].tolist()
    (0, True, [0, 3])
    >>> changes.never_changed(around)
    ()
    """

    reference: Architecture
    row: int | None
    declared: bool
    parts: tuple[tuple[Part, ...], ...]

    @classmethod
    def of(cls, space: Space, architectures: Sequence[Architecture]) -> ReferenceChanges | None:
        """From the declared reference, else the centre of the table; None if there is neither.

        Examples
        --------
        >>> from nasbuild.table import ReferenceChanges
        >>> ReferenceChanges.of(space, table.architectures) is None
        True
        """
        found = reference_row(space, architectures)
        if found is None:
            return None
        reference, row = found
        parts = tuple(changed_parts(space, reference, a) for a in architectures)
        return cls(reference, row, space.reference is not None, parts)

    @property
    def counts(self) -> np.ndarray:
        """Number of changed parts of each row, (rows,)."""
        return np.array([len(own) for own in self.parts], dtype=np.int64)

    def among(self, rows: np.ndarray) -> ReferenceChanges:
        """The changes of some rows, ascending positions (some,).

        Examples
        --------
        >>> import numpy as np
        >>> from dataclasses import replace
        >>> from nasbuild.table import ReferenceChanges
        >>> around = replace(space, reference=table.architectures[1])
        >>> ReferenceChanges.of(around, table.architectures).among(np.array([1, 2])).row
        0
        """
        kept = rows.tolist()
        row = kept.index(self.row) if self.row in kept else None
        return replace(self, row=row, parts=tuple(self.parts[i] for i in kept))

    def never_changed(self, space: Space) -> tuple[Part, ...]:
        """Parts that no row changes."""
        changed = {part for own in self.parts for part in own}
        return tuple(part for part in all_parts(space, self.reference) if part not in changed)


def changes_summary(table: Table) -> dict[str, Any] | None:
    """The design of a table as plain data; None if it has no reference.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from nasbuild.table import changes_summary
    >>> around = replace(table, space=replace(space, reference=table.architectures[0]))
    >>> summary = changes_summary(around)
    >>> summary["declared"], summary["one"], summary["two"], summary["more"]
    (True, 0, 0, 40)
    """
    found = ReferenceChanges.of(table.space, table.architectures)
    if found is None:
        return None
    counts = Counter(found.counts.tolist())
    one, two = counts[1], counts[2]
    name = table.ids[found.row] if found.row is not None else architecture_id(table.space, found.reference)
    return {
        "reference": name,
        "declared": found.declared,
        "measured": found.row is not None,
        "equal": counts[0],
        "one": one,
        "two": two,
        "more": len(table) - counts[0] - one - two,
        "never_changed": [part.text(table.space) for part in found.never_changed(table.space)],
    }


def changes_text(summary: dict[str, Any]) -> str:
    """`changes_summary` in sentences.

    Examples
    --------
    >>> from nasbuild.table import changes_text
    >>> counts = {"equal": 1, "one": 60, "two": 19, "more": 181, "never_changed": ["block3.mlp"]}
    >>> changes_text({"reference": "r0", "declared": True, "measured": True} | counts)
    'reference r0 (declared): 60 rows change one part of it, 19 two, 181 more. Never changed: block3.mlp.'
    """
    source = "declared" if summary["declared"] else "found: from it the rows differ least"
    if not summary["measured"]:
        source += ", not in the table"
    text = (
        f"reference {short_id(summary['reference'])} ({source}): {summary['one']:,} row{'' if summary['one'] == 1 else 's'} "
        f"change{'s' if summary['one'] == 1 else ''} one part of it, {summary['two']:,} two, {summary['more']:,} more."
    )
    never = summary["never_changed"]
    if not never:
        return f"{text} Every part was changed."
    rest = f" and {len(never) - _NAMED:,} more parts" if len(never) > _NAMED else ""
    return f"{text} Never changed: {', '.join(never[:_NAMED])}{rest}."
