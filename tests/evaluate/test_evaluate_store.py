"""The store: who may evaluate what, what is kept, and what a crash leaves; on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import numpy as np
import pytest
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine.interfaces import CacheStats

from nasbuild.errors import NasbuildError
from nasbuild.evaluate import Result, Store
from nasbuild.evaluate.store._database import clock, evaluations
from nasbuild.evaluate.store._owner import _started
from nasbuild.space import load_space, sample
from nasbuild.table import load_builtin

SPACE = load_space("digits-macro")
ARCHITECTURES = sample(SPACE, 40, np.random.default_rng(0))
TOLD = {"loss": 0.5, "acc": None}


def test_what_one_claims_another_does_not_get(url, opened):
    one, other = opened(url), opened(url)
    first = one.claim(ARCHITECTURES[:10])
    assert first == ARCHITECTURES[:10]
    assert one.claim(ARCHITECTURES[:10]) == []
    # Even a store of the same process is another one.
    assert other.claim(ARCHITECTURES[:15]) == ARCHITECTURES[10:15]
    one.release(first[:4])
    assert other.claim(ARCHITECTURES[:15]) == ARCHITECTURES[:4]
    assert one.counts() == {"running": 15, "done": 0, "failed": 0}
    other.release(first[5:])
    assert one.counts()["running"] == 15


def test_what_is_finished_is_there_for_all_in_the_order_it_was_begun(url, opened):
    one = opened(url)
    one.claim(ARCHITECTURES[:3])
    one.finish(ARCHITECTURES[1], Result(TOLD, None, 1.5))
    one.finish(ARCHITECTURES[0], Result({"loss": float("nan"), "acc": 61.25}, None, 0.5))
    one.finish(ARCHITECTURES[2], Result(None, "ValueError: no", 0.1))
    other = opened(url)
    assert other.results() == {
        ARCHITECTURES[0]: Result({"loss": None, "acc": 61.25}, None, 0.5),
        ARCHITECTURES[1]: Result(TOLD, None, 1.5),
        ARCHITECTURES[2]: Result(None, "ValueError: no", 0.1),
    }
    assert list(other.results()) == ARCHITECTURES[:3]
    assert other.counts() == {"running": 0, "done": 2, "failed": 1}
    assert other.claim(ARCHITECTURES[:3]) == []
    assert other.claim(ARCHITECTURES[:3], again=True) == [ARCHITECTURES[2]]
    assert ARCHITECTURES[2] not in other.results()
    table = other.table()
    assert table.architectures == tuple(ARCHITECTURES[:2])
    assert table.columns["acc"].tolist()[0] == 61.25
    assert np.isnan(table.columns["acc"][1])


def test_evaluators_seeds_and_spaces_do_not_mix(url, opened):
    one = opened(url)
    one.claim(ARCHITECTURES[:1])
    one.finish(ARCHITECTURES[0], Result(TOLD))
    for store in (opened(url, "another"), opened(url, "mine", seed=1)):
        assert store.results() == {}
        assert store.claim(ARCHITECTURES[:1]) == ARCHITECTURES[:1]
    other = Store(url, load_space("mnasnet"), "mine")
    assert other.counts() == {"running": 0, "done": 0, "failed": 0}
    other.close()


CLAIM = """
import sys, time
import numpy as np
from nasbuild.evaluate import Store
from nasbuild.space import load_space, sample
space = load_space("digits-macro")
store = Store(sys.argv[1], space, "mine")
mine = store.claim(sample(space, 40, np.random.default_rng(0))[:5])
print(len(mine), flush=True)
time.sleep(60)
"""


def test_what_a_killed_process_was_at_is_free_at_once(url, opened):
    with subprocess.Popen([sys.executable, "-c", CLAIM, url], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "5\n"
        store = opened(url)
        assert store.claim(ARCHITECTURES[:5]) == []
        process.kill()
        # Not even waited for; it may die while they are claimed, so that some are free and others not yet.
        mine, deadline = [], time.monotonic() + 10
        while len(mine) < 5 and time.monotonic() < deadline:
            mine += store.claim(ARCHITECTURES[:5])
            time.sleep(0.01)
    assert sorted(map(ARCHITECTURES.index, mine)) == [0, 1, 2, 3, 4]


def test_a_process_elsewhere_is_given_time_since_it_could_be_heard(url, opened, monkeypatch):
    monkeypatch.setattr("nasbuild.evaluate.store._owner.LEASE", 1.0)
    store = opened(url)
    store.claim(ARCHITECTURES[:2])
    engine = sa.create_engine(store.url)
    with engine.connect() as connection:
        now, up = clock(connection)
    time.sleep(max(0.0, up + 1.1 - now))
    for heard, free in ((time.time(), 0), (time.time() - 100, 2)):
        with engine.begin() as connection:
            away = {"owner": "elsewhere:1:2:ab", "heard": heard}
            connection.execute(sa.update(evaluations).values(**away))
        assert len(opened(url).claim(ARCHITECTURES[:2])) == free
    engine.dispose()


def test_a_heartbeat_is_heard(url, opened):
    store = opened(url)
    store.claim(ARCHITECTURES[:1])
    engine = sa.create_engine(store.url)
    with engine.begin() as connection:
        connection.execute(sa.update(evaluations).values(heard=1.0))
    store.heartbeat()
    with engine.connect() as connection:
        assert connection.execute(sa.select(evaluations.c.heard)).scalar() > time.time() - 60
    engine.dispose()


def test_a_table_is_taken_in_and_given_back(url, opened):
    table = load_builtin("digits-macro").select(range(20))
    store = opened(url)
    store.claim(table.architectures[:1])
    store.finish(table.architectures[0], Result(None, "failed before"))
    assert store.take_in(table) == 20
    assert store.take_in(table) == 0
    again = store.table()
    assert set(again.architectures) == set(table.architectures)
    for name, values in table.columns.items():
        found = again.columns[name][[again.row_of[a] for a in table.architectures]]
        assert np.array_equal(found, values, equal_nan=True)


def test_a_store_of_a_newer_version_is_refused(url, opened):
    store = opened(url)
    engine = sa.create_engine(store.url)
    with engine.begin() as connection:
        connection.execute(sa.text("update nasbuild set schema = 99"))
    with pytest.raises(NasbuildError, match="was written by a newer version"):
        opened(url)
    engine.dispose()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nowhere://x", "is no database that evaluations are kept in"),
        ("/no/such/folder/store.db", "can't be opened"),
        ("mysql://me:secret@host/db", "store mysql"),
    ],
)
def test_what_is_no_store_is_refused_without_its_password(url, message):
    with pytest.raises(NasbuildError, match=message) as caught:
        Store(url, SPACE, "mine")
    assert "secret" not in str(caught.value)


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("my notes, which are no database at all" * 50)
    with pytest.raises(NasbuildError, match="is no database of SQLite"):
        Store(path, SPACE, "mine")
    assert path.read_text().startswith("my notes")


def test_an_empty_store_has_no_table(tmp_path, opened):
    with pytest.raises(NasbuildError, match="holds no finished evaluation"):
        opened(tmp_path / "store.db").table()


def test_processes_are_told_from_those_that_had_their_number_before():
    assert _started(os.getpid()) != ""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert _started(process.pid) == ""


def test_many_are_claimed_and_finished_at_once(url, opened):
    one, other = opened(url), opened(url)
    many = sample(SPACE, 1200, np.random.default_rng(5))
    other.claim(many[::3])
    mine = one.claim(many)
    assert mine == [a for i, a in enumerate(many) if i % 3]
    one.finish_all([(a, Result({"loss": float(i)})) for i, a in enumerate(mine)])
    one.finish_all([])
    assert one.counts() == {"running": 400, "done": 800, "failed": 0}
    assert [r.metrics for r in other.results().values()] == [{"loss": float(i)} for i in range(800)]


def test_results_are_written_together_or_not_at_all(url, opened):
    store = opened(url)
    first, second = store.claim(ARCHITECTURES[:2])
    with pytest.raises(TypeError):
        store.finish_all([(first, Result(TOLD)), (second, Result({"loss": object()}))])  # type: ignore[dict-item]
    assert store.counts() == {"running": 2, "done": 0, "failed": 0}


def test_statements_are_compiled_once(url, opened):
    store, compiled = opened(url), []

    def ask(*told) -> None:
        _, _, statement, _, context, _ = told
        if context.compiled is not None and context.cache_hit is not CacheStats.CACHE_HIT:
            compiled.append(statement)

    event.listen(sa.Engine, "before_cursor_execute", ask)
    try:
        for i, architecture in enumerate(ARCHITECTURES[:12]):
            if i == 4:
                # All kinds were asked once or more: begun, finished, failed and taken over.
                assert compiled
                compiled.clear()
            store.claim([architecture], code=f"{i}")
            store.finish(architecture, Result(None, f"no {i}", i / 7))
            assert store.claim([architecture], again=True, code=f"again {i}") == [architecture]
            store.finish(architecture, Result({"loss": i / 7}, None, i / 3, notes=(f"note {i}",)))
            store.heartbeat()
    finally:
        event.remove(sa.Engine, "before_cursor_execute", ask)
    assert not compiled
    assert [r.code for r in store.results().values()] == [f"again {i}" for i in range(12)]
    assert [r.metrics for r in store.results().values()] == [{"loss": i / 7} for i in range(12)]
