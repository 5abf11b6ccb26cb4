"""A search in a folder: written as it goes, taken up where it stopped."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from nasbuild._atomic_write import PARTIAL, write_text
from nasbuild._text_input import reading
from nasbuild.errors import NasbuildError
from nasbuild.evaluate import Executor, Result, Spec, Store
from nasbuild.optimize._repeats import Progress, evaluated
from nasbuild.optimize._unmeasured import nothing_measured
from nasbuild.score import versions
from nasbuild.search import Goal, Search, SearchResult, SearchSettings
from nasbuild.space import (
    Architecture,
    Space,
    architecture_id,
    load_space,
    save_space,
    space_to_dict,
)
from nasbuild.table import table_from_evaluations, write_table

SCHEMA_VERSION = 2
STORE = "store.db"
"""A search keeps its evaluations there, in its folder, where no other store is named."""
_SETTINGS, _SPACE, _EVALUATED, _FRONT = "search.json", "space.yaml", "archs.jsonl", "front.jsonl"


@dataclass(frozen=True)
class SearchFolder:
    """A folder for a search: a new one, or of the same search, that is to go on.

    Attributes
    ----------
    space
        What is searched; the evaluator's own, or a part of it.
    start
        Architectures that the first generation begins with.

    Raises
    ------
    NasbuildError
        If the folder holds something else, or a search with other settings.
    """

    folder: Path
    space: Space
    spec: Spec
    goal: Goal
    settings: SearchSettings
    start: Sequence[Architecture] = ()

    def __post_init__(self) -> None:
        self._check()

    @property
    def store(self) -> str:
        """Where its evaluations are kept if nothing else is said; its folder is made for that."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return str(self.folder / STORE)

    def run(
        self,
        store: Store,
        *,
        executor: Executor | None = None,
        again: bool = False,
        renew: bool = False,
        progress: Progress = lambda *_: None,
    ) -> tuple[SearchResult, list[Result]]:
        """Search until the budget is spent; what was found, and the result of each evaluation in its order.

        ``archs.jsonl`` is a table of all evaluations, in order, ``front.jsonl`` holds those that none beats,
        ``space.yaml`` what was searched, ``search.json`` the settings and the hypervolume after every generation.
        What went before is not read from there but found again: the search is run anew from its seed, and the store
        answers what it knows. So a search that was stopped anywhere ends exactly like one that was not, and one with a
        larger budget begins like the smaller one.

        Parameters
        ----------
        again
            Evaluate what failed once more; the search goes on from there as what comes of it decides.
        renew
            Evaluate once more what other code of the evaluator told; as well.

        Raises
        ------
        NasbuildError
            If no evaluation of the first generation told what is wanted.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        save_space(self._told_space(), self.folder / _SPACE)
        search = Search(self.space, self.goal, self.settings, self.start)
        results: dict[Architecture, Result] = {}
        self._write_settings(())
        note = ""
        while asked := search.ask():
            tell = _Teller(progress, len(results), len(asked), self.settings.budget, note)
            told = evaluated(self.spec, asked, store, executor, again, tell, renew=renew)
            if not results:
                self._check_first(told)
            results |= {a: told[a] for a in asked}
            missing = dict.fromkeys(self.goal.metrics)
            search.tell([{**missing, **(told[a].metrics or {})} for a in asked])
            found = search.result()
            self._write(found, results)
            note = f"{len(found.front)} on the front, hypervolume {found.volumes[-1]:.3f}"
            progress("searching", len(results), self.settings.budget, note)
        return search.result(), list(results.values())

    def _write(self, found: SearchResult, results: Mapping[Architecture, Result]) -> None:
        known = {a: result.metrics or {} for a, result in results.items()}
        write_table(table_from_evaluations(self.space, known), self.folder / _EVALUATED)
        front = {a: known[a] for a in (found.architectures[i] for i in found.front)}
        write_table(table_from_evaluations(self.space, front), self.folder / _FRONT)
        self._write_settings(found.volumes)

    def _check_first(self, told: Mapping[Architecture, Result]) -> None:
        names = self.goal.metrics
        if all(any((r.metrics or {}).get(name) is None for name in names) for r in told.values()):
            raise nothing_measured(names, list(told.values()), "first generation")

    def _settled(self) -> dict[str, Any]:
        """All that decides what is asked for; the budget only tells when to end."""
        chosen = asdict(self.settings)
        del chosen["budget"]
        return {
            "evaluator": self.spec.name,
            "targets": [target.name for target in self.goal.targets],
            "bounds": [str(bound) for bound in self.goal.bounds],
            **chosen,
            "start": [architecture_id(self.space, a) for a in self.start],
        }

    def _check(self) -> None:
        folder = self.folder
        if not folder.exists() or (folder.is_dir() and all(_is_own(p.name) for p in folder.iterdir())):
            return
        if not (folder / _SETTINGS).is_file():
            raise NasbuildError(
                "holds something else than a search", where=str(folder), todo="name another place"
            )
        earlier = _settings(folder / _SETTINGS)
        for name, value in self._settled().items():
            if earlier.get(name) != value:
                raise NasbuildError(
                    f"holds a search with another {name}",
                    where=str(folder),
                    todo="name another place, or go on with the settings of search.json",
                )
        before = load_space(folder / _SPACE)
        if space_to_dict(before)["stages"] != space_to_dict(self.space)["stages"]:
            raise NasbuildError(
                "holds a search in another space", where=str(folder), todo="name another place"
            )

    def _told_space(self) -> Space:
        """The space with directions of the metrics that are targets, so that its table can be learnt from."""
        more = {t.name: t.metric for t in self.goal.targets if t.metric is not None}
        return replace(self.space, metrics={**self.space.metrics, **more})

    def _write_settings(self, volumes: Sequence[float]) -> None:
        content = {
            "schema": SCHEMA_VERSION,
            **self._settled(),
            "budget": self.settings.budget,
            "volumes": list(volumes),
            "versions": versions(),
        }
        write_text(self.folder / _SETTINGS, json.dumps(content, indent=1) + "\n")


@dataclass(frozen=True)
class _Teller:
    """Tells how far evaluations are; of a generation's last one its end tells more."""

    progress: Progress
    before: int
    asked: int
    total: int
    note: str

    def __call__(self, done: int, failed: int) -> None:
        note = ", ".join([self.note] * bool(self.note) + [f"{failed} failed"] * bool(failed))
        self.progress("searching", self.before + min(done, self.asked - 1), self.total, note)


def _is_own(name: str) -> bool:
    """Whether a file may stand in a folder in which no search was begun: it is a store, or a killed process left it."""
    return name.startswith(STORE) or PARTIAL.fullmatch(name) is not None


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
