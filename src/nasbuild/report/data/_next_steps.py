"""Next steps: their commands, with the path of the fit folder filled in when they are shown."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nasbuild.score import Fit, TargetFit
    from nasbuild.space import Space

PLACE = "\0"
"""Placeholder for the fit folder in texts and commands of steps, whose path is not known yet. No name contains it."""
UNKNOWN_PLACE = "FIT"
"""Shown if the path stays unknown."""

Step = dict[str, Any]
Place = str | os.PathLike[str] | None


def shown_steps(steps: Iterable[Step], place: Place, before: Sequence[Step] = ()) -> list[Step]:
    """Returns steps with the path of the fit folder, quoted for a shell, without repetitions.

    Parameters
    ----------
    place
        Path of the fit folder; None if it is unknown.
    before
        Steps that were shown already.
    """
    where = UNKNOWN_PLACE if place is None else shlex.quote(os.fspath(place))
    found: list[Step] = []
    for step in steps:
        filled = {k: v.replace(PLACE, where) if isinstance(v, str) else v for k, v in step.items()}
        if filled not in found and filled not in before:
            found.append(filled)
    return found


def rows_file(space: Space, name: str) -> str:
    """Returns a file name for rows of architectures: CSV where the user's own table has columns.

    Examples
    --------
    >>> from nasbuild.report import rows_file
    >>> rows_file(fit.space, "built")
    'built.jsonl'
    """
    return f"{name}.jsonl" if space.columns is None else f"{name}.csv"


def propose_command(fit: Fit, target_fit: TargetFit, n: int) -> str:
    """Returns the command that proposes ``n`` architectures to evaluate next."""
    target = target_option(fit, target_fit)
    return f"nasbuild build {PLACE} --propose {n}{target} --out {rows_file(fit.space, 'next')}"


def target_option(fit: Fit, target_fit: TargetFit) -> str:
    """Returns the option that names a target; empty if the fit has no other."""
    return f" --target {shlex.quote(target_fit.target.name)}" if len(fit.targets) > 1 else ""


def fit_command(fit: Fit, target_fit: TargetFit, recipe: str) -> str:
    """Returns the command that fits a target on the same table with another recipe."""
    seed = f" --seed {fit.seed}" if fit.seed else ""
    target = shlex.quote(target_fit.target.name)
    call = f"nasbuild fit --space {PLACE} --data {PLACE} --target {target} --recipe {recipe}{seed}"
    return f"{call} --out {PLACE}-{recipe}"
