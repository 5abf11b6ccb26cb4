"""Results of what evaluators return and raise: numbers are kept, anything else is noted or a failure."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import pytest
import torch

from nasbuild.evaluate import Evaluator
from nasbuild.space import Metric, load_space, sample

SPACE = load_space("digits-macro")
(ARCH,) = sample(SPACE, 1, np.random.default_rng(0))
METRICS = {"acc": Metric("acc", "maximize", "%", 0.0, 100.0), "loss": Metric("loss", "minimize")}


def result(measure, metrics=METRICS):
    evaluator = Evaluator("mine", metrics, measure)
    (found,) = evaluator.evaluate([ARCH])
    assert evaluator([ARCH]) == [{**dict.fromkeys(metrics), **(found.metrics or {})}]
    return replace(found, seconds=None)


def raising(error):
    def measure(_):
        raise error

    return measure


@pytest.mark.parametrize(
    ("returned", "metrics", "notes"),
    [
        ({"acc": 3, "loss": None}, {"acc": 3.0, "loss": None}, ()),
        ({"acc": np.float32(0.5), "loss": torch.tensor(1.5)}, {"acc": 0.5, "loss": 1.5}, ()),
        ({"acc": 3.0, "note": "fine"}, {"acc": 3.0}, ("left out note, which is text ('fine')",)),
        ({"acc": 3.0, "loss": [1.0, 2.0]}, {"acc": 3.0}, ("left out loss, which is a list ([1.0, 2.0])",)),
        ({"acc": 142.0, "loss": 1.0}, {"loss": 1.0}, ("left out acc, which is 142; allowed: at most 100",)),
        ({"acc": 3.0, "": 1.0}, {"acc": 3.0}, ("left out '', which is not a valid metric name",)),
        ({"acc": 3.0, "a\nb": 1.0}, {"acc": 3.0}, ("left out 'a\\nb', which is not a valid metric name",)),
        ({"acc": 3.0, "x": 10**400}, {"acc": 3.0}, None),
        ({"Acc": 3.0}, {"Acc": 3.0}, ("metric Acc is not declared in the space; did you mean acc?",)),
        (
            {"acc": 3.0, "loss": 1.0, "n": 2, "flag": True},
            {"acc": 3.0, "loss": 1.0, "n": 2.0, "flag": 1.0},
            ("not declared in the space, so not usable as objectives: n, flag",),
        ),
    ],
)
def test_numbers_are_kept_and_other_values_are_noted(returned, metrics, notes):
    found = result(lambda _: returned)
    assert found.metrics == metrics
    assert found.reason is None
    if notes is not None:
        assert found.notes == notes


@pytest.mark.parametrize(
    ("returned", "reason"),
    [
        (3.0, 'returned 3.0, a float; return a dict such as {"acc": 3.0}'),
        (None, 'returned None; return a dict such as {"acc": 0.93}'),
        ((3.0, {}), 'returned (3.0, {}), a tuple; return a dict such as {"acc": 0.93}'),
        ({}, "measured nothing"),
        ({"acc": None, "loss": float("nan")}, "no number for acc and loss"),
        ({"acc": "good"}, "left out acc, which is text ('good')"),
    ],
)
def test_a_result_without_numbers_is_a_failure(returned, reason):
    found = result(lambda _: returned)
    assert (found.metrics, found.reason) == (None, reason)


class UserError(BaseException):
    pass


class Mute(Exception):
    def __str__(self):
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (SystemExit(2), "SystemExit (the evaluator called sys.exit): 2"),
        (GeneratorExit(), "GeneratorExit"),
        (UserError("mine"), "UserError: mine"),
        (Mute(), "Mute: its text can't be shown (RuntimeError)"),
        (MemoryError(), "MemoryError"),
        (ValueError("half \ud800, zero \0."), "ValueError: half \\ud800, zero \\x00."),
    ],
)
def test_any_exception_is_a_failure(error, reason):
    found = result(raising(error))
    assert (found.metrics, found.reason) == (None, reason)


def test_a_long_reason_is_shortened_with_a_note():
    found = result(raising(ValueError("x" * 5_000_000)))
    assert found.reason is not None
    assert len(found.reason) < 1000
    assert "(5,000,012 characters)" in found.reason


def test_an_interrupt_by_the_user_is_raised():
    with pytest.raises(KeyboardInterrupt):
        Evaluator("mine", METRICS, raising(KeyboardInterrupt())).evaluate([ARCH])


def test_a_child_forked_by_an_evaluator_ends_there(tmp_path):
    def measure(_):
        os.fork()
        return {"acc": 1.0}

    found = result(measure)
    # Only the parent gets here.
    with (tmp_path / "here").open("a") as here:
        here.write("x")
    assert found.metrics == {"acc": 1.0}
    assert (tmp_path / "here").read_text() == "x"
