"""What each column is: id, metric, a part of the architecture, constant, or none of these."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from nasbuild.table.infer._index_patterns import IndexPattern, index_patterns
from nasbuild.table.infer._questions import Questions
from nasbuild.table.infer._typed_columns import TypedColumn
from nasbuild.table.infer._words import (
    IDS,
    Side,
    describes_run,
    is_hyperparameter,
    metric_name,
    metric_words,
    normal,
    side_of,
)

_WORD = re.compile(r"[A-Za-z_]\w*")
_FEW = 12
_MANY_CHOICES = 60


@dataclass
class Roles:
    """The columns by role.

    Attributes
    ----------
    parts
        Columns of the architecture, with the pattern of the name.
    metrics
        Column of each metric, by the metric's name.
    """

    id: TypedColumn | None = None
    parts: list[tuple[TypedColumn, IndexPattern]] = field(default_factory=list)
    metrics: dict[str, TypedColumn] = field(default_factory=dict)
    constant: list[TypedColumn] = field(default_factory=list)
    ignored: list[TypedColumn] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def column_roles(
    columns: Sequence[TypedColumn], wanted: Collection[str], literals: Collection[str], questions: Questions
) -> Roles:
    """Sort the columns of a table by role.

    Parameters
    ----------
    wanted
        Names of columns that are metrics for sure, or equations of them.
    literals
        Columns that were nested data, whose name stands before their fields.
    """
    roles = Roles()
    wanted = {
        name
        for text in wanted
        for name in (text.strip(), text.strip().lstrip("+-").strip(), *_WORD.findall(text))
    }
    names = frozenset(column.name for column in columns)
    sided = [(column, *_side(column.name, names, literals)) for column in columns]
    structured = any(side == "architecture" for _, side, _ in sided)
    patterns = index_patterns([rest for _, _, rest in sided])
    sizes = Counter((p.container, p.feature, len(p.indices)) for p in patterns if p.indices)
    roles.id = _id_column(sided)
    held = Counter(value for column in columns if column.type == "text" for value in column.distinct)
    for (column, side, rest), pattern in zip(sided, patterns, strict=True):
        if column is roles.id:
            continue
        several = sizes[pattern.container, pattern.feature, len(pattern.indices)]
        # Texts that other columns have as well are choices, however many there are; ids and remarks are not.
        common = 2 * sum(held[value] > 1 for value in column.distinct) > len(column.distinct)
        role = _role(column, side, rest, several, common, wanted, structured, questions)
        if role == "metric":
            if (
                pattern.indices
                and several > _FEW
                and column.name not in wanted
                and metric_words(rest).strength < 2
            ):
                # Values of each epoch or layer are no metrics of the network.
                roles.ignored.append(column)
                continue
            name = metric_name(column.name if column.name in wanted else rest)
            while name in roles.metrics:
                name += "_"
            roles.metrics[name] = column
        elif role == "part":
            roles.parts.append((column, pattern))
        elif role == "constant":
            roles.constant.append(column)
        else:
            roles.ignored.append(column)
    return roles


def _side(name: str, names: frozenset[str], literals: Collection[str]) -> tuple[Side | None, str]:
    for outer in literals:
        if name.startswith(f"{outer}."):
            side, rest = side_of(name, names)
            return (side, rest) if side is not None else (None, name[len(outer) + 1 :])
    return side_of(name, names)


def _id_column(sided: Sequence[tuple[TypedColumn, Side | None, str]]) -> TypedColumn | None:
    found: dict[str, TypedColumn] = {}
    for column, side, rest in sided:
        whole = (
            column.type == "number"
            and not column.is_fractional
            and not (column.distinct and column.distinct[0] < 0)
        )
        if side == "metric" or column.n_missing or not (whole or column.type == "text"):
            continue
        if len(column.distinct) == len(column.values) and all(
            not isinstance(v, str) or (v.isprintable() and v == v.strip() and v) for v in column.distinct
        ):
            found.setdefault(normal(rest), column)
    return next((found[name] for name in IDS if name in found), None)


def _role(
    column: TypedColumn,
    side: Side | None,
    rest: str,
    several: int,
    common: bool,
    wanted: Collection[str],
    structured: bool,
    questions: Questions,
) -> str:
    """metric, part, constant or ignored."""
    if column.name in wanted or rest in wanted or metric_name(rest) in wanted:
        return "metric" if column.type == "number" else "ignored"
    if (
        side == "ignore"
        or column.type == "other"
        or describes_run(rest)
        or (normal(rest) in IDS and side is None and not several)
    ):
        return "ignored"
    rows = len(column.values)
    distinct = len(column.distinct)
    if side == "metric":
        return "metric" if column.type == "number" and distinct > 1 else "ignored"
    if column.is_constant and not several:
        return "constant" if column.distinct or column.n_missing else "ignored"
    if side is None and column.type == "number":
        known = metric_words(rest)
        many = distinct > max(_FEW, 0.3 * rows) or (column.is_fractional and distinct > max(3, 0.6 * rows))
        if several > 1 and not (known.strength == 2 and many):
            many = False
        elif known.strength == 2:
            return "metric"
        if many and known.strength:
            return "metric"
        if many and not is_hyperparameter(rest):
            likeliest = "metric" if column.is_fractional or distinct > rows / 2 else "part"
            return _asked(column, rest, likeliest, questions)
        if known.strength == 1 and several <= 1 and not is_hyperparameter(rest) and distinct > 3:
            return _asked(column, rest, "part", questions)
    if structured and side is None and not several:
        # Where parts of the network have a prefix, what has none is no part.
        return "ignored"
    if column.type == "text" and not common and distinct > max(_FEW, min(_MANY_CHOICES, rows / 2)):
        return "ignored"
    return "part"


def _asked(column: TypedColumn, rest: str, likeliest: str, questions: Questions) -> str:
    texts = {
        "metric": "a metric, which was measured",
        "part": "a part of the network, which was chosen",
        "ignored": "neither, leave it out",
    }
    order = [likeliest, *(key for key in texts if key != likeliest)]
    shown = ", ".join(f"{v:g}" if isinstance(v, float) else str(v) for v in column.distinct[:3])
    text = f"Column {column.name!r} has {len(column.distinct):,} numbers ({shown}, ...). What is it?"
    return questions.ask(rest, text, {key: texts[key] for key in order})
