"""What tells metrics: functions of the user's, tables, and trainings."""

from __future__ import annotations

import numpy as np
import pytest

from nasbuild.errors import NasbuildError
from nasbuild.evaluate import load_evaluator
from nasbuild.space import Space, load_space, sample
from nasbuild.table import load_builtin, write_table
from nasbuild.zoo.digits import train_arch

SPACE = load_space("digits-macro")
ONE, OTHER = sample(SPACE, 2, np.random.default_rng(0))
CODE = """
from dataclasses import dataclass

@dataclass
class Held:
    layers: int

def good(arch):
    layers = Held(sum(len(stage) for stage in arch["stages"]))
    return {"loss": layers.layers / 2, "acc": None, "macs": float("nan"), "more": 1}

def nothing(arch):
    return None

def words(arch):
    return {"loss": "low"}

number = 3
"""


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(CODE)
    return path


def test_a_function_of_a_file_is_called_with_plain_architectures(script):
    evaluator = load_evaluator(f"{script}:good", SPACE)
    assert evaluator.metrics == SPACE.metrics
    for architecture, told in zip((ONE, OTHER), evaluator([ONE, OTHER]), strict=True):
        numbers = {"loss": sum(map(len, architecture)) / 2, "more": 1.0}
        assert told == {**dict.fromkeys(SPACE.metrics), **numbers}


def test_a_function_of_a_module_is_called(script, monkeypatch):
    script.rename(script.with_name("module_of_mine.py"))
    monkeypatch.syspath_prepend(script.parent)
    evaluator = load_evaluator("module_of_mine:good", SPACE)
    assert evaluator([ONE])[0]["loss"] == sum(map(len, ONE)) / 2


def test_a_file_does_not_stand_in_for_a_module_of_its_name(tmp_path):
    path = tmp_path / "json.py"
    path.write_text(CODE)
    load_evaluator(f"{path}:good", SPACE)
    import json

    assert not hasattr(json, "good")
    path.write_text(CODE.replace("/ 2", "/ 4"))
    # Changed and loaded anew, it is the new one.
    assert load_evaluator(f"{path}:good", SPACE)([ONE])[0]["loss"] == sum(map(len, ONE)) / 4


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("{script}:none", "has no function 'none'"),
        ("{script}:number", "has no function 'number'"),
        ("gone.py:good", "no such file: gone.py"),
        ("no_such_module_here:good", "can't be loaded"),
        ("gone", "there is no evaluator 'gone'; allowed: digits, costs:NETWORK"),
    ],
)
def test_an_evaluator_that_is_none_is_refused(script, name, message):
    with pytest.raises(NasbuildError, match=message):
        load_evaluator(name.format(script=script), SPACE)


def test_a_function_needs_to_know_what_is_better(script):
    with pytest.raises(NasbuildError, match="declares no metrics"):
        load_evaluator(f"{script}:good", Space("s", SPACE.stages))


def test_a_table_is_looked_up_in(tmp_path):
    table = load_builtin("digits-macro")
    whole = load_evaluator("digits-macro", SPACE)
    assert whole.metrics == table.metrics
    row = table.row_of[ONE]
    assert whole([ONE])[0] == {name: float(v[row]) for name, v in table.columns.items()}
    write_table(table.select([row]), tmp_path / "one.jsonl")
    part = load_evaluator(str(tmp_path / "one.jsonl"), SPACE)
    assert part([ONE])[0]["loss"] == table.columns["loss"][row]
    assert set(part([OTHER])[0].values()) == {None}


def test_digits_trains():
    evaluator = load_evaluator("digits", SPACE, seed=3)
    assert set(evaluator.metrics) == {"acc", "loss"}
    expected = train_arch([[str(layer[0]) for layer in m] for m in ONE], seed=3)
    assert evaluator([ONE]) == [expected]
    with pytest.raises(NasbuildError, match="has no networks of the digits"):
        load_evaluator("digits", load_space("mnasnet"))
