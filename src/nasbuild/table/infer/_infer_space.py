"""Infers a space from a table, with the names of the table's own columns."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from nasbuild.errors import SpaceError, TableError
from nasbuild.space import DIGITS, LITERALS, Space, space_from_dict
from nasbuild.table._column_names import FlatNames
from nasbuild.table._source import Source, join_lists, read_source
from nasbuild.table.infer._draft_space import DraftSpace, metric_direction
from nasbuild.table.infer._questions import Question, Questions
from nasbuild.table.infer._roles import Roles, column_roles
from nasbuild.table.infer._stages import guess_stages
from nasbuild.table.infer._typed_columns import typed_columns
from nasbuild.table.quantizers._assigned import Assigned
from nasbuild.table.quantizers._assigned_space import assigned_space


@dataclass(frozen=True)
class Guess:
    """What a table seems to be.

    Attributes
    ----------
    space
        With the names of the table's columns, unless these are nasbuild's own.
    rows
        Number of rows that could be read.
    notes
        What was left out, and what the space cannot say.
    questions
        Where several readings are possible, with the one taken.
    source
        Name of the table.

    Examples
    --------
    >>> import polars as pl
    >>> from nasbuild.table import guess_space
    >>> frame = pl.DataFrame({"op1": ["a", "b", "b"], "op2": ["a", "a", "b"], "acc": [71.2, 73.0, 72.5]})
    >>> guess = guess_space(frame)
    >>> guess.rows, len(guess.space.stages), [question.key for question in guess.open]
    (3, 2, ['op'])
    """

    space: Space
    rows: int
    notes: tuple[str, ...]
    questions: tuple[Question, ...]
    source: str
    held: Source = field(repr=False, compare=False)

    @property
    def open(self) -> tuple[Question, ...]:
        """The questions that were not answered, of which the likeliest answer was taken."""
        return tuple(question for question in self.questions if not question.given)


def infer_space(
    source: Any,
    *,
    metrics: Collection[str] = (),
    answers: Mapping[str, str] | None = None,
    name: str | None = None,
) -> Space:
    """The space of a table that was made without nasbuild.

    Stages, depths, features, metrics and their directions follow from the names of columns, from values, and from
    what varies. Where two readings are possible the likeliest is taken; `guess_space` says which.

    Parameters
    ----------
    source
        As in `read_table`.
    metrics
        Columns that are metrics for sure, or equations of them, such as the targets of a fit.
    answers
        Answers to questions that `guess_space` lists, by their keys.
    name
        Name of the space; by default that of the file.

    Returns
    -------
    A space whose ``columns`` name the table's own, so that `read_table` reads the table as it is.

    Raises
    ------
    TableError
        If the table can't be read, or nothing in it varies that could be an architecture.

    Examples
    --------
    >>> import polars as pl
    >>> from nasbuild.table import infer_space, read_table
    >>> frame = pl.DataFrame({"d1": [1, 2], "k1_1": [3, 5], "k1_2": [None, 3], "acc": [71.2, 73.0]})
    >>> space = infer_space(frame)
    >>> space.stages[0].depths, space.stages[0].features[0].name, space.metrics["acc"].direction
    ((1, 2), 'kernel', 'maximize')
    >>> len(read_table(frame, space))
    2
    """
    return guess_space(source, metrics=metrics, answers=answers, name=name).space


def guess_space(
    source: Any,
    *,
    metrics: Collection[str] = (),
    answers: Mapping[str, str] | None = None,
    name: str | None = None,
) -> Guess:
    """As `infer_space`, with notes and the questions where several readings are possible.

    ``source`` may also be an earlier guess, whose table is not read again.

    Examples
    --------
    >>> import polars as pl
    >>> from nasbuild.table import guess_space
    >>> columns = {"op1": ["a", "b", "b", "a"], "op2": ["a", "a", "b", "b"], "seen": [0.11, 0.52, 0.37, 0.4]}
    >>> frame = pl.DataFrame(columns)
    >>> guess = guess_space(frame)
    >>> [question.key for question in guess.questions]
    ['seen', 'op', 'seen.direction']
    """
    held = source.held if isinstance(source, Guess) else read_source(source)
    if not held.good:
        bad = next((row for row in held.rows if isinstance(row, TableError)), None)
        raise TableError(
            "the table is empty" if bad is None else f"no row could be read: {bad}", where=held.where
        )
    questions = Questions(answers or {})
    if held.assigned is not None:
        return _guess_of_assigned(held, held.assigned, questions, name or _space_name(source, held))
    columns = typed_columns(held)
    roles = column_roles(columns, metrics, held.literals, questions)
    if split := _repeats_others(held, roles):
        # The ids of a table that nasbuild wrote, for example.
        join_lists(held, split)
        questions, columns = Questions(answers or {}), typed_columns(held)
        roles = column_roles(columns, metrics, held.literals, questions)
    digits = [name for name, kind in held.literals.items() if kind == DIGITS]
    found = guess_stages(roles.parts, questions, digits)
    own_name = _space_name(source, held) if name is None else name
    for usual_words in (False, True):
        # Names that nasbuild itself would write stay as they are.
        draft = DraftSpace(held, roles, usual_words)
        draft.stages(deepcopy(found))
        draft.metrics(Questions(answers or {}) if usual_words else questions)
        try:
            space = space_from_dict(draft.data(own_name))
        except SpaceError as error:
            raise TableError(f"no space could be inferred ({error})", where=held.where) from None
        if _is_plain(space, held):
            space = replace(space, columns=None)
            break
    questions.check()
    notes = [*draft.notes, *draft.left_out()]
    notes += [
        f"{name} is read as one stage, a layer for each digit; a number gets back the leading zeros that it lost"
        if kind == DIGITS
        else f"the texts of {name} are lists, separated by {' and '.join(dict.fromkeys(kind))}"
        for name, kind in held.literals.items()
        if kind not in LITERALS and space.columns is not None and name in space.columns.literals
    ]
    if held.unnamed:
        notes.append("a column without a name, such as the index that pandas writes, was left out")
    return Guess(space, len(held.good), tuple(notes), tuple(questions.asked), held.where, held)


def _guess_of_assigned(held: Source, assigned: Assigned, questions: Questions, name: str) -> Guess:
    """The space of a quantiser's file, whose layout is known: only the meaning of a metric may be asked."""
    directions = {
        metric: assigned.directions.get(metric) or metric_direction(metric, metric, questions)
        for metric in assigned.metrics
    }
    rows = [row for _, row in held.good]
    data, notes = assigned_space(assigned, rows, directions, name)
    try:
        space = space_from_dict(data)
    except SpaceError as error:
        raise TableError(f"no space could be inferred ({error})", where=held.where) from None
    questions.check()
    texts = [note.text for note in (*assigned.notes, *notes)]
    return Guess(space, len(rows), tuple(texts), tuple(questions.asked), held.where, held)


def _repeats_others(held: Source, roles: Roles) -> list[str]:
    """Columns whose texts list operations, where other columns describe the architecture."""
    split = [name for name, kind in held.literals.items() if kind not in LITERALS]
    starts = tuple(f"{name}[" for name in split)
    others = any(not column.name.startswith(starts) for column, _ in roles.parts)
    return split if split and others else []


def _is_plain(space: Space, source: Source) -> bool:
    """Whether the table has nasbuild's own form, so that no column needs another name."""
    if source.own_form:
        return True
    assert space.columns is not None
    plain, own = FlatNames(space, own=False), space.columns
    metrics = all(name == column for name, column in own.metrics.items())
    known = set(plain.written()) == set(own.of_architecture()) and own.id in (None, "id")
    return known and metrics and not (own.constant or own.ignore or own.literals or own.missing)


def _space_name(source: Any, held: Source) -> str:
    named = str(source) if isinstance(source, str | os.PathLike) else held.where.removeprefix("study ")
    stem = re.split(r"[.#]", Path(named.partition("://")[2] or named).name)[0]
    return re.sub(r"[^\w\-]+", "-", stem).strip("-")[:100] or "table"
