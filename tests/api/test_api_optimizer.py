"""The closed loop by ask and tell: equal to `optimize`, shared by processes, resumed from its store."""

from __future__ import annotations

import subprocess

import pandas as pd
import polars as pl
import pytest

import nasbuild as nb
from nasbuild.errors import NasbuildError
from nasbuild.evaluate.store import _owner

TABLE = nb.load_builtin("digits-macro")
SPACE = TABLE.space


def measured(arch):
    """What the table knows; networks of four layers fail."""
    if sum(map(len, arch["stages"])) == 4:
        raise ValueError("four layers")
    row = TABLE.row_of[nb.parse_architecture(SPACE, arch)]
    return {name: float(TABLE.columns[name][row]) for name in ("loss", "params")}


def outcome(arch):
    try:
        return measured(arch)
    except ValueError as error:
        return error


def optimizer(**options):
    return nb.Optimizer(SPACE, "loss", **{"recipe": "ridge", "first": 8, "seed": 3, **options})


def by_hand(opt, sizes):
    asked = []
    for n in sizes:
        rows = opt.ask(n)
        # Told one by one and in another order than asked for.
        for row in reversed(rows):
            opt.tell(row["id"], outcome(row["arch"]))
        asked += [row["arch"] for row in rows]
    return asked


@pytest.fixture(scope="module")
def looped(tmp_path_factory):
    options = {"out": tmp_path_factory.mktemp("loop") / "loop", "first": 8, "batch": 4, "rounds": 2}
    return nb.optimize(SPACE, measured, "loss", where="params <= 9000", recipe="ridge", seed=3, **options)


def archs_of(state):
    return [nb.to_dict(SPACE, a) for a in state.evaluated.architectures]


def test_by_hand_the_architectures_are_those_of_the_loop(looped):
    with optimizer(where="params <= 9000") as opt:
        assert by_hand(opt, [8, 4, 4]) == archs_of(looped)
        assert opt.counts()["failed"] == sum(~looped.evaluated.known) > 0
        assert [r["arch"] for r in opt.best()] == [archs_of(looped)[i] for i in looped.best]
        assert opt.fit.table == looped.fit.table


def test_a_run_continues_from_its_store_as_if_it_had_not_stopped(looped, tmp_path):
    options = {"store": tmp_path / "runs.db", "where": "params <= 9000"}
    calls = []

    def function(arch):
        if len(calls) == 10:
            raise KeyboardInterrupt
        calls.append(arch)
        return measured(arch)

    with optimizer(**options) as opt, pytest.raises(KeyboardInterrupt):
        opt.run(function, 16, batch=4)
    assert calls == archs_of(looped)[:10]
    calls[10:] = [None]
    with optimizer(**options) as opt:
        assert opt.counts()["running"] == 2
        best = opt.run(function, 16, batch=4)
        assert list(opt.run(function, 16)) == list(best)
    assert calls[11:] == archs_of(looped)[10:]
    assert [row["arch"] for row in best] == [archs_of(looped)[i] for i in looped.best]


def test_two_do_not_get_the_same_and_know_what_the_other_told(tmp_path):
    with optimizer(store=tmp_path / "s.db") as one, optimizer(store=tmp_path / "s.db") as two:
        first, second = one.ask(3), two.ask(3)
        assert len({row["id"] for row in (*first, *second)}) == 6
        assert [row["id"] for row in one.pending()] == [row["id"] for row in (*first, *second)]
        two.tell(second, [outcome(row["arch"]) for row in second])
        assert one.counts()["running"] == 3
        # What is not told is asked for by the other, once it is given up.
        one.close()
        assert repr(one) == "Optimizer of loss, closed"
        again = two.ask(4)
        assert [row["why"] for row in again] == ["interrupted"] * 3 + ["random"]
        assert [row["id"] for row in again[:3]] == [row["id"] for row in first]


def test_what_a_dead_process_asked_for_is_asked_for_again(tmp_path, monkeypatch):
    process = subprocess.Popen(["true"])
    process.wait()
    dead = f"{_owner.process_namespace()}:{process.pid}:1:ab"
    monkeypatch.setattr("nasbuild.evaluate.store._store.owner_name", lambda: dead)
    died = nb.Optimizer(SPACE, "loss", store=tmp_path / "s.db")
    asked = [row["id"] for row in died.ask(2)]
    monkeypatch.undo()
    with nb.Optimizer(SPACE, "loss", store=tmp_path / "s.db") as opt:
        opt.tell(asked[1], 0.25)
        rows = opt.ask(2)
        assert [row["why"] for row in rows] == ["interrupted", "random"]
        assert rows[0]["id"] == asked[0]
        assert opt.best(1)[0]["loss"] == 0.25
    died.close()


