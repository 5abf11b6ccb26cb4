"""Terms of the additive Gaussian process: groups of counts and numbers that describe a module.

A term is a kind of statement about a module, such as "how many layers of stage 2 have kernel 7" or
"which layer follows which". It gives keys with values; a key is one column of the term, with one weight
in the model. Columns are not listed beforehand, as a stage may have millions of modules.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence

import numpy as np

from nasbuild.predictor.additive_gp._entries import Entries, hash_key, joined
from nasbuild.predictor.additive_gp._expected_terms import EXPECTED, ExpectedTerms
from nasbuild.predictor.additive_gp._numeric_features import (
    RANGE_BUMPS,
    attribute_features,
    curve,
    log_depths,
    log_numbers,
    plain_numbers,
)
from nasbuild.predictor.additive_gp._stage_kinds import positions_along
from nasbuild.predictor.gnn._identity_layers import identity_choices, without_identity_layers
from nasbuild.space import Space, features_by_name

REACH_LAYER, REACH_PAIR, REACH_MODULE = 0, 1, 2
"""Reach of a term: single layers, neighbouring layers, or the whole module."""
ALONE = "alone"
"""Kind of the terms that belong to a single stage; their names end in its index."""
PART = "part"
"""Kind of the terms of one feature at one place; their names end in stage, place and feature."""
ALONG = "along"
"""Kind of the terms of choices along stages of one kind: like ``choice``, but near stages are more alike."""
_ALONE = (
    "depth@stage",
    "layers@stage",
    "choice@stage",
    "number@stage",
    "plain@stage",
    "once@stage",
    "size@stage",
    "layer@stage",
    "two@stage",
)

_EVERYWHERE = ("depth", "layers", "choice", "number", "plain", "once", "size", "first", "last")
SINGLE = {*_EVERYWHERE, *(f"{one}@stage" for one in (*_EVERYWHERE, "curve")), "choice@place", *EXPECTED}
"""Kinds of terms in which every choice counts by itself, independent of the others."""


def kind(term: str) -> str:
    """Kind of a term, from its name."""
    return term.partition(":")[0]


def reach(term: str) -> int:
    """Reach of a term, from its name."""
    return _REACH.get(kind(term), REACH_LAYER)


_REACH = {
    "follow": REACH_PAIR,
    "follow@stage": REACH_PAIR,
    "duo@stage": REACH_MODULE,
    "mean": REACH_MODULE,
    "mean@stage": REACH_MODULE,
    "module": REACH_MODULE,
}


class Terms:
    """The terms of a space.

    A name says what its columns stand for. With ``@stage`` every stage has its own columns, with ``@place`` every
    layer of every stage. Without either, stages share the columns.
    These terms give all stages the same variance. A stage that matters more than the others gets it from its term
    ``alone``, which holds all statements about single layers of this stage.

    With ``passing``, modules are seen without their identity layers, so that modules that make the same network have
    the same entries. With ``parts``, every feature at every place also has a term of its own (`PART`), and one that is
    smooth along stages of one kind (`ALONG`). With ``sizes``, the expected sizes of all effects (`expected_sizes`), there
    are terms of these as well (`EXPECTED`); not together with ``passing``.
    """

    def __init__(
        self,
        space: Space,
        passing: bool = False,
        parts: bool = False,
        sizes: Sequence[np.ndarray] | None = None,
    ) -> None:
        self.space = space
        self._expected = None if sizes is None else ExpectedTerms(space, sizes)
        self._parts = parts
        self._along = positions_along(space.stages) if parts else []
        self._passing = [identity_choices(space, stage) for stage in space.stages] if passing else None
        merged = features_by_name(space.stages)
        self._number = {name: n for n, name in enumerate(merged)}
        self._numbers = {name: log_numbers(feature) for name, feature in merged.items()}
        self._plain = {name: plain_numbers(feature) for name, feature in merged.items()}
        self._curves = {name: curve(feature) for name, feature in merged.items()}
        self._ranges = {
            name: {bumps: own for bumps in (8, *RANGE_BUMPS) if (own := curve(feature, bumps)) is not None}
            for name, feature in merged.items()
            if feature.range is not None
        }
        self._attributes = {
            name: {
                attribute: (log_numbers(own), plain_numbers(own), curve(own))
                for attribute, own in attribute_features(space, name).items()
            }
            for name in merged
        }
        self._category = [
            [np.array([merged[f.name].index(c) for c in f.choices]) for f in stage.features]
            for stage in space.stages
        ]
        depths = [self._depths(u) for u in range(len(space.stages))]
        self._trends = [log_depths(own) for own in depths]
        several = [own for own, trend in zip(depths, self._trends, strict=True) if trend is not None]
        self._trend = log_depths(set().union(*several)) if several else None

    def _depths(self, stage: int) -> set[int]:
        """Numbers of layers that a stage's modules may have, as they are seen."""
        found = set(self.space.stages[stage].depths)
        if self._passing is not None and any(passes.any() for passes in self._passing[stage]):
            found |= set(range(1, max(found) + 1))
        return found

    def entries(self, stage: int, codes: np.ndarray) -> Iterator[tuple[str, Entries]]:
        """Entries of modules of one depth, from codes (modules, depth, features); a term's name may occur more than once."""
        if self._passing is None:
            yield from self._with_alone(stage, codes)
            return
        for rows, kept in without_identity_layers(codes, self._passing[stage]):
            for name, e in self._with_alone(stage, kept):
                yield name, Entries(rows[e.rows], e.keys, e.values)

    def of_two(
        self, stage: int, places: tuple[int, int], first: np.ndarray, second: np.ndarray
    ) -> Iterator[tuple[str, np.ndarray]]:
        """Keys of pairs of layers at two places of a module, for terms that look at two layers.

        ``first`` and ``second`` are codes of layers, (layers, features) each, at ``places``, the smaller first, of a
        module without identity layers. Yields names and keys, (layers of the first, layers of the second).
        """
        definition = self.space.stages[stage]
        width = len(definition.features)
        a, b = ([self._category[stage][f][codes[:, f]] for f in range(width)] for codes in (first, second))
        free = self._free(stage)
        if places[1] == places[0] + 1 and width:
            for f in free:
                own = self._number[definition.features[f].name]
                yield "follow", follow_key(a[f][:, None], b[f][None], own)
            yield "follow@stage", layers_key(hash_key(*a)[:, None], hash_key(*b)[None], stage)
        for f in free:
            for g in free:
                yield "duo@stage", duo_key(a[f][:, None], b[g][None], places, (f, g), stage)

    def _of_range(self, name: str) -> Iterator[tuple[str, np.ndarray]]:
        """Terms of a feature with a range: its number on its scale, and curves of several widths."""
        numbers = self._numbers[name]
        if numbers is not None:
            yield f"number@stage:{name}", numbers[:, None]
        for bumps, own in self._ranges[name].items():
            yield f"curve@stage:{name}:{bumps}", own

    def _free(self, stage: int) -> list[int]:
        """Features that differ from layer to layer."""
        definition = self.space.stages[stage]
        return [
            f
            for f, feature in enumerate(definition.features)
            if feature.name not in definition.shared and len(feature.choices) > 1
        ]

    def _with_alone(self, stage: int, codes: np.ndarray) -> Iterator[tuple[str, Entries]]:
        alone = []
        for name, entries in self._entries(stage, codes):
            yield name, entries
            if kind(name) in _ALONE:
                # Equal keys of two terms are two columns here.
                keys = hash_key(entries.keys, zlib.crc32(name.encode()))
                alone.append(Entries(entries.rows, keys, entries.values))
        if alone:
            yield f"{ALONE}:{stage}", joined(alone)

    def _entries(self, stage: int, codes: np.ndarray) -> Iterator[tuple[str, Entries]]:
        definition = self.space.stages[stage]
        modules, depth, width = codes.shape
        deeper = len(self._depths(stage)) > 1
        rows = np.arange(modules)
        place = np.tile(np.arange(depth), modules)
        categories = [self._category[stage][f][codes[:, :, f]] for f in range(width)]

        def counted(keys: np.ndarray, values: np.ndarray | float = 1.0) -> Entries:
            keys = keys.reshape(modules, -1)
            spread = np.broadcast_to(values, keys.shape).ravel()
            return Entries(np.repeat(rows, keys.shape[1]), keys.ravel(), spread)

        if deeper:
            yield "depth", counted(hash_key(np.full(modules, depth)))
            yield "depth@stage", counted(hash_key(np.full(modules, depth), stage))
        if (own_trend := self._trends[stage]) is not None and self._trend is not None:
            one = np.zeros(modules, dtype=np.int64)
            for name, (middle, spread), key in (
                ("layers", self._trend, hash_key(one)),
                ("layers@stage", own_trend, hash_key(one, stage)),
            ):
                yield name, counted(key, (np.log(max(depth, 1)) - middle) / spread)
        if self._expected is not None:
            yield from self._expected.entries(stage, codes, categories)
        if not width:
            return
        if not depth:
            yield "module", counted(hash_key(np.zeros((modules, 1), dtype=np.int64), stage, depth))
            return
        for f, feature in enumerate(definition.features):
            own, c = self._number[feature.name], categories[f]
            if len(feature.choices) < 2:
                continue
            if feature.range is not None:
                # Its values are no names: what holds for one holds nearly for the next.
                for name, values in self._of_range(feature.name):
                    each = np.arange(values.shape[1])
                    keys = np.broadcast_to(hash_key(each, own, stage), (*c.shape, len(each)))
                    yield name, counted(keys, values[c].reshape(modules, -1))
                continue
            # What is absent counts for nothing: the choice that its condition names says so already.
            here = codes[:, :, f] != feature.absent if feature.absent >= 0 else np.ones((1, 1))
            yield f"choice:{feature.name}", counted(hash_key(c), here)
            yield f"choice@stage:{feature.name}", counted(hash_key(c, stage), here)
            at_place = hash_key(c, stage, own, place.reshape(modules, depth))
            yield "choice@place", counted(at_place, here)
            for bumps, (kind_of_stage, values) in enumerate(self._along[stage] if self._parts else ()):
                each = np.arange(len(values))
                keys = hash_key(c[:, :, None], own, kind_of_stage, each[None, None, :])
                at = np.broadcast_to(values, keys.shape) * here[:, :, None]
                yield f"{ALONG}:{feature.name}:{bumps}", counted(keys, at.reshape(modules, -1))
            for n in range(depth if self._parts else 0):
                yield (
                    part_term(stage, n, feature.name),
                    counted(at_place[:, n], here[:, n : n + 1] if here.size > 1 else here),
                )
            numbers = self._numbers[feature.name]
            of_numbers = {feature.name: (numbers, self._plain[feature.name], self._curves[feature.name])}
            for attribute, values in self._attributes[feature.name].items():
                of_numbers[f"{feature.name}:{attribute}"] = values
            for a, (name, (logs, plain, bumps)) in enumerate(of_numbers.items()):
                if logs is not None:
                    yield f"number:{name}", counted(hash_key(np.zeros_like(c)), logs[c])
                    yield f"number@stage:{name}", counted(hash_key(np.full_like(c, stage)), logs[c])
                if plain is not None and logs is not None and not np.array_equal(plain, logs):
                    yield f"plain:{name}", counted(hash_key(np.zeros_like(c)), plain[c])
                    yield f"plain@stage:{name}", counted(hash_key(np.full_like(c, stage)), plain[c])
                if bumps is not None:
                    each = np.arange(bumps.shape[1])
                    keys = np.broadcast_to(hash_key(each, own, stage), (*c.shape, len(each)))
                    yield "curve@stage" + f":{name}" * (a > 0), counted(keys, bumps[c].reshape(modules, -1))
            if feature.name in definition.shared and deeper:
                yield f"once:{feature.name}", counted(hash_key(c[:, 0]), here[:, :1])
                yield f"once@stage:{feature.name}", counted(hash_key(c[:, 0], stage), here[:, :1])
                for name, (logs, *_) in of_numbers.items():
                    if logs is not None:
                        one, size = np.zeros_like(c[:, 0]), logs[c[:, 0]][:, None]
                        yield f"size:{name}", counted(hash_key(one), size)
                        yield f"size@stage:{name}", counted(hash_key(one, stage), size)
            if feature.name not in definition.shared and max(definition.depths) > 1:
                yield "first", counted(hash_key(c[:, 0], own))
                yield "last", counted(hash_key(c[:, -1], own))
                yield "last@stage", counted(hash_key(c[:, -1], own, stage))
                if deeper:
                    yield "mean", counted(hash_key(c, own), 1 / depth)
                    yield "mean@stage", counted(hash_key(c, own, stage), 1 / depth)
                if depth > 1:
                    yield "follow", counted(follow_key(c[:, :-1], c[:, 1:], own))
        named = [f for f, feature in enumerate(definition.features) if feature.range is None]
        if not named:
            return
        layer = hash_key(*[categories[f] for f in named])
        if len(named) > 1:
            names = int(hash_key(*[self._number[definition.features[f].name] for f in named]) >> np.uint64(1))
            yield "layer", counted(hash_key(layer, names))
            yield "layer@stage", counted(hash_key(layer, stage))
            yield "layer@place", counted(hash_key(layer, stage, place.reshape(modules, depth)))
            shared = [f for f, feature in enumerate(definition.features) if feature.name in definition.shared]
            for n, a in enumerate(shared):
                for b in shared[:n]:
                    both = (
                        self._number[definition.features[a].name],
                        self._number[definition.features[b].name],
                    )
                    yield "two", counted(hash_key(categories[a][:, 0], categories[b][:, 0], *both))
                    yield (
                        "two@stage",
                        counted(hash_key(categories[a][:, 0], categories[b][:, 0], *both, stage)),
                    )
        free = self._free(stage)
        if depth > 1 and free:
            first, second = np.triu_indices(depth, 1)
            pairs = [
                duo_key(categories[a][:, first], categories[b][:, second], (first, second), (a, b), stage)
                for a in free
                for b in free
            ]
            yield "duo@stage", counted(np.concatenate(pairs, axis=1))
        if depth > 1:
            yield "follow@stage", counted(layers_key(layer[:, :-1], layer[:, 1:], stage))
        yield "module", counted(hash_key(*[layer[:, n] for n in range(depth)], stage, depth))


def part_term(stage: int, place: int, feature: str) -> str:
    """Name of the term of a feature at one place."""
    return f"{PART}:{stage}:{place}:{feature}"


def follow_key(before: np.ndarray, after: np.ndarray, feature: int) -> np.ndarray:
    """Keys of one feature's categories in two neighbouring layers."""
    return hash_key(after, feature, before)


def layers_key(before: np.ndarray, after: np.ndarray, stage: int) -> np.ndarray:
    """Keys of two neighbouring layers of a stage, from those of whole layers."""
    return hash_key(after, before, stage)


def duo_key(
    first: np.ndarray,
    second: np.ndarray,
    places: tuple[np.ndarray | int, np.ndarray | int],
    features: tuple[int, int],
    stage: int,
) -> np.ndarray:
    """Keys of the categories of two layers at their places in a stage."""
    return hash_key(first, second, *places, *features, stage)
