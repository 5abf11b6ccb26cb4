"""Evaluating and the closed loop from a notebook, by functions and by names."""

from __future__ import annotations

import numpy as np
import pytest

import nasbuild as nb
from nasbuild.errors import NasbuildError

SPACE = nb.load_space("digits-macro")


def worth(arch):
    """Fewer layers are better; those with four fail."""
    layers = sum(map(len, arch["stages"]))
    if layers == 4:
        raise ValueError("four layers")
    return {"acc": 1.0 / layers, "loss": float(layers)}


def test_a_function_of_a_notebook_gives_a_table_with_failures_in_it():
    archs = nb.sample(SPACE, 30, 0)
    table = nb.evaluate(SPACE, worth, archs)
    layers = np.array([sum(map(len, a)) for a in archs])
    np.testing.assert_array_equal(table.columns["loss"], np.where(layers == 4, np.nan, layers))
    assert table.architectures == tuple(archs)


def test_a_store_is_not_asked_twice(tmp_path):
    calls = []

    def counted(arch):
        calls.append(arch)
        return {"acc": 1.0, "loss": 2.0}

    archs = nb.sample(SPACE, 4, 0)
    for _ in range(2):
        nb.evaluate(SPACE, counted, archs, store=tmp_path / "store.db")
    assert len(calls) == 4


def test_a_name_is_evaluated_by_workers(tmp_path):
    archs = nb.sample(SPACE, 4, 0)
    table = nb.evaluate(SPACE, "digits-macro", archs, store=tmp_path / "s.db", workers=1)
    known = nb.load_builtin("digits-macro")
    np.testing.assert_array_equal(
        table.columns["loss"], known.columns["loss"][[known.row_of[a] for a in archs]]
    )


def test_the_loop_goes_on_where_it_stopped(tmp_path):
    options = {"out": tmp_path / "loop", "batch": 4, "first": 20, "recipe": "ridge"}
    first = nb.optimize(SPACE, worth, "loss", rounds=1, **options)
    more = nb.optimize(SPACE, worth, "loss", rounds=2, **options)
    assert len(first.evaluated.architectures) == 24
    assert more.evaluated.architectures[:24] == first.evaluated.architectures
    assert isinstance(more.fit, nb.Fit)
    assert (tmp_path / "loop.store.db").exists()
    best = [sum(map(len, more.evaluated.architectures[i])) for i in more.best]
    assert best[0] == 3


def test_rooms_of_the_same_names_can_be_called_and_imported_from():
    from nasbuild.evaluate import Store
    from nasbuild.optimize import LoopSettings

    assert callable(nb.evaluate)
    assert nb.evaluate.Store is Store
    assert nb.optimize.LoopSettings is LoopSettings


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"workers": 2}, "workers can't load a function"),
        ({"limit": 3}, "can't be ended within this process"),
    ],
)
def test_what_needs_another_process_needs_a_name(options, message):
    with pytest.raises(NasbuildError, match=message):
        nb.evaluate(SPACE, worth, nb.sample(SPACE, 2, 0), **options)


def test_where_all_fail_the_first_reason_is_given():
    def broken(_):
        raise ValueError("no luck")

    with pytest.raises(NasbuildError, match=r"all of 2 evaluations failed.*no luck"):
        nb.evaluate(SPACE, broken, nb.sample(SPACE, 2, 0))
