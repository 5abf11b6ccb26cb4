"""What the additive process sees of a module: counts and numbers, in groups of one kind ("terms").

A term is a kind of statement about a module, such as "how many layers of stage 2 have kernel 7" or
"which layer follows which". Each gives keys with values; a key is one column of the term, a weight
of the model. Nothing is listed beforehand: a stage may have millions of modules.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from nasbuild.space import Feature, Space, features_by_name

REACH_LAYER, REACH_PAIR, REACH_MODULE = 0, 1, 2
"""What a term looks at: single layers, neighbours, or the whole module."""
_APART = 1e-9  # deviation under which numbers (or their logarithms) are as good as equal


@dataclass(frozen=True)
class Entries:
    """Sparse values of one term for many modules.

    Attributes
    ----------
    rows, keys, values
        (entries,): which module, which column (a 64-bit key), and the value there.
    """

    rows: np.ndarray
    keys: np.ndarray
    values: np.ndarray


def reach(term: str) -> int:
    """How far a term looks, from its name."""
    kind = term.partition(":")[0]
    return _REACH.get(kind, REACH_LAYER)


_REACH = {
    "follow": REACH_PAIR,
    "follow@stage": REACH_PAIR,
    "duo@stage": REACH_MODULE,
    "deep@stage": REACH_MODULE,
    "mean": REACH_MODULE,
    "mean@stage": REACH_MODULE,
    "module": REACH_MODULE,
}


class Terms:
    """The terms of a space.

    Names tell what a column stands for; ``@stage`` means that every stage has columns of its own,
    ``@place`` that every layer of every stage has. Without it, a column is shared by all stages.
    """

    def __init__(self, space: Space) -> None:
        self.space = space
        merged = features_by_name(space.stages)
        self._number = {name: n for n, name in enumerate(merged)}
        self._numbers = {name: log_numbers(feature) for name, feature in merged.items()}
        self._category = [
            [np.array([merged[f.name].index(c) for c in f.choices]) for f in stage.features]
            for stage in space.stages
        ]

    def entries(self, stage: int, codes: np.ndarray) -> Iterator[tuple[str, Entries]]:
        """Every term of modules of one depth, from codes (modules, depth, features)."""
        definition = self.space.stages[stage]
        modules, depth, width = codes.shape
        rows = np.arange(modules)
        place = np.tile(np.arange(depth), modules)
        categories = [self._category[stage][f][codes[:, :, f]] for f in range(width)]

        def counted(keys: np.ndarray, values: np.ndarray | float = 1.0) -> Entries:
            keys = keys.reshape(modules, -1)
            spread = np.broadcast_to(values, keys.shape).ravel()
            return Entries(np.repeat(rows, keys.shape[1]), keys.ravel(), spread)

        if len(definition.depths) > 1:
            yield "depth", counted(_key(np.full(modules, depth)))
            yield "depth@stage", counted(_key(np.full(modules, depth), stage))
        if not width:
            return
        for f, feature in enumerate(definition.features):
            own, c = self._number[feature.name], categories[f]
            if len(feature.choices) < 2:
                continue
            yield f"choice:{feature.name}", counted(_key(c))
            yield f"choice@stage:{feature.name}", counted(_key(c, stage))
            yield "choice@place", counted(_key(c, stage, own, place.reshape(modules, depth)))
            numbers = self._numbers[feature.name]
            if numbers is not None:
                yield f"number:{feature.name}", counted(_key(np.zeros_like(c)), numbers[c])
                yield f"number@stage:{feature.name}", counted(_key(np.full_like(c, stage)), numbers[c])
            if feature.name in definition.shared and len(definition.depths) > 1:
                yield f"once:{feature.name}", counted(_key(c[:, 0]))
                yield f"once@stage:{feature.name}", counted(_key(c[:, 0], stage))
            if feature.name not in definition.shared and max(definition.depths) > 1:
                yield "first", counted(_key(c[:, 0], own))
                yield "last", counted(_key(c[:, -1], own))
                yield "last@stage", counted(_key(c[:, -1], own, stage))
                if len(definition.depths) > 1:
                    yield "mean", counted(_key(c, own), 1 / depth)
                    yield "mean@stage", counted(_key(c, own, stage), 1 / depth)
                if depth > 1:
                    yield "follow", counted(_key(c[:, 1:], own, c[:, :-1]))
        layer = _key(*[categories[f] for f in range(width)])
        if width > 1:
            names = int(_key(*[self._number[f.name] for f in definition.features]) >> np.uint64(1))
            yield "layer", counted(_key(layer, names))
            yield "layer@stage", counted(_key(layer, stage))
            yield "layer@place", counted(_key(layer, stage, place.reshape(modules, depth)))
            shared = [f for f, feature in enumerate(definition.features) if feature.name in definition.shared]
            for n, a in enumerate(shared):
                for b in shared[:n]:
                    both = (
                        self._number[definition.features[a].name],
                        self._number[definition.features[b].name],
                    )
                    yield "two", counted(_key(categories[a][:, 0], categories[b][:, 0], *both))
                    yield "two@stage", counted(_key(categories[a][:, 0], categories[b][:, 0], *both, stage))
        free = [
            f
            for f, feature in enumerate(definition.features)
            if feature.name not in definition.shared and len(feature.choices) > 1
        ]
        if depth > 1 and free:
            first, second = np.triu_indices(depth, 1)
            pairs = [
                _key(categories[a][:, first], categories[b][:, second], first, second, a, b, stage)
                for a in free
                for b in free
            ]
            yield "duo@stage", counted(np.concatenate(pairs, axis=1))
        if len(definition.depths) > 1:
            for f in free:
                yield "deep@stage", counted(_key(categories[f], f, depth, stage))
                yield (
                    "back@place",
                    counted(_key(categories[f], f, depth - 1 - place.reshape(modules, depth), stage)),
                )
        if depth > 1:
            yield "follow@stage", counted(_key(layer[:, 1:], layer[:, :-1], stage))
        yield "module", counted(_key(*[layer[:, n] for n in range(depth)], stage, depth))


def log_numbers(feature: Feature) -> np.ndarray | None:
    """Choices as standardised numbers, on a log scale where all are above 0.

    None if there are fewer than three, some are no numbers, or all are as good as equal.
    """
    if len(feature.choices) < 3 or not all(
        isinstance(c, int | float) and not isinstance(c, bool) for c in feature.choices
    ):
        return None
    values = np.array(feature.choices, dtype=float)
    # Divided by the largest, squares of huge numbers are numbers as well.
    values = np.log(values) if (values > 0).all() else values / np.abs(values).max()
    spread = float(values.std())
    return (values - values.mean()) / spread if spread > _APART else None


def _key(*parts: np.ndarray | int) -> np.ndarray:
    """A 64-bit key of whole numbers, the same for equal parts (multiply, add, shift)."""
    shape = np.broadcast_shapes(*(np.shape(p) for p in parts))
    key = np.full(shape, 0x9E3779B97F4A7C15, dtype=np.uint64)
    for part in parts:
        with np.errstate(over="ignore"):  # whole numbers of 64 bits wrap around
            key = (key ^ np.asarray(part).astype(np.uint64)) * np.uint64(0xBF58476D1CE4E5B9)
        key = key ^ (key >> np.uint64(29))
    return key
