"""What came of an evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Measured = Mapping[str, float | None]
"""Metrics by name; None for what could not be measured."""


class Noted(dict[str, float | None]):
    """Metrics, and what is to be said about them, such as why one is missing."""

    def __init__(self, metrics: Measured, notes: Sequence[str] = ()) -> None:
        super().__init__(metrics)
        self.notes = tuple(notes)


@dataclass(frozen=True)
class Result:
    """What came of an evaluation.

    Attributes
    ----------
    metrics
        None if it failed.
    reason
        Why it failed.
    seconds
        How long it took.
    notes
        What was told and is not among the metrics, what the space does not declare, and what an evaluator says besides
        (`Noted`).
    code
        Of the evaluator that told it (`nasbuild.evaluate.code_of`); None if it is not known, and before it is kept.
    """

    metrics: Measured | None
    reason: str | None = None
    seconds: float | None = None
    notes: tuple[str, ...] = ()
    code: str | None = None
