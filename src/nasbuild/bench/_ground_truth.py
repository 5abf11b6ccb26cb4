"""Ground truth: true labels of architectures and mean labels of modules, where they are known."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from nasbuild.errors import NasbuildError
from nasbuild.space import (
    Architecture,
    Module,
    Space,
    count_architectures,
    count_modules,
    load_space,
    sample,
    sample_module,
)
from nasbuild.table import Table, load_builtin, read_table

CONTEXTS, MODULES, SEED = 64, 300, 2026
_FAMILIES = {"ofa-mbv3-surrogate": "mbv3", "ofa-pn-surrogate": "pn"}


class Truth(Protocol):
    """True mean labels of modules, and labels of any architecture.

    Examples
    --------
    >>> from nasbuild.bench import truth
    >>> known = truth(Path("data"), "digits-macro")  # comes with the package, so no folder is needed
    >>> stage, modules, worth = known.worth("acc")[0]
    >>> stage, len(modules), worth.shape
    (0, 12, (12,))
    """

    def worth(self, target: str) -> list[tuple[int, list[Module], np.ndarray]]:
        """For each stage: its index, modules of it, and their mean label over contexts.

        Examples
        --------
        >>> from nasbuild.bench import truth
        >>> known = truth(Path("data"), "digits-macro")
        >>> [len(modules) for _, modules, _ in known.worth("acc")]
        [12, 12, 12]
        """
        ...

    def label(self, target: str, architectures: Sequence[Architecture]) -> np.ndarray:
        """Labels of architectures.

        Examples
        --------
        >>> from nasbuild.bench import read, truth
        >>> table = read(Path("data"), "digits-macro")
        >>> known = truth(Path("data"), "digits-macro")
        >>> known.label("acc", table.architectures[:2]).tolist() == table.columns["acc"][:2].tolist()
        True
        """
        ...


@lru_cache(maxsize=2)
def read(data: Path, name: str) -> Table:
    """A table of the data folder, or one that comes with the package.

    Examples
    --------
    >>> from nasbuild.bench import read
    >>> len(read(Path("data"), "digits-macro"))
    1728
    """
    folder = data / name
    if name == "digits-macro":
        return load_builtin(name)
    return read_table(folder / "archs.jsonl.gz", load_space(folder / "space.yaml"))


def truth(data: Path, name: str) -> Truth | None:
    """The ground truth of a table; None where it is not known.

    Examples
    --------
    >>> from nasbuild.bench import truth
    >>> known = truth(Path("data"), "digits-macro")  # every architecture has a label
    >>> len(known.worth("acc"))
    3
    """
    if name in _FAMILIES:
        return _surrogate(data, name)
    table = read(data, name)
    return Whole(table) if len(table) == count_architectures(table.space) else None


@dataclass(frozen=True)
class Whole:
    """A table with all architectures of its space, so that everything is known exactly."""

    table: Table

    def worth(self, target: str) -> list[tuple[int, list[Module], np.ndarray]]:
        labels = self.table.columns[target]
        found = []
        for u in range(len(self.table.space.stages)):
            sums: dict[Module, list[float]] = {}
            for architecture, label in zip(self.table.architectures, labels, strict=True):
                sums.setdefault(architecture.modules[u], []).append(float(label))
            found.append((u, list(sums), np.array([np.mean(v) for v in sums.values()])))
        return found

    def label(self, target: str, architectures: Sequence[Architecture]) -> np.ndarray:
        return self.table.columns[target][[self.table.row_of[a] for a in architectures]]

    def rank(self, target: str, architectures: Sequence[Architecture]) -> int:
        """Rank of the best of some architectures among all; 1 is best, ties share the better rank."""
        sign = self.table.metrics[target].sign
        best = (sign * self.label(target, architectures)).max()
        return 1 + int((sign * self.table.columns[target] > best).sum())


class Surrogate:
    """A surrogate that labels any architecture: pseudo-labels instead of measured ones."""

    def __init__(self, space: Space, predict: Callable[[list[Any], str], np.ndarray]) -> None:
        self.space, self._predict = space, predict
        self._known: dict[str, list[tuple[int, list[Module], np.ndarray]]] = {}

    def worth(self, target: str) -> list[tuple[int, list[Module], np.ndarray]]:
        if target not in self._known:
            rng = np.random.default_rng(SEED)
            contexts = sample(self.space, CONTEXTS, rng, over="depths")
            found = []
            for u, stage in enumerate(self.space.stages):
                wanted, modules = min(MODULES, count_modules(stage)), dict[Module, None]()
                while len(modules) < wanted:
                    modules.setdefault(sample_module(stage, rng))
                labels = self.label(target, [c.replace(u, m) for m in modules for c in contexts])
                found.append((u, list(modules), labels.reshape(wanted, CONTEXTS).mean(axis=1)))
            self._known[target] = found
        return self._known[target]

    def label(self, target: str, architectures: Sequence[Architecture]) -> np.ndarray:
        order = [f.name for f in self.space.stages[0].features]
        expand, kernel = order.index("expand"), order.index("kernel")
        plain = [[[(layer[expand], layer[kernel]) for layer in m] for m in a] for a in architectures]
        return self._predict(plain, target).astype(np.float64)


@lru_cache(maxsize=2)
def _surrogate(data: Path, name: str) -> Surrogate:
    path = data / "ofa-surrogate" / "ofa_surrogate.py"
    spec = importlib.util.spec_from_file_location("ofa_surrogate", path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise NasbuildError("the surrogate is missing", where=str(path), todo="give its folder with --data")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return Surrogate(load_space(data / name / "space.yaml"), module.OFASurrogate(_FAMILIES[name]))
