"""Next steps as they are shown: none twice, each command with the place of its fit."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Sequence
from typing import Any

RUN = "\0"
"""Stands for the fit folder in commands and texts of steps: what makes them doesn't know the place. No name holds it."""
UNKNOWN = "RUN"
"""What is shown where nobody tells the place."""

Step = dict[str, Any]
Place = str | os.PathLike[str] | None


def shown_steps(steps: Iterable[Step], place: Place, before: Sequence[Step] = ()) -> list[Step]:
    """Steps with the fit folder's place as the user gave it, quoted for a shell; what was told before is left out.

    Parameters
    ----------
    place
        Of the fit folder; None where it isn't known.
    before
        Steps that were shown already.
    """
    where = UNKNOWN if place is None else shlex.quote(os.fspath(place))
    found: list[Step] = []
    for step in steps:
        whole = {k: v.replace(RUN, where) if isinstance(v, str) else v for k, v in step.items()}
        if whole not in found and whole not in before:
            found.append(whole)
    return found
