"""A search in a folder: written as it goes, taken up where it stopped."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from nasbuild._io import write_text
from nasbuild._text_input import reading
from nasbuild.errors import NasbuildError
from nasbuild.score import versions
from nasbuild.search._goal import Goal
from nasbuild.search._search_loop import Evaluate, Found, Metrics, Search, SearchSettings
from nasbuild.space import (
    Architecture,
    Space,
    architecture_id,
    load_space,
    save_space,
    space_to_dict,
)
from nasbuild.table import evaluated_table, read_table, write_table

SCHEMA_VERSION = 1
_SETTINGS, _SPACE, _EVALUATED, _FRONT = "search.json", "space.yaml", "archs.jsonl", "front.jsonl"
_PAUSE = 1.0  # seconds between two writes within a generation

Progress = Callable[[Found, int], None]
"""Called with what was found and the evaluations done, after every generation."""


def search_folder(
    folder: Path,
    space: Space,
    evaluate: Evaluate,
    goal: Goal,
    settings: SearchSettings,
    *,
    start: Sequence[Architecture] = (),
    progress: Progress = lambda *_: None,
) -> Found:
    """Search, with every evaluation written to ``folder``; one that was begun there goes on.

    ``archs.jsonl`` is a table of all evaluations, in order, ``front.jsonl`` holds those that none beats,
    ``space.yaml`` what was searched, ``search.json`` the settings and the hypervolume after every generation.
    What went before is not stored but found again: the search is run anew from its seed, and
    answered from the table as long as that knows the answer. So a search that was stopped ends exactly like one that
    was not, and one with a larger budget begins like the smaller one.

    Raises
    ------
    NasbuildError
        If the folder holds something else, or a search with other settings.
    """
    settled = _settled(space, goal, settings, start)
    known = _known(folder, space, goal, settled)
    folder.mkdir(parents=True, exist_ok=True)
    save_space(_told_space(space, goal), folder / _SPACE)
    search = Search(space, goal, settings, start)
    written = time.monotonic()
    _write_settings(folder, settled, settings, ())
    while asked := search.ask():
        for architecture in asked:
            if architecture in known:
                continue
            (metrics,) = evaluate([architecture])
            known[architecture] = dict(metrics)
            if time.monotonic() - written > _PAUSE:
                write_table(evaluated_table(space, known), folder / _EVALUATED)
                written = time.monotonic()
        search.tell([known[a] for a in asked])
        found = search.found()
        write_table(evaluated_table(space, known), folder / _EVALUATED)
        front = {a: known[a] for a in (found.architectures[i] for i in found.front)}
        write_table(evaluated_table(space, front), folder / _FRONT)
        _write_settings(folder, settled, settings, found.volumes)
        progress(found, len(found.architectures))
    return search.found()


def _settled(
    space: Space, goal: Goal, settings: SearchSettings, start: Sequence[Architecture]
) -> dict[str, Any]:
    """All that decides what is asked for; the budget only tells when to end."""
    chosen = asdict(settings)
    del chosen["budget"]
    return {
        "targets": [target.name for target in goal.targets],
        "bounds": [str(bound) for bound in goal.bounds],
        **chosen,
        "start": [architecture_id(space, a) for a in start],
    }


def _known(folder: Path, space: Space, goal: Goal, settled: Mapping[str, Any]) -> dict[Architecture, Metrics]:
    """Evaluations that the folder holds already."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return {}
    if not (folder / _SETTINGS).is_file():
        raise NasbuildError(
            "holds something else than a search", where=str(folder), todo="name another place"
        )
    earlier = _settings(folder / _SETTINGS)
    for name, value in settled.items():
        if earlier.get(name) != value:
            raise NasbuildError(
                f"holds a search with another {name}",
                where=str(folder),
                todo="name another place, or go on with the settings of search.json",
            )
    before = load_space(folder / _SPACE)
    if space_to_dict(before)["stages"] != space_to_dict(space)["stages"]:
        raise NasbuildError("holds a search in another space", where=str(folder), todo="name another place")
    if not (folder / _EVALUATED).is_file():
        return {}
    table = read_table(folder / _EVALUATED, before)
    # A metric that could never be measured is no column of the table.
    missing = {name: None for name in goal.metrics if name not in table.columns}
    return {
        a: {**missing, **{name: float(column[i]) for name, column in table.columns.items()}}
        for i, a in enumerate(table.architectures)
    }


def _settings(path: Path) -> dict[str, Any]:
    with reading(path, NasbuildError) as stream:
        text = stream.read()
    try:
        found = json.loads(text)
    except ValueError:
        raise NasbuildError("is damaged", where=str(path), todo="search in another folder") from None
    if not isinstance(found, dict) or found.get("schema") != SCHEMA_VERSION:
        raise NasbuildError(
            "is of a version that this one can't read", where=str(path), allowed=f"schema {SCHEMA_VERSION}"
        )
    return found


def _told_space(space: Space, goal: Goal) -> Space:
    """The space with directions of the metrics that are targets, so that its table can be learnt from."""
    more = {t.name: t.metric for t in goal.targets if t.metric is not None}
    return replace(space, metrics={**space.metrics, **more})


def _write_settings(
    folder: Path, settled: Mapping[str, Any], settings: SearchSettings, volumes: Sequence[float]
) -> None:
    content = {
        "schema": SCHEMA_VERSION,
        **settled,
        "budget": settings.budget,
        "volumes": list(volumes),
        "versions": versions(),
    }
    write_text(folder / _SETTINGS, json.dumps(content, indent=1) + "\n")
