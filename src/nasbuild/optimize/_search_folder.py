"""A search in a folder: results are written after each generation, and a stopped search continues."""

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
"""Default store of the evaluations, in the folder of the search."""
_SETTINGS, _SPACE, _EVALUATED, _FRONT = "search.json", "space.yaml", "archs.jsonl", "front.jsonl"


@dataclass(frozen=True)
class SearchFolder:
    """A folder for a search: a new one, or that of the same search to continue.

    Attributes
    ----------
    space
        The space to search: the evaluator's own, or a part of it.
    start
        Architectures of the first generation; random ones fill it up.

    Raises
    ------
    NasbuildError
        If the folder contains something else, or a search with other settings.

    Examples
    --------
    >>> from nasbuild.optimize import SearchFolder
    >>> from nasbuild.search import SearchSettings
    >>> settings = SearchSettings(budget=20, population=10)
    >>> folder = SearchFolder(Path("search"), space, spec, goal, settings)
    >>> store = Store(folder.store, space, spec.name)
    >>> result, evaluations = folder.run(store)
    >>> store.close()
    >>> len(result.architectures), sorted(path.name for path in Path("search").iterdir())
    (20, ['archs.jsonl', 'front.jsonl', 'search.json', 'space.yaml', 'store.db'])
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
        """Path of the default store; creates the folder."""
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
        """Searches until the budget is spent.

        A stopped search is replayed from its seed, with known evaluations from the store. So it ends as if it
        had never been stopped, and a search with a larger budget starts like one with a smaller budget.

        The folder contains:

        - ``archs.jsonl``: a table of all evaluations, in order.
        - ``front.jsonl``: the non-dominated ones.
        - ``space.yaml``: the space searched.
        - ``search.json``: the settings, and the hypervolume after every generation.

        Parameters
        ----------
        executor
            Where evaluations run; in this process if None.
        again
            Evaluate failed architectures again; the results may change the rest of the search.
        renew
            Evaluate again what was evaluated with other code of the evaluator.
        progress
            Called with the current activity, the number done, the total, and a note.

        Returns
        -------
        The result of the search, and the result of each evaluation in order.

        Raises
        ------
        NasbuildError
            If no evaluation of the first generation yields the metrics of the goal.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        save_space(self._space_with_metrics(), self.folder / _SPACE)
        search = Search(self.space, self.goal, self.settings, self.start)
        results: dict[Architecture, Result] = {}
        self._write_settings(())
        note = ""
        while asked := search.ask():
            report = _Reporter(progress, len(results), len(asked), self.settings.budget, note)
            new = evaluated(self.spec, asked, store, executor, again, report, renew=renew)
            if not results:
                self._check_first(new)
            results |= {a: new[a] for a in asked}
            missing = dict.fromkeys(self.goal.metrics)
            search.tell([{**missing, **(new[a].metrics or {})} for a in asked])
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

    def _check_first(self, results: Mapping[Architecture, Result]) -> None:
        names = self.goal.metrics
        if all(any((r.metrics or {}).get(name) is None for name in names) for r in results.values()):
            raise nothing_measured(names, list(results.values()), "first generation")

    def _settled(self) -> dict[str, Any]:
        """The settings that determine the candidates; the budget only limits their number."""
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
                "contains something other than a search", where=str(folder), todo="name another place"
            )
        earlier = _settings(folder / _SETTINGS)
        for name, value in self._settled().items():
            if earlier.get(name) != value:
                raise NasbuildError(
                    f"contains a search with another {name}",
                    where=str(folder),
                    todo="name another place, or continue with the settings of search.json",
                )
        before = load_space(folder / _SPACE)
        if space_to_dict(before)["stages"] != space_to_dict(self.space)["stages"]:
            raise NasbuildError(
                "contains a search in another space", where=str(folder), todo="name another place"
            )

    def _space_with_metrics(self) -> Space:
        """The space with directions of the target metrics, so that its table can be fitted."""
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
class _Reporter:
    """Reports the progress of evaluations; the last one of a generation is reported with its summary."""

    progress: Progress
    before: int
    asked: int
    total: int
    note: str

    def __call__(self, done: int, failed: int) -> None:
        note = ", ".join([self.note] * bool(self.note) + [f"{failed} failed"] * bool(failed))
        self.progress("searching", self.before + min(done, self.asked - 1), self.total, note)


def _is_own(name: str) -> bool:
    """Whether a file may exist in the folder of a new search: a store, or a partial file of a killed process."""
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
            "has a version that can't be read here", where=str(path), allowed=f"schema {SCHEMA_VERSION}"
        )
    return found
