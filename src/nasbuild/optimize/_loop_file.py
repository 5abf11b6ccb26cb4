"""The file ``loop.json``: settings and rounds of a loop, so that a stopped loop can continue."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from nasbuild._atomic_write import PARTIAL, write_text
from nasbuild._text_input import reading
from nasbuild.errors import NasbuildError
from nasbuild.optimize._loop_settings import LoopSettings
from nasbuild.optimize._next_batch import ORIGINS, Candidate
from nasbuild.optimize._race import Race
from nasbuild.optimize._reference_start import reference_start
from nasbuild.optimize._round_summary import RoundPlan, RoundSummary
from nasbuild.predictor import AnyRecipe
from nasbuild.score import versions
from nasbuild.search import Goal
from nasbuild.space import Space, parse_architecture, space_to_dict, to_dict

SCHEMA_VERSION = 4
LOOP = "loop.json"


def settled(
    space: Space, evaluator: str, goal: Goal, settings: LoopSettings, recipe: AnyRecipe
) -> dict[str, Any]:
    """The settings that determine the candidates; rounds, budget and race only limit their number."""
    return {
        "space": space_to_dict(Space(space.name, space.stages)),
        "evaluator": evaluator,
        "targets": [target.name for target in goal.targets],
        "bounds": (
            [[str(bound) for bound in own] for own in goal.budgets]
            if goal.budgets
            else [str(bound) for bound in goal.bounds]
        ),
        "first": _first(space, settings),
        "batch": settings.batch,
        "seed": settings.seed,
        "recipe": json.loads(json.dumps(recipe.as_dict())),
    }


def _first(space: Space, settings: LoopSettings) -> Any:
    """What determines the first round. How many single changes there are without ``first`` depends on the budget."""
    start = reference_start(space, settings.seed)
    if not start:
        return settings.begin
    return {"reference": to_dict(space, start[0].architecture), "evaluations": settings.first}


def write_loop(
    folder: Path,
    decided: Mapping[str, Any],
    rounds: Sequence[RoundPlan],
    summaries: Sequence[RoundSummary],
    space: Space,
    race: Race | None = None,
) -> None:
    """Writes settings, rounds, their summaries, and the race if there was one."""
    content = {
        "schema": SCHEMA_VERSION,
        **decided,
        "versions": versions(),
        "summaries": [_without_nan(asdict(one)) for one in summaries],
        "rounds": [
            {
                "note": r.note,
                "asked": [
                    {
                        "arch": to_dict(space, asked.architecture),
                        "why": asked.origin,
                        "predicted": _numbers(r.predicted[i]),
                        "std": _numbers(r.std[i]),
                        "failing": None if r.failing is None else float(r.failing[i]),
                    }
                    for i, asked in enumerate(r.candidates)
                ],
            }
            for r in rounds
        ],
        **({} if race is None else {"race": _race(race, space)}),
    }
    write_text(folder / LOOP, json.dumps(content, indent=1) + "\n")


def _race(race: Race, space: Space) -> dict[str, Any]:
    """The race for readers of the file. A continued loop gets its evaluations from the store."""
    return {
        "spent": race.spent,
        "failed": race.failed,
        "same": race.same,
        "chosen": to_dict(space, race.chosen),
        "racers": [
            {
                "arch": to_dict(space, one.architecture),
                **_without_nan({"first": one.first, "predicted": one.predicted, "std": one.std}),
                "readings": list(one.readings),
                **_without_nan({"mean": one.mean, "error": one.error}),
            }
            for one in race.racers
        ],
    }


def read_rounds(folder: Path, decided: Mapping[str, Any], space: Space) -> list[RoundPlan]:
    """Reads the rounds of a loop in a folder; none if the folder is new.

    Raises
    ------
    NasbuildError
        If the folder contains something else, a loop with other settings, or a damaged loop.
    """
    if folder.exists() and not folder.is_dir():
        raise NasbuildError("is not a folder", where=str(folder), todo="name another place")
    # A killed process may have left a partial file.
    if not folder.exists() or all(PARTIAL.fullmatch(path.name) for path in folder.iterdir()):
        return []
    if not (folder / LOOP).is_file():
        raise NasbuildError(
            "contains something other than a loop", where=str(folder), todo="name another place"
        )
    path = folder / LOOP
    with reading(path, NasbuildError) as stream:
        text = stream.read()
    try:
        content = json.loads(text)
        schema = content["schema"]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise _damaged(path) from None
    if schema != SCHEMA_VERSION:
        raise NasbuildError(
            "has a version that can't be read here", where=str(path), allowed=f"schema {SCHEMA_VERSION}"
        )
    for name, value in decided.items():
        if content.get(name) != value:
            raise NasbuildError(
                f"contains a loop with {'other bounds' if name == 'bounds' else f'another {name}'}",
                where=str(folder),
                todo=f"name another place, or continue with the settings of {LOOP}",
            )
    try:
        rounds = [_round(one, space, len(decided["targets"])) for one in content["rounds"]]
        asked = [one.architecture for found in rounds for one in found.candidates]
        if len(set(asked)) < len(asked):
            raise ValueError("a candidate occurs twice")
        return rounds
    except (NasbuildError, ValueError, TypeError, KeyError):
        raise _damaged(path) from None


def _round(content: Mapping[str, Any], space: Space, targets: int) -> RoundPlan:
    rows = content["asked"]
    origins = [row["why"] for row in rows]
    if not set(origins) <= set(ORIGINS):
        raise ValueError(origins)
    asked = tuple(Candidate(parse_architecture(space, row["arch"]), row["why"]) for row in rows)
    predicted, std = (
        np.array([row[name] for row in rows], dtype=np.float64).reshape(len(rows), targets)
        for name in ("predicted", "std")
    )
    failing = np.array([row["failing"] for row in rows], dtype=np.float64)
    known = len(rows) > 0 and not np.isnan(failing).any()
    return RoundPlan(asked, predicted, std, str(content["note"]), failing if known else None)


def _damaged(path: Path) -> NasbuildError:
    return NasbuildError("is damaged", where=str(path), todo="name another place")


def _numbers(values: np.ndarray) -> list[float | None]:
    return [float(v) if np.isfinite(v) else None for v in values]


def _without_nan(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        k: _numbers(np.array(v)) if isinstance(v, tuple) else None if v != v else v for k, v in values.items()
    }
