"""The result of an evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MetricValues = Mapping[str, float | None]
"""Metrics by name; None for a metric that could not be measured."""


class AnnotatedMetrics(dict[str, float | None]):
    """Metrics with notes for the user, such as why one of them is missing."""

    def __init__(self, metrics: MetricValues, notes: Sequence[str] = ()) -> None:
        super().__init__(metrics)
        self.notes = tuple(notes)


@dataclass(frozen=True)
class Result:
    """The result of an evaluation.

    Attributes
    ----------
    metrics
        None if the evaluation failed.
    reason
        Why it failed.
    seconds
        Its duration.
    notes
        Values that are not among the metrics, metrics that the space does not declare, and notes of the evaluator
        (`AnnotatedMetrics`).
    code
        Checksum of the code of the evaluator that produced it; None if unknown, and before it is stored.

    Examples
    --------
    >>> Result({"acc": 93.1}, seconds=2.5).metrics["acc"]
    93.1
    >>> Result(None, "took longer than 60 s").metrics is None
    True
    """

    metrics: MetricValues | None
    reason: str | None = None
    seconds: float | None = None
    notes: tuple[str, ...] = ()
    code: str | None = None
