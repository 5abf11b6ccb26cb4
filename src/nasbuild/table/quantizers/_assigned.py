"""What a quantiser's file says: rows that give layers choices, by their names or by patterns of names."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from nasbuild.errors import TableError
from nasbuild.table._table import Note
from nasbuild.table.quantizers._name_patterns import names_of_pattern

UNCHANGED = "unchanged"
"""The choice of layers that a measurement left as they were, in files that do not name their type."""
DEFAULT = "default"
"""The choice of layers that a file does not name, where it does not say which one they have."""
_WHOLE = ("f32",)  # quantisers keep norms and biases in it, so they are no choice


@dataclass(frozen=True)
class Rule:
    """The choice of a layer, or of all layers whose name has a match of a regular expression."""

    name: str
    choice: str
    is_pattern: bool = False

    def among(self, names: Iterable[str], where: str) -> list[str]:
        """The names that it is about."""
        if not self.is_pattern:
            return [name for name in names if name == self.name]
        try:
            pattern = re.compile(self.name)
        except re.error as error:
            raise TableError(f"{self.name!r} is no regular expression ({error})", where=where) from None
        # Files of GGUF types have the names of tensors, which end in .weight.
        return [n for n in names if pattern.search(n) or pattern.search(f"{n}.weight")]

    def named(self, where: str) -> list[str]:
        """The names that it spells out."""
        return names_of_pattern(self.name, where) if self.is_pattern else [self.name]


@dataclass(frozen=True)
class AssignedRow:
    """An architecture as a file gives it.

    Attributes
    ----------
    name
        Id of the row; None for that of the architecture.
    rules
        The first one that is about a layer counts.
    rest
        Choice of layers that no rule is about, by layer or for all; None if there is none.
    """

    where: str
    name: str | None
    rules: tuple[Rule, ...]
    rest: str | Mapping[str, str] | None = None
    metrics: Mapping[str, float] = field(default_factory=dict[str, float])

    def choices(self, names: Collection[str]) -> dict[str, str]:
        """The choice of each of some layers; without those that it gives none."""
        found: dict[str, str] = {}
        for rule in self.rules:
            for name in rule.among(names, self.where):
                found.setdefault(name, rule.choice)
        for name in names:
            if name not in found and (rest := self._rest(name)) is not None:
                found[name] = rest
        return found

    def _rest(self, name: str) -> str | None:
        return self.rest if isinstance(self.rest, str | None) else self.rest.get(name)

    def named(self) -> Iterator[str]:
        """The layers that it names."""
        for rule in self.rules:
            yield from rule.named(self.where)
        if isinstance(self.rest, Mapping):
            yield from self.rest


@dataclass
class Assigned:
    """All rows of a file or folder.

    Attributes
    ----------
    reference
        Choice of each layer, or of all, in the architecture that the others are changes of; None if the file has none.
    directions, units
        Of metrics whose meaning the format fixes.
    costs
        Exact values by cost, layer and choice, which add up.
    """

    where: str
    rows: list[AssignedRow]
    reference: str | Mapping[str, str] | None = None
    directions: dict[str, str] = field(default_factory=dict[str, str])
    units: dict[str, str] = field(default_factory=dict[str, str])
    costs: dict[str, dict[str, dict[str, float]]] = field(
        default_factory=dict[str, dict[str, dict[str, float]]]
    )
    notes: list[Note] = field(default_factory=list[Note])

    def layers(self) -> list[str]:
        """The layers that any row names, in order, without those that are never quantised."""
        found: dict[str, set[str]] = {}
        for row in self.rows:
            for rule in row.rules:
                for name in rule.named(row.where):
                    found.setdefault(name, set()).add(rule.choice)
            if isinstance(row.rest, Mapping):
                for name, choice in row.rest.items():
                    found.setdefault(name, set()).add(choice)
        return [name for name, choices in found.items() if not choices <= {*_WHOLE}]

    @property
    def metrics(self) -> list[str]:
        """Names of metrics, those of most rows first."""
        counts = Counter(name for row in self.rows for name in row.metrics)
        return [name for name, _ in counts.most_common()]


def together(where: str, parts: Iterable[Assigned]) -> Assigned:
    """The rows of several files as one.

    Raises
    ------
    TableError
        If they are changes of different references.
    """
    whole = Assigned(where, [])
    for part in parts:
        whole.rows += part.rows
        whole.directions |= part.directions
        whole.units |= part.units
        for cost, layers in part.costs.items():
            whole.costs.setdefault(cost, {}).update(layers)
        whole.notes += [note for note in part.notes if note not in whole.notes]
        if part.reference is None:
            continue
        if whole.reference is not None and whole.reference != part.reference:
            raise TableError(
                "has files whose rows are changes of different architectures",
                where=part.where,
                todo="read them apart",
            )
        whole.reference = part.reference
    whole.rows = _without_repeats(whole.rows)
    return whole


def _without_repeats(rows: Iterable[AssignedRow]) -> list[AssignedRow]:
    """Two files may have measured different metrics of the same architectures, which are then one row."""
    found: dict[object, AssignedRow] = {}
    for row in rows:
        rest = frozenset(row.rest.items()) if isinstance(row.rest, Mapping) else row.rest
        key: object = (row.name, row.rules, rest)
        other = found.get(key)
        if other is not None and not {*other.metrics} & {*row.metrics}:
            found[key] = replace(other, metrics={**other.metrics, **row.metrics})
        else:
            found[(key, len(found)) if other is not None else key] = row
    return list(found.values())
