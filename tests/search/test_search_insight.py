"""The reduced space of Layer-Insight, on tables with obvious means."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from search_samples import digits

from nasbuild.errors import NasbuildError
from nasbuild.objective import parse_target
from nasbuild.search import layer_insight_space
from nasbuild.space import (
    Architecture,
    Feature,
    Metric,
    Space,
    Stage,
    count_architectures,
    enumerate_architectures,
)
from nasbuild.table import Table

ACC, COST = Metric("acc", "maximize"), Metric("cost", "minimize")


def table_of(space: Space, label) -> Table:
    architectures = tuple(enumerate_architectures(space))
    values = np.array([label(a) for a in architectures], dtype=float)
    ids = tuple(str(n) for n in range(len(architectures)))
    return Table(space, ids, architectures, {"acc": values[:, 0], "cost": values[:, 1]})


def targets_of(table: Table, *names: str):
    return [parse_target(name, table) for name in names]


def space_of(*stages: Stage) -> Space:
    return Space("s", stages, {"acc": ACC, "cost": COST})


# op: what it adds to acc and to cost; c is beaten by b.
WORTH = {"a": (0, 0), "b": (2, 1), "c": (1, 2), "d": (3, 3)}


def added(module):
    return np.sum([WORTH[layer[0]] for layer in module], axis=0)


def test_dominated_layers_are_left_out_at_each_place():
    ops = Feature("op", ("a", "b", "c", "d"))
    space = space_of(Stage("one", (1, 2), (ops,)), Stage("two", (1,), (ops,)))

    def label(architecture):
        one, two = architecture.modules
        # In the second place of the first stage, d costs nothing: it beats all.
        saved = np.array([0, 3 + 1e-3]) if len(one) > 1 and one[1] == ("d",) else 0
        return added(one) + added(two) - saved

    table = table_of(space, label)
    found = layer_insight_space(table, targets_of(table, "acc", "cost"))
    one, two = found.stages
    assert set(one.modules) == {
        *(((x,),) for x in "abd"),
        *(((x,), (y,)) for x, y in product("abd", "d")),
    }
    assert set(two.modules) == {(("a",),), (("b",),), (("d",),)}
    # For accuracy alone the best layer and the deepest stage are all that is left.
    best = layer_insight_space(table, targets_of(table, "acc"))
    assert count_architectures(best) == 1
    assert best.stages[0].modules == ((("d",), ("d",)),)


def test_layers_agree_in_shared_features():
    stage = Stage("one", (2,), (Feature("op", ("a", "b", "c")), Feature("w", (1, 2))), frozenset({"w"}))
    space = space_of(stage)
    table = table_of(
        space, lambda a: added([layer[:1] for layer in a.modules[0]]) + a.modules[0][0][1] * np.array([1, 1])
    )
    found = layer_insight_space(table, targets_of(table, "acc", "cost"))
    kept = set(found.stages[0].modules)
    assert kept
    assert all(m[0][1] == m[1][1] for m in kept)
    assert all(layer[0] != "c" for m in kept for layer in m)
    assert kept < {a.modules[0] for a in enumerate_architectures(space)}


def test_a_listed_stage_keeps_what_its_list_allows():
    ops = Feature("op", ("a", "b", "c"))
    label = {(("a",), ("b",)): 3, (("a",), ("c",)): 0, (("b",), ("c",)): 2}
    allowed = tuple(label)
    space = space_of(Stage("one", (2,), (ops,), modules=allowed))
    table = table_of(space, lambda a: (label[a.modules[0]], 0))
    found = layer_insight_space(table, targets_of(table, "acc"))
    # On average b is best in both places, and b-b is not allowed: the stage stays as it is.
    assert found.stages[0].modules == allowed
    assert found.stages[0] == space.stages[0]


def test_rows_without_a_label_are_ignored_and_unseen_layers_left_out():
    table = digits()
    few = table.select(range(0, len(table), 30))
    found = layer_insight_space(few, targets_of(few, "loss", "macs"))
    assert count_architectures(found) < count_architectures(table.space)
    met = [{a.modules[u][0] for a in few.architectures} for u in range(3)]
    for u, stage in enumerate(found.stages):
        assert stage.modules
        assert {m[0] for m in stage.modules} <= met[u]
    assert all(Architecture(a.modules) in table.row_of for a in enumerate_architectures(found))


def test_too_many_modules_are_refused():
    ops = Feature("op", tuple(f"o{n}" for n in range(25)))
    space = space_of(Stage("one", (4,), (ops,)))
    rng = np.random.default_rng(0)
    architectures = tuple(
        dict.fromkeys(
            Architecture((tuple((f"o{n}",) for n in rng.integers(25, size=4)),)) for _ in range(500)
        )
    )
    acc = np.array([sum(int(layer[0][1:]) for layer in a.modules[0]) for a in architectures], dtype=float)
    table = Table(space, tuple(map(str, range(len(acc)))), architectures, {"acc": acc, "cost": acc})
    with pytest.raises(NasbuildError, match="stage one would keep more than 200,000 modules"):
        layer_insight_space(table, targets_of(table, "acc", "cost"))
