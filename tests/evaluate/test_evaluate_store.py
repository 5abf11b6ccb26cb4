"""The store: claims, results and the effects of a crash, on SQLite and on a real PostgreSQL server."""

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
from nasbuild.evaluate.store._database import evaluations, server_time
from nasbuild.evaluate.store._owner import _start_time
from nasbuild.space import load_space, sample
from nasbuild.table import load_builtin

SPACE = load_space("digits-macro")
ARCHITECTURES = sample(SPACE, 40, np.random.default_rng(0))
METRICS = {"loss": 0.5, "acc": None}


def test_a_claim_excludes_other_stores(url, opened):
    store, other = opened(url), opened(url)
    first = store.claim(ARCHITECTURES[:10])
    assert first == ARCHITECTURES[:10]
    assert store.claim(ARCHITECTURES[:10]) == []
    # Even if the other store belongs to the same process.
    assert other.claim(ARCHITECTURES[:15]) == ARCHITECTURES[10:15]
    store.release(first[:4])
    assert other.claim(ARCHITECTURES[:15]) == ARCHITECTURES[:4]
    assert store.counts() == {"running": 15, "done": 0, "failed": 0}
    other.release(first[5:])
    assert store.counts()["running"] == 15


def test_all_stores_see_results_in_the_order_of_their_start(url, opened):
    store = opened(url)
    store.claim(ARCHITECTURES[:3])
    store.finish(ARCHITECTURES[1], Result(METRICS, None, 1.5))
    store.finish(ARCHITECTURES[0], Result({"loss": float("nan"), "acc": 61.25}, None, 0.5))
    store.finish(ARCHITECTURES[2], Result(None, "ValueError: no", 0.1))
    other = opened(url)
    assert other.results() == {
        ARCHITECTURES[0]: Result({"loss": None, "acc": 61.25}, None, 0.5),
        ARCHITECTURES[1]: Result(METRICS, None, 1.5),
        ARCHITECTURES[2]: Result(None, "ValueError: no", 0.1),
    }
    assert list(other.results()) == ARCHITECTURES[:3]
    assert other.counts() == {"running": 0, "done": 2, "failed": 1}
    assert other.claim(ARCHITECTURES[:3]) == []
    assert other.claim(ARCHITECTURES[:3], retry_failed=True) == [ARCHITECTURES[2]]
    assert ARCHITECTURES[2] not in other.results()
    table = other.table()
    assert table.architectures == tuple(ARCHITECTURES[:2])
    assert table.columns["acc"].tolist()[0] == 61.25
    assert np.isnan(table.columns["acc"][1])


