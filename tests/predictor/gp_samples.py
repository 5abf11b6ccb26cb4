"""A slow reference implementation of the terms of the additive GP: readable keys, one layer at a time, dense sums."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from nasbuild.space import Architecture, Module, Space, features_by_name, space_from_yaml

#: Numbers, texts and truth values, a feature that layers share, one of two stages, globals.
SPACE = space_from_yaml(
    """
    name: tiny
    metrics: {acc: {direction: maximize}}
    globals: {resolution: [192, 224]}
    stages:
      - {name: one, depth: [1, 2], features: {kernel: [3, 5, 7], op: [conv, skip]}}
      - {name: two, depth: [1, 3], features: {kernel: [3, 7], se: [true, false], group: [1, 2, 4]}, shared: [se, group]}
      - {name: three, depth: 2, features: {kernel: [5, 7]}}
    """
)

ALONE = {
    f"{kind}@stage"
    for kind in ("depth", "layers", "choice", "number", "plain", "once", "size", "layer", "two")
}
Counts = dict[str, Counter]


def plain_terms(space: Space, stage: int, module: Module) -> Counts:
    """For each term, what a module counts."""
    definition, depth = space.stages[stage], len(module)
    merged = features_by_name(space.stages)
    several, names = len(definition.depths) > 1, [f.name for f in definition.features]
    found: dict[str, Counter] = {}

    def add(term: str, key: object, value: float = 1.0) -> None:
        found.setdefault(term, Counter())[key] += value

    if several:
        add("depth", depth)
        add("depth@stage", (depth, stage))
    trended = [s.depths for s in space.stages if len(s.depths) >= 3]
    if len(definition.depths) >= 3:
        add("layers", "log", standardised(np.log(depth), set().union(*trended)))
        add("layers@stage", stage, standardised(np.log(depth), definition.depths))
    if not names:
        alone = Counter({(t, k): v for t in sorted(found) if t in ALONE for k, v in found[t].items()})
        return found | ({f"alone:{stage}": alone} if several else {})
    layers = [tuple(merged[n].index(c) for n, c in zip(names, layer, strict=True)) for layer in module]
    free = [
        f
        for f, n in enumerate(names)
        if n not in definition.shared and len(definition.features[f].choices) > 1
    ]
    for f, name in enumerate(names):
        choices = merged[name].choices
        if len(definition.features[f].choices) < 2:
            continue
        numbers = plain_numbers(choices)
        plain = np.array(choices, dtype=float) if numbers is not None else np.zeros(1)
        plain = plain / max(np.abs(plain).max(), 1e-300)  # squares of huge numbers are numbers as well
        plain = (plain - plain.mean()) / plain.std() if plain.std() > 0 else plain
        logs = numbers is not None and min(choices) > 0
        curved = numbers is not None and len(set(numbers)) >= 6
        for place, layer in enumerate(layers):
            c = layer[f]
            add(f"choice:{name}", c)
            add(f"choice@stage:{name}", (c, stage))
            add("choice@place", (c, stage, name, place))
            if numbers is not None:
                add(f"number:{name}", "sum", numbers[c])
                add(f"number@stage:{name}", stage, numbers[c])
            if logs and not np.array_equal(plain, numbers):
                add(f"plain:{name}", "sum", plain[c])
                add(f"plain@stage:{name}", stage, plain[c])
            for bump, middle in enumerate(np.linspace(min(numbers), max(numbers), 8) if curved else []):
                away = (numbers[c] - middle) / ((max(numbers) - min(numbers)) / 7)
                add("curve@stage", (name, stage, bump), np.exp(-0.5 * away**2))
        if name in definition.shared and several:
            add(f"once:{name}", layers[0][f])
            add(f"once@stage:{name}", (layers[0][f], stage))
            if numbers is not None:
                add(f"size:{name}", "number", numbers[layers[0][f]])
                add(f"size@stage:{name}", stage, numbers[layers[0][f]])
        if name not in definition.shared and max(definition.depths) > 1:
            add("first", (name, layers[0][f]))
            add("last", (name, layers[-1][f]))
            add("last@stage", (name, layers[-1][f], stage))
            for layer in layers if several else []:
                add("mean", (name, layer[f]), 1 / depth)
                add("mean@stage", (name, layer[f], stage), 1 / depth)
            for a, b in pairwise(layers):
                add("follow", (name, a[f], b[f]))
    if len(names) > 1:
        for place, layer in enumerate(layers):
            add("layer", (tuple(names), layer))
            add("layer@stage", (layer, stage))
            add("layer@place", (layer, stage, place))
        shared = [f for f, n in enumerate(names) if n in definition.shared]
        for a in shared:
            for b in (b for b in shared if b < a):
                add("two", (names[a], names[b], layers[0][a], layers[0][b]))
                add("two@stage", (names[a], names[b], layers[0][a], layers[0][b], stage))
    for i in range(depth):
        for j in range(i + 1, depth):
            for a in free:
                for b in free:
                    add("duo@stage", (layers[i][a], layers[j][b], i, j, a, b, stage))
        if i:
            add("follow@stage", (layers[i - 1], layers[i], stage))
    add("module", (tuple(layers), stage))
    for term in [t for t in found if t.split(":")[0] in ALONE]:
        for key, value in found[term].items():
            add(f"alone:{stage}", (term, key), value)
    return found


def standardised(value: float, depths) -> float:
    """A logarithm, less the mean of those of all depths, over their deviation."""
    logs = np.log(list(depths))
    return float((value - logs.mean()) / logs.std())


def plain_numbers(choices: Sequence) -> list[float] | None:
    """Choices as numbers with mean 0 and deviation 1, logarithms where they can be taken."""
    if len(choices) < 3 or any(isinstance(c, bool | str) for c in choices):
        return None
    values = np.log(choices) if min(choices) > 0 else np.array(choices, dtype=float) / np.abs(choices).max()
    if np.std(values) < 1e-9:
        return None
    return list((values - np.mean(values)) / np.std(values))


def dense(counters: Sequence[Counter], keys: Sequence) -> np.ndarray:
    """Counters as rows, (counters, keys)."""
    return np.array([[c[key] for key in keys] for c in counters], dtype=float).reshape(
        len(counters), len(keys)
    )


class Dense:
    """A table's terms as dense rows that are centred and scaled by the table; others by the same.

    ``rows`` of a term include keys that the table lacks, if others have them.
    """

    def __init__(
        self, space: Space, table: Sequence[Architecture], others: Sequence[Architecture] = ()
    ) -> None:
        every = [*table, *others]
        counts = [[plain_terms(space, u, m) for u, m in enumerate(a.modules)] for a in every]
        self.names = list(dict.fromkeys(n for a in counts for m in a for n in m))
        self.stages: dict[str, np.ndarray] = {}  # (architectures, stages, keys), centred and scaled
        self.seen: dict[str, np.ndarray] = {}
        self.keys: dict[str, list] = {}
        for name in self.names:
            keys = sorted({k for a in counts for m in a for k in m.get(name, ())}, key=repr)
            rows = np.stack([dense([m.get(name, Counter()) for m in a], keys) for a in counts])
            rows = rows - rows[: len(table)].mean(axis=0)
            whole = rows[: len(table)].sum(axis=1)
            self.scale = np.sqrt((whole**2).sum(axis=1).mean())
            self.stages[name] = rows / (self.scale if self.scale > 1e-7 else 1)
            self.seen[name] = np.array(
                [any(k in m.get(name, ()) for a in counts[: len(table)] for m in a) for k in keys]
            )
            self.keys[name] = keys

    def rows(self, name: str) -> np.ndarray:
        """(architectures, keys)."""
        return self.stages[name].sum(axis=1)

    def kernel(self, name: str) -> np.ndarray:
        return self.rows(name) @ self.rows(name).T
