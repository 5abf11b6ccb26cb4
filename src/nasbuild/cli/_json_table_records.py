"""Objects about spaces and tables inside the ``--json`` output of commands; `Record` is the base of all such objects."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int | None, Field(description="null from 10^300 on; see the field ..._log10")]


class Record(BaseModel):
    """Later versions may add keys; the keys named here stay."""

    model_config = ConfigDict(extra="allow", use_attribute_docstrings=True)


class FeatureRange(Record):
    """The numbers that a feature may be."""

    low: float
    high: float
    scale: str
    """linear or log."""
    step: float | None
    """Null where every number is allowed."""


class Stage(Record):
    """A stage of a space."""

    stage: str
    depths: list[int]
    """Possible numbers of layers."""
    modules: Count
    """Number of possible modules."""
    modules_log10: float
    listed: bool
    """Whether the space lists the modules of the stage, as a reduced space does."""
    features: dict[str, list[bool | int | float | str | list[Any] | None]]
    """Choices of each feature."""
    shared: list[str]
    """Features whose choice all layers share."""
    conditions: dict[str, dict[str, list[bool | int | float | str | list[Any] | None]]] = {}
    """Features that exist only with choices of others: these choices, by the other feature."""
    ranges: dict[str, FeatureRange] = {}
    """Features that may be any number of a range; their ``features`` are examples."""


class InferredMetric(Record):
    """A metric with the direction that its name or its study says."""

    direction: str
    """maximize or minimize."""
    unit: str


class ReadingQuestion(Record):
    """A question on what a table means."""

    key: str
    text: str
    options: dict[str, str]
    """Text of each possible answer, the likeliest first."""
    answer: str
    given: bool
    """Whether the answer was given; otherwise it was assumed."""


class CostComparison(Record):
    """A declared cost, compared with the column of its name in the table."""

    cost: str
    unit: str
    compared: int | None = None
    """Number of compared rows; null without such a column."""
    differ: int | None = None
    """Number of rows that differ."""
    largest_difference: float | None = None


class AttributeSummary(Record):
    """Numbers of the choices of a feature."""

    feature: str
    attribute: str
    choices: int
    """How many choices the feature has."""
    minimum: float
    maximum: float


class MetricSummary(Record):
    """Values of a metric in a table."""

    metric: str
    direction: str | None
    """maximize or minimize; null if not declared."""
    unit: str | None
    values: int
    """Number of values that are not missing."""
    min: float | None
    median: float | None
    max: float | None


class Note(Record):
    """Something noticed while reading a table."""

    kind: str
    text: str
    rows: list[str]
    """The rows concerned, if they are listed."""


class ReferenceChanges(Record):
    """A table as changes of a reference."""

    reference: str
    """Id of the reference."""
    declared: bool
    """Whether the space declares it; else it is the row from which the others differ least."""
    measured: bool
    """Whether a row of the table is the reference."""
    equal: int
    """Number of rows that are the reference."""
    one: int
    """Number of rows that change one part of it."""
    two: int
    more: int
    never_changed: list[str]
    """Parts that no row changes."""


class TableSummary(Record):
    """A validated table."""

    rows: int
    metrics: list[MetricSummary]
    notes: list[Note]
    unseen: list[dict[str, Any]]
    """Choices of each stage that no row has."""
    changes: ReferenceChanges | None = None
    """How the rows differ from the reference; null without one."""