def test_evaluators_seeds_and_spaces_are_separate_studies(url, opened):
    first = opened(url)
    first.claim(ARCHITECTURES[:1])
    first.finish(ARCHITECTURES[0], Result(METRICS))
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
claimed = store.claim(sample(space, 40, np.random.default_rng(0))[:5])
print(len(claimed), flush=True)
time.sleep(60)
"""


def test_evaluations_of_a_killed_process_are_claimable_at_once(url, opened):
    with subprocess.Popen([sys.executable, "-c", CLAIM, url], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "5\n"
        store = opened(url)
        assert store.claim(ARCHITECTURES[:5]) == []
        process.kill()
        # It may die in the middle of a claim, so that some are claimable and others not yet.
        claimed, deadline = [], time.monotonic() + 10
        while len(claimed) < 5 and time.monotonic() < deadline:
            claimed += store.claim(ARCHITECTURES[:5])
            time.sleep(0.01)
    assert sorted(map(ARCHITECTURES.index, claimed)) == [0, 1, 2, 3, 4]


def test_the_lease_of_a_process_elsewhere_starts_when_the_server_is_up(url, opened, monkeypatch):
    monkeypatch.setattr("nasbuild.evaluate.store._owner.LEASE_SECONDS", 1.0)
    store = opened(url)
    store.claim(ARCHITECTURES[:2])
    engine = sa.create_engine(store.url)
    with engine.connect() as connection:
        now, up_since = server_time(connection)
    time.sleep(max(0.0, up_since + 1.1 - now))
    for heartbeat, claimable in ((time.time(), 0), (time.time() - 100, 2)):
        with engine.begin() as connection:
            elsewhere = {"owner": "elsewhere:1:2:ab", "heard": heartbeat}
            connection.execute(sa.update(evaluations).values(**elsewhere))
        assert len(opened(url).claim(ARCHITECTURES[:2])) == claimable
    engine.dispose()


def test_a_heartbeat_renews_the_lease(url, opened):
    store = opened(url)
    store.claim(ARCHITECTURES[:1])
    engine = sa.create_engine(store.url)
    with engine.begin() as connection:
        connection.execute(sa.update(evaluations).values(heard=1.0))
    store.heartbeat()
    with engine.connect() as connection:
        assert connection.execute(sa.select(evaluations.c.heard)).scalar() > time.time() - 60
    engine.dispose()


def test_a_table_is_imported_and_exported_unchanged(url, opened):
    table = load_builtin("digits-macro").select(range(20))
    store = opened(url)
    store.claim(table.architectures[:1])
    store.finish(table.architectures[0], Result(None, "failed before"))
    assert store.import_table(table) == 20
    assert store.import_table(table) == 0
    exported = store.table()
    assert set(exported.architectures) == set(table.architectures)
    for name, values in table.columns.items():
        found = exported.columns[name][[exported.row_of[a] for a in table.architectures]]
        assert np.array_equal(found, values, equal_nan=True)


def test_a_store_of_a_newer_version_is_an_error(url, opened):
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
        ("nowhere://x", "is not a supported database"),
        ("/no/such/folder/store.db", "can't be opened"),
        ("mysql://me:secret@host/db", "store mysql"),
    ],
)
def test_an_unusable_address_is_an_error_that_hides_the_password(url, message):
    with pytest.raises(NasbuildError, match=message) as caught:
        Store(url, SPACE, "mine")
    assert "secret" not in str(caught.value)


def test_a_file_that_is_not_a_database_is_an_error_and_not_changed(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("my notes, which are no database at all" * 50)
    with pytest.raises(NasbuildError, match="is not an SQLite database"):
        Store(path, SPACE, "mine")
    assert path.read_text().startswith("my notes")


def test_an_empty_store_has_no_table(tmp_path, opened):
    with pytest.raises(NasbuildError, match="holds no completed evaluation"):
        opened(tmp_path / "store.db").table()


def test_the_start_time_of_an_ended_process_is_unknown():
    assert _start_time(os.getpid()) != ""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert _start_time(process.pid) == ""


def test_many_evaluations_are_claimed_and_finished_at_once(url, opened):
    store, other = opened(url), opened(url)
    many = sample(SPACE, 1200, np.random.default_rng(5))
    other.claim(many[::3])
    claimed = store.claim(many)
    assert claimed == [a for i, a in enumerate(many) if i % 3]
    store.finish_all([(a, Result({"loss": float(i)})) for i, a in enumerate(claimed)])
    store.finish_all([])
    assert store.counts() == {"running": 400, "done": 800, "failed": 0}
    assert [r.metrics for r in other.results().values()] == [{"loss": float(i)} for i in range(800)]


def test_results_are_written_together_or_not_at_all(url, opened):
    store = opened(url)
    first, second = store.claim(ARCHITECTURES[:2])
    with pytest.raises(TypeError):
        store.finish_all([(first, Result(METRICS)), (second, Result({"loss": object()}))])  # type: ignore[dict-item]
    assert store.counts() == {"running": 2, "done": 0, "failed": 0}


def test_statements_are_compiled_once(url, opened):
    store, compiled = opened(url), []

    def record(*event_arguments) -> None:
        _, _, statement, _, context, _ = event_arguments
        if context.compiled is not None and context.cache_hit is not CacheStats.CACHE_HIT:
            compiled.append(statement)

    event.listen(sa.Engine, "before_cursor_execute", record)
    try:
        for i, architecture in enumerate(ARCHITECTURES[:12]):
            if i == 4:
                # Every kind of statement was executed by now.
                assert compiled
                compiled.clear()
            store.claim([architecture], code=f"{i}")
            store.finish(architecture, Result(None, f"no {i}", i / 7))
            assert store.claim([architecture], retry_failed=True, code=f"again {i}") == [architecture]
            store.finish(architecture, Result({"loss": i / 7}, None, i / 3, notes=(f"note {i}",)))
            store.heartbeat()
    finally:
        event.remove(sa.Engine, "before_cursor_execute", record)
    assert not compiled
    assert [r.code for r in store.results().values()] == [f"again {i}" for i in range(12)]
    assert [r.metrics for r in store.results().values()] == [{"loss": i / 7} for i in range(12)]
