"""Hypothesis strategies for small spaces and their architectures, and exhaustive lists by definition."""

from __future__ import annotations

import os
from dataclasses import replace
from itertools import product
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from nasbuild.space import ABSENT, GLOBALS, Architecture, Feature, Metric, Module, Space, Stage, choice_key

#: Whether new examples are drawn, and more of them.
EXPLORE = bool(os.environ.get("NASBUILD_EXPLORE"))
#: For tests that draw whole spaces: a busy machine must not fail them.
relaxed = settings(
    max_examples=20 if EXPLORE else 12,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

_AWKWARD = [
    "-",
    "/",
    ",",
    "=",
    "%2D",
    "a-b",
    "a/b",
    "a,b=c",
    "x",
    "2xk3",
    "k3",
    "3",
    "-1",
    "1e-3",
    "1_000",
    "0x1f",
]
_AWKWARD += [
    "no",
    "off",
    "true",
    "null",
    "~",
    "<<",
    "16:9",
    "2024-01-01",
    "010",
    ".inf",
    "# a",
    "a: b",
    "- a",
    "[a]",
]
_AWKWARD += [
    "{a}",
    "&a",
    "*a",
    "!a",
    "|",
    ">",
    "'",
    '"',
    "\\",
    "@",
    "`",
    "?",
    "é",
    "ß",
    "層",
    "🙂",
    "e\u0301",
]
#: Choices of several types whose texts could be mistaken for each other; null makes any of them such a list.
_MIXED = [
    1,
    "1",
    True,
    "True",
    "true",
    1.5,
    "null",
    "None",
    " ",
    (3, 5),
    (3,),
    (),
    ("3", None),
    "3-5",
    "[3, 5]",
    '"a"',
    "a",
]
_CHARACTERS = st.characters(exclude_categories=("C", "Z")) | st.just(" ")


def texts() -> st.SearchStrategy[str]:
    """Texts that may be choices, with a liking for what YAML or ids could trip over."""
    return st.sampled_from(_AWKWARD) | st.text(_CHARACTERS, min_size=1, max_size=6)


def names() -> st.SearchStrategy[str]:
    """Names of spaces, stages, features and metrics."""
    usual = st.sampled_from(
        ["kernel", "expand", "op", "width", "stage", "layer", "name", "depth", "features"]
    )
    return usual | texts().map(str.strip).filter(bool)


def features(*, most_choices: int = 3, rich: bool = False) -> st.SearchStrategy[tuple[tuple, str]]:
    """Choices and kind of a feature: numbers, texts or truth values; numeric, ordered or categorical."""
    whole = st.integers(0, 9) | st.integers(-(2**53), 2**53)
    real = st.floats(allow_nan=False, allow_infinity=False)
    numbers = st.lists(whole | real, min_size=1, max_size=most_choices, unique=True)
    words = st.lists(texts(), min_size=1, max_size=most_choices, unique=True)
    truths = st.lists(st.booleans(), min_size=1, max_size=2, unique=True)
    mixed = st.lists(st.sampled_from(_MIXED), min_size=1, max_size=most_choices - 1, unique_by=choice_key)
    any_kind, no_number = (
        st.sampled_from(["numeric", "ordered", "categorical"]),
        st.sampled_from(["ordered", "categorical"]),
    )
    uniform = (
        st.tuples(numbers.map(tuple), any_kind)
        | st.tuples(words.map(tuple), no_number)
        | st.tuples(truths.map(tuple), no_number)
    )
    several = st.tuples(mixed.map(lambda listed: (*listed, None)), no_number)
    return uniform | several if rich else uniform


@st.composite
def spaces(
    draw, *, most_stages: int = 3, most_modules: int = 200, ranges: bool = False, rich: bool = False
) -> Space:
    """A valid space with few modules a stage; a feature may stand in several stages, and in the globals.

    Metrics have ``ranges`` if asked for: tables of any values would not fit them. A ``rich`` space may
    have features that exist only with others, choices of several types, and stages that may be absent.
    """
    vocabulary = draw(st.dictionaries(names(), features(rich=rich), max_size=4))
    stage_names = draw(
        st.lists(names().filter(lambda n: n != GLOBALS), min_size=1, max_size=most_stages, unique=True)
    )
    stages = [draw(_stages(name, vocabulary, most_modules, rich)) for name in stage_names]
    if vocabulary and draw(st.booleans()):
        stages.append(draw(_globals(vocabulary, rich)))
    if not any(min(stage.depths) for stage in stages):
        # Some stage has a layer in every network.
        stages[0] = Stage(stages[0].name, (1, 2), stages[0].features)
    metrics = draw(
        st.dictionaries(
            names(),
            st.tuples(
                st.sampled_from(["maximize", "minimize"]),
                st.just("") | names(),
                st.none() | st.floats(-1e6, 0) if ranges else st.none(),
                st.none() | st.floats(1, 1e9) if ranges else st.none(),
            ),
            max_size=2,
        )
    )
    return Space(
        draw(names()),
        tuple(stages),
        {name: Metric(name, *entry) for name, entry in metrics.items()},
        identity=draw(_identities(stages)),
    )


def _identities(stages: list[Stage]) -> st.SearchStrategy[tuple[str, ...] | None]:
    texts_of = sorted({c for s in stages for f in s.features for c in f.choices if isinstance(c, str)})
    some = (
        st.lists(st.sampled_from(texts_of), min_size=1, unique=True).map(tuple) if texts_of else st.just(())
    )
    return st.none() | st.just(()) | some


def modules(stage: Stage) -> st.SearchStrategy[Module]:
    """Any module of a stage, of whatever size."""
    if stage.modules is not None:
        return st.sampled_from(stage.modules)
    return st.sampled_from(stage.depths).flatmap(lambda depth: _modules_of_depth(stage, depth))


def architectures(space: Space) -> st.SearchStrategy[Architecture]:
    """Any architecture of a space."""
    return st.tuples(*(modules(stage) for stage in space.stages)).map(Architecture)


def spaces_and_architectures(
    *, most: int = 4, **limits: Any
) -> st.SearchStrategy[tuple[Space, list[Architecture]]]:
    """A space and a few architectures of it, which may be equal."""
    return spaces(**limits).flatmap(
        lambda space: st.tuples(st.just(space), st.lists(architectures(space), min_size=1, max_size=most))
    )


def all_modules(stage: Stage) -> list[Module]:
    """Every module, by definition: all sequences of layers, without those that break a shared feature."""
    if stage.modules is not None:
        return list(stage.modules)
    layers = [layer for layer in product(*(f.choices for f in stage.features)) if meets(stage, layer)]
    shared = [p for p, feature in enumerate(stage.features) if feature.name in stage.shared]
    sequences = [m for depth in stage.depths for m in product(layers, repeat=depth)]
    return [m for m in sequences if all(len({choice_key(layer[p]) for layer in m}) <= 1 for p in shared)]


def meets(stage: Stage, layer: tuple) -> bool:
    """Whether a layer has exactly the features that exist there, by definition."""
    names = [f.name for f in stage.features]
    for feature, choice in zip(stage.features, layer, strict=True):
        here = all(
            choice_key(layer[names.index(parent)]) in map(choice_key, wanted)
            for parent, wanted in feature.when
        )
        if here == (choice is ABSENT):
            return False
    return True


def all_architectures(space: Space) -> list[Architecture]:
    """Every architecture, the last stage changing fastest."""
    return [Architecture(m) for m in product(*(all_modules(stage) for stage in space.stages))]


@st.composite
def _stages(draw, name: str, vocabulary: dict, most_modules: int, rich: bool) -> Stage:
    own = _draw_features(draw, vocabulary, 0, rich)
    layers = 1
    for feature in own:
        layers *= len(feature.choices)
    possible = [depth for depth in (1, 2, 3, 4) if layers**depth <= most_modules // 2] or [1]
    depths = draw(st.lists(st.sampled_from(possible), min_size=1, max_size=3, unique=True))
    # A stage that may be absent.
    depths += [0] if rich and draw(st.integers(0, 5)) == 0 else []
    shared = draw(st.sets(st.sampled_from(own).map(lambda f: f.name))) if own else set()
    shared -= {f.name for f in own if any(name not in shared for name, _ in f.when)}
    stage = Stage(name, tuple(sorted(depths)), own, frozenset(shared))
    return _listed(draw, stage) if draw(st.integers(0, 3)) == 0 else stage


@st.composite
def _globals(draw, vocabulary: dict, rich: bool) -> Stage:
    stage = Stage(GLOBALS, (1,), _draw_features(draw, vocabulary, 1, rich))
    return _listed(draw, stage) if draw(st.integers(0, 3)) == 0 else stage


def _draw_features(draw, vocabulary: dict, least: int, rich: bool) -> tuple[Feature, ...]:
    if not vocabulary:
        return ()
    chosen = draw(st.lists(st.sampled_from(sorted(vocabulary)), min_size=least, max_size=2, unique=True))
    drawn = []
    for name in chosen:
        choices, kind = vocabulary[name]
        # A stage may allow some of the choices only, in the order of all.
        kept = draw(st.sets(st.sampled_from(range(len(choices))), min_size=1))
        drawn.append(Feature(name, tuple(c for i, c in enumerate(choices) if i in kept), kind))
    if rich and len(drawn) > 1 and draw(st.integers(0, 2)) == 0:
        # The first feature exists only with some choices of the second.
        when = draw(st.lists(st.sampled_from(drawn[1].choices), min_size=1, unique_by=choice_key))
        own = sorted(when, key=drawn[1].index)
        drawn[0] = replace(drawn[0], when=((drawn[1].name, tuple(own)),), choices=(*drawn[0].choices, ABSENT))
    return tuple(drawn)


def _listed(draw, stage: Stage) -> Stage:
    every = [module for module in all_modules(stage) if module]
    listed = draw(st.lists(st.sampled_from(every), min_size=1, max_size=6, unique=True))
    if 0 in stage.depths:
        listed.append(())
    depths = tuple(sorted({len(module) for module in listed}))
    return Stage(stage.name, depths, stage.features, stage.shared, tuple(listed))


@st.composite
def _modules_of_depth(draw, stage: Stage, depth: int) -> Module:
    of_depth = replace(stage, depths=(1,), shared=frozenset())
    layers = [module[0] for module in all_modules(of_depth)]
    shared = [p for p, feature in enumerate(stage.features) if feature.name in stage.shared]
    drawn = [draw(st.sampled_from(layers)) for _ in range(min(depth, 1))]
    for _ in range(1, depth):
        same = [x for x in layers if all(choice_key(x[p]) == choice_key(drawn[0][p]) for p in shared)]
        drawn.append(draw(st.sampled_from(same)))
    return tuple(drawn)