@pytest.mark.parametrize(
    "told",
    [
        [{"loss": 0.5}, None],
        [0.5, "out of memory"],
        {"loss": [0.5, float("nan")]},
        pd.DataFrame({"loss": [0.5, None]}),
        pl.DataFrame({"loss": [0.5, None]}),
        [{"loss": 0.5, "params": 3.0}, ValueError("diverged")],
    ],
    ids=["dicts", "number and reason", "columns", "pandas", "polars", "exception"],
)
def test_metrics_are_told_as_people_have_them(told):
    with optimizer() as opt:
        rows = opt.ask(2)
        opt.tell([rows[0], nb.parse_architecture(SPACE, rows[1]["arch"])], told)
        assert opt.counts() == {"running": 0, "done": 1, "failed": 1}
        assert [(row["id"], row["loss"]) for row in opt.best()] == [(rows[0]["id"], 0.5)]


def test_a_table_can_be_told_and_a_failure_mended():
    with optimizer() as opt:
        opt.tell(TABLE.select(range(12)))
        assert opt.counts()["done"] == 12
        assert opt.ask(1)[0]["why"] != "random"
        arch = nb.to_dict(SPACE, TABLE.architectures[20])
        opt.tell(arch, None)
        opt.tell(arch, {"loss": 0.5})
        opt.tell(arch, {"loss": 0.5})
        with pytest.raises(NasbuildError, match=r"told before with other metrics.*replace=True"):
            opt.tell(arch, {"loss": 0.25})
        opt.tell(arch, {"loss": 0.25}, replace=True)
        assert opt.counts()["done"] == 13
        assert float(opt.table.columns["loss"][-1]) == 0.25


@pytest.mark.parametrize(
    ("told", "message"),
    [
        (("nowhere", 0.5), "nothing with the id 'nowhere' was asked for"),
        ((7, 0.5), "7 is no architecture"),
        (([7], [0.5]), "7 is no architecture"),
        ((nb.Architecture((((0,),),)), 0.5), "not in the space"),
        ((TABLE.architectures[:2], [0.5]), "2 architectures are told with 1 outcomes"),
        (([TABLE.architectures[0]] * 2, [0.5, 0.5]), "told twice"),
        ((TABLE.architectures[0], {"los": 0.5}), "'loss' is not told.*is it 'los'"),
        ((TABLE.architectures[0], [0.5]), "does not say which metric"),
        ((TABLE.architectures[:2], {"loss": [0.5]}), "column 'loss' does not have 2 values"),
        ((TABLE.architectures[:2], 0.5), "0.5 is told of 2 architectures"),
    ],
)
def test_what_can_not_be_meant_is_refused_and_nothing_is_kept(told, message):
    with optimizer() as opt:
        with pytest.raises(NasbuildError, match=message):
            opt.tell(*told)
        assert sum(opt.counts().values()) == 0


def test_the_front_is_what_nothing_dominates():
    table = TABLE.select(range(0, 1728, 40))
    with nb.Optimizer(SPACE, ["acc", "-params"], recipe="ridge") as opt:
        opt.tell(table)
        acc, params = (table.columns[name] for name in ("acc", "params"))
        expected = {
            table.architectures[i]
            for i in range(len(table))
            if not any(
                acc[j] >= acc[i] and params[j] <= params[i] and (acc[j], params[j]) != (acc[i], params[i])
                for j in range(len(table))
            )
        }
        assert {nb.parse_architecture(SPACE, row["arch"]) for row in opt.front()} == expected
        assert opt.best(1, target="-params")[0]["-params"] == -params.min()
        with pytest.raises(NasbuildError, match=r"several targets.*acc, -params"):
            opt.best()
        with pytest.raises(NasbuildError, match="no target 'a'"):
            opt.best(target="a")


def test_nothing_told_can_not_be_fitted():
    with optimizer() as opt, pytest.raises(NasbuildError, match="nothing was told"):
        _ = opt.fit


def test_a_small_space_is_asked_for_once():
    with optimizer(
        fix=["stage1.depth = 1", "stage2.depth = 1", "stage3.depth = 1", "stage1.*.op = mb_e1_k3"]
    ) as opt:
        size = nb.count_architectures(opt.space)
        assert len(opt.ask(size + 5)) == size
        assert len(opt.ask(1)) == 0
