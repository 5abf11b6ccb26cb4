"""Unseen choices and rows without support, against plain loops over architectures."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from nasbuild.space import Architecture, Feature, Space, Stage, group_stages, sample
from nasbuild.table import (
    UnseenChoice,
    architectures_with_unseen,
    modules_with_unseen,
    rows_without_support,
    unseen_choices,
    unseen_text,
    unseen_to_dicts,
)

SPACE = Space(
    "small",
    (
        Stage("one", (1, 2, 3), (Feature("kernel", (3, 5, 7)), Feature("se", (False, True)))),
        Stage("two", (2,), (Feature("op", ("a", "b", "c")),)),
        Stage("globals", (1,), (Feature("resolution", (128, 160, 192)),)),
    ),
)


def has(architecture: Architecture, one: UnseenChoice) -> bool:
    module = architecture.modules[one.stage]
    if one.feature is None:
        return len(module) == one.choice
    f = [feature.name for feature in SPACE.stages[one.stage].features].index(one.feature)
    return any(layer[f] == one.choice and type(layer[f]) is type(one.choice) for layer in module)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("rows", [1, 3, 12])
def test_unseen_choices_agree_with_a_plain_search(seed, rows):
    some = sample(SPACE, rows, np.random.default_rng(seed))
    every = [UnseenChoice(u, None, d) for u, stage in enumerate(SPACE.stages) for d in stage.depths]
    every += [
        UnseenChoice(u, f.name, c)
        for u, stage in enumerate(SPACE.stages)
        for f in stage.features
        for c in f.choices
    ]
    unseen = unseen_choices(SPACE, some)
    assert set(unseen) == {one for one in every if not any(has(a, one) for a in some)}
    others = sample(SPACE, 40, np.random.default_rng(seed + 100))
    expected = [any(has(a, one) for one in unseen) for a in others]
    assert architectures_with_unseen(SPACE, unseen, others).tolist() == expected
    assert not architectures_with_unseen(SPACE, unseen, some).any()
    for u, modules in enumerate(group_stages(SPACE, others)):
        found = modules.evaluate(lambda codes, u=u: modules_with_unseen(SPACE, unseen, u, codes))
        assert found.tolist() == [any(has(a, one) for one in unseen if one.stage == u) for a in others]


def test_a_table_of_one_resolution_has_unseen_resolutions():
    some = [a for a in sample(SPACE, 300, np.random.default_rng(0)) if a.modules[2] == ((192,),)]
    unseen = unseen_choices(SPACE, some)
    assert unseen == (UnseenChoice(2, "resolution", 128), UnseenChoice(2, "resolution", 160))
    assert unseen_to_dicts(SPACE, unseen) == [
        {"stage": 2, "name": "globals", "feature": "resolution", "choices": [128, 160]}
    ]
    assert unseen_text(SPACE, unseen, "row") == "No row has globals resolution 128, 160."
    assert unseen_text(SPACE, (), "row") == ""
    deep = unseen_text(SPACE, (UnseenChoice(0, None, 2), UnseenChoice(0, None, 3)), "row")
    assert deep == "No row has one with 2, 3 layers."


def literal_support(some: list[Architecture], folds: list[int]) -> list[bool]:
    rare = [False] * len(some)
    for u in range(len(SPACE.stages)):
        modules = [a.modules[u] for a in some]
        keys = [
            {("depth", len(m)), *((p, f, c) for p, layer in enumerate(m) for f, c in enumerate(layer))}
            for m in modules
        ]
        times = Counter(modules)
        shared = sum(times[m] > 1 for m in modules) >= len(some) / 2 and len(some) < 100
        for row, own in enumerate(keys):
            others = Counter(k for n, k in enumerate(keys) if folds[n] != folds[row] for k in k)
            rare[row] |= any(others[k] < 4 for k in own) or (shared and times[modules[row]] == 1)
    return rare


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("rows", [2, 20, 60, 150])
def test_rows_without_support_agree_with_a_plain_count(seed, rows):
    rng = np.random.default_rng(seed)
    some = sample(SPACE, rows, rng)
    folds = rng.integers(0, 5, rows)
    assert rows_without_support(SPACE, some, folds).tolist() == literal_support(some, folds.tolist())


def test_rows_of_the_same_fold_give_no_support():
    space = Space("pair", (Stage("one", (1,), (Feature("op", ("a", "b")),)),))
    some = [Architecture(((("b" if n < 6 else "a",),),)) for n in range(30)]
    together, apart = np.minimum(np.arange(30) // 6, 4), np.arange(30) % 5
    assert rows_without_support(space, some, together).tolist() == [True] * 6 + [False] * 24
    assert not rows_without_support(space, some, apart).any()
