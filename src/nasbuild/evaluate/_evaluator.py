"""What tells the metrics of an architecture: a function of the user's, a table, or a real training."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nasbuild._functions import find_function
from nasbuild.errors import NasbuildError
from nasbuild.evaluate._command import EvaluationError, check_command, run_command
from nasbuild.space import Architecture, Metric, Space, architecture_id, to_dict
from nasbuild.table import builtin_tables, read_table

TRAINED = "digits"
"""Name of the evaluator that trains architectures of the digits-macro space."""
_COMMAND = "command:"
_ALLOWED = (
    TRAINED,
    "FILE.py:FUNCTION",
    "MODULE:FUNCTION",
    "command:PROGRAM ARGUMENTS",
    "a table of evaluated architectures",
)


@dataclass(frozen=True)
class Evaluator:
    """Metrics of architectures, one at a time.

    Attributes
    ----------
    metrics
        What is told, with direction and unit.
    measure
        An architecture to its metrics; None for what could not be measured.
    """

    name: str
    metrics: Mapping[str, Metric]
    measure: Callable[[Architecture], Mapping[str, float | None]]

    def __call__(self, architectures: Sequence[Architecture]) -> list[Mapping[str, float | None]]:
        """Metrics of each; None for all of one whose evaluation failed."""
        return [self._told(architecture) for architecture in architectures]

    def _told(self, architecture: Architecture) -> Mapping[str, float | None]:
        try:
            return self.measure(architecture)
        except EvaluationError:
            return dict.fromkeys(self.metrics)


def load_evaluator(name: str, space: Space, *, seed: int = 0, limit: float | None = None) -> Evaluator:
    """An evaluator by its name.

    Parameters
    ----------
    name
        ``"digits"`` trains; ``"FILE.py:FUNCTION"`` or ``"MODULE:FUNCTION"`` calls a function with an
        architecture as in ``archs.jsonl`` (``{"stages": [[{feature: choice}, ...], ...]}``), which returns the metrics
        that the space declares; ``"command:PROGRAM ARGUMENTS"`` gets the same as a line of JSON and answers with one;
        anything else is a table, in which architectures are looked up: what is not
        in it could not be measured.
    seed
        Of trainings.
    limit
        Seconds that a command may take.

    Raises
    ------
    NasbuildError
        If there is none of that name.
    """
    if name == TRAINED:
        return _digits(space, seed)
    if name.startswith(_COMMAND):
        command = name.removeprefix(_COMMAND).strip()
        check_command(command)
        return _function(name, lambda arch: run_command(command, arch, limit), space)
    place, _, function = name.rpartition(":")
    if place and function.isidentifier():
        where = f"--evaluator {name}"
        return _function(name, find_function(place, function, where=where, allowed=_ALLOWED), space)
    if name in builtin_tables() or Path(name).exists():
        return _looked_up(name, space)
    raise NasbuildError(f"there is no evaluator {name!r}", where="--evaluator", allowed=_ALLOWED)


def _digits(space: Space, seed: int) -> Evaluator:
    from nasbuild.evaluate.digits.train import train_arch

    def measure(architecture: Architecture) -> dict[str, float]:
        return train_arch([[str(layer[0]) for layer in module] for module in architecture], seed)

    if [f.name for stage in space.stages for f in stage.features] != ["op"] * 3:
        raise NasbuildError(
            f"can't train architectures of space {space.name!r}",
            where=f"--evaluator {TRAINED}",
            todo="use --space digits-macro",
        )
    told = {"acc": Metric("acc", "maximize", "%"), "loss": Metric("loss", "minimize", "nats")}
    return Evaluator(TRAINED, told, measure)


def _looked_up(name: str, space: Space) -> Evaluator:
    table = read_table(name, space)

    def measure(architecture: Architecture) -> dict[str, float | None]:
        row = table.row_of.get(architecture)
        return {m: None if row is None else float(v[row]) for m, v in table.columns.items()}

    return Evaluator(name, table.metrics, measure)


def _function(name: str, function: Callable[[dict[str, Any]], Any], space: Space) -> Evaluator:
    if not space.metrics:
        raise NasbuildError(
            f"space {space.name!r} declares no metrics, so nobody knows what is better",
            where="--evaluator",
            todo="add metrics with their directions to the space",
        )

    def measure(architecture: Architecture) -> dict[str, float | None]:
        told = function(to_dict(space, architecture))
        if not isinstance(told, Mapping):
            raise _wrong(name, space, architecture, f"returned {type(told).__name__}", "a dict of metrics")
        return {
            str(metric): _number(value, str(metric), name, space, architecture)
            for metric, value in told.items()  # pyright: ignore[reportUnknownVariableType]
        }

    return Evaluator(name, space.metrics, measure)


def _number(value: Any, metric: str, name: str, space: Space, architecture: Architecture) -> float | None:
    if value is None:
        return None
    try:
        found = float(value)
    except (TypeError, ValueError):
        raise _wrong(name, space, architecture, f"tells {metric} as {value!r}", "numbers, and None") from None
    return found if math.isfinite(found) else None


def _wrong(name: str, space: Space, architecture: Architecture, what: str, allowed: str) -> NasbuildError:
    where = f"evaluator {name}, architecture {architecture_id(space, architecture)}"
    return NasbuildError(what, where=where, allowed=allowed)
