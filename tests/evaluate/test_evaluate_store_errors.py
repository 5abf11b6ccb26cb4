"""Stores that are locked, full, unreachable, foreign or damaged: a clear error, and no completed result is lost."""

from __future__ import annotations

import random
import resource
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import numpy as np
import optuna
import pytest
import sqlalchemy as sa
from evaluate_samples import NAME, size

from nasbuild.errors import NasbuildError
from nasbuild.evaluate import Result, Spec, Store, StoreError, evaluate_all, salvage_store
from nasbuild.evaluate.store import _owner, _pending
from nasbuild.evaluate.store._address import display_name
from nasbuild.space import load_space, sample, to_dict
from nasbuild.table import table_from_evaluations, write_table

SPACE = load_space("digits-macro")
SOME = sample(SPACE, 40, np.random.default_rng(3))
TRUTH = {a: Result({"loss": i / 7, "acc": None}, None, 0.5) for i, a in enumerate(SOME)}


@pytest.fixture
def filled(tmp_path, opened):
    """The file of a closed store with results."""
    store = opened(tmp_path / "filled.db")
    store.claim(SOME)
    store.finish_all(list(TRUTH.items()))
    store.close()
    return tmp_path / "filled.db"


def execute(path, statement, *values):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(statement, values)
        connection.commit()


def test_a_lock_is_waited_for_or_results_are_saved_beside_the_store(tmp_path, opened):
    messages = []
    store = opened(tmp_path / "s.db", patience=20.0, notify=messages.append)
    store.claim(SOME[:3])
    with closing(sqlite3.connect(tmp_path / "s.db", check_same_thread=False)) as other:
        other.execute("BEGIN EXCLUSIVE")
        waited = threading.Timer(1.5, other.rollback)
        waited.start()
        store.finish(SOME[0], TRUTH[SOME[0]])
        waited.join()
        other.execute("BEGIN EXCLUSIVE")
        store.database.patience = 0.0
        with pytest.raises(StoreError, match="is locked by another process") as caught:
            store.finish_all([(a, TRUTH[a]) for a in SOME[1:3]])
        assert "2 finished results saved in" in str(caught.value)
        assert (tmp_path / "s.pending.jsonl").exists()
    assert store.results() == {SOME[0]: TRUTH[SOME[0]]}
    # Pending rows of another store stay in the file.
    other_rows = [{"key": "k", "arch": "{}"}]
    _pending.append(sa.URL.create("sqlite", database=str(tmp_path / "s.sqlite")), other_rows)
    again = opened(tmp_path / "s.db", notify=messages.append)
    assert again.results() == {a: TRUTH[a] for a in SOME[:3]}
    assert "imported 2 finished results from" in messages[-1]
    assert (tmp_path / "s.pending.jsonl").read_text().count("\n") == 1


def test_a_full_disk_loses_no_completed_result(tmp_path):
    many = sample(SPACE, 400, np.random.default_rng(5))
    write_table(table_from_evaluations(SPACE, {a: {"loss": 1.0} for a in many}), tmp_path / "archs.jsonl")
    call = [sys.executable, "-m", "nasbuild", "evaluate", "--space", "digits-macro", "--archs"]
    call += [tmp_path / "archs.jsonl", "--evaluator", NAME + "free", "--store", tmp_path / "s.db"]

    def limit_file_size() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))

    full = subprocess.run(
        call, preexec_fn=limit_file_size, capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert full.returncode == 2
    assert "Traceback" not in full.stderr
    (sentence,) = [line for line in full.stderr.splitlines() if line.startswith("error: ")]
    assert "can't be written" in sentence or "the disk is full" in sentence
    done = subprocess.run(call, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert "400 of 400 architectures evaluated" in done.stdout
    store = Store(tmp_path / "s.db", SPACE, NAME + "free")
    assert {a: r.metrics for a, r in store.results().items()} == {a: size(to_dict(SPACE, a)) for a in many}
    store.close()


def test_results_without_disk_space_are_saved_beside_the_store(tmp_path, opened):
    store = opened(tmp_path / "s.db")
    store.claim(SOME)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, ((tmp_path / "s.db-wal").stat().st_size + 5000, hard))
    try:
        with pytest.raises(
            StoreError, match=r"40 finished results saved in .*s.pending.jsonl.*free disk space"
        ):
            store.finish_all([(a, Result(r.metrics, notes=("a long note" * 20,))) for a, r in TRUTH.items()])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    found = opened(tmp_path / "s.db").results()
    assert {a: r.metrics for a, r in found.items()} == {a: r.metrics for a, r in TRUTH.items()}


def test_running_evaluations_are_completed_when_a_store_fails(tmp_path, opened, monkeypatch):
    store = opened(tmp_path / "s.db", NAME + "size", patience=0.0)
    real, calls = Store.finish_all, []

    def failing(self, results, **options):
        calls.append(len(results))
        execute(tmp_path / "s.db", "ALTER TABLE evaluations RENAME TO gone")
        try:
            real(self, results, **options)
        finally:
            execute(tmp_path / "s.db", "ALTER TABLE gone RENAME TO evaluations")

    monkeypatch.setattr(Store, "finish_all", failing)
    with pytest.raises(StoreError, match="no such table: evaluations"):
        evaluate_all(Spec(NAME + "size", SPACE), SOME[:10], store)
    assert calls == [1]
    assert opened(tmp_path / "s.db", NAME + "size").counts() == {"running": 0, "done": 1, "failed": 0}


def test_a_database_of_another_program_is_not_changed(tmp_path):
    path = tmp_path / "optuna.db"
    study = optuna.create_study(storage=f"sqlite:///{path}")
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=2)
    before = path.read_bytes()
    with pytest.raises(NasbuildError, match=r"belongs to another program \(tables .*\) and was not changed"):
        Store(path, SPACE, "mine")
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["optuna.db"]
    execute(tmp_path / "own.db", "CREATE TABLE evaluations (a INTEGER)")
    with pytest.raises(NasbuildError, match="belongs to another program"):
        Store(tmp_path / "own.db", SPACE, "mine")


def test_no_character_of_a_path_is_special(tmp_path, opened):
    names = ["exp?1.db", "exp?2.db", "pe%20rc.db", "a#b.db", "exp"]
    for name in names:
        opened(tmp_path / name).claim(SOME[:1])
        opened(tmp_path / name).with_seed(3).close()
    assert sorted(
        p.name for p in tmp_path.glob("*") if p.suffix not in (".db-wal", ".db-shm") and "-" not in p.name
    ) == sorted(names)


@pytest.mark.parametrize(
    "place", [":memory:", "sqlite://", "sqlite:///:memory:", "sqlite:///file:x?mode=memory&uri=true"]
)
def test_a_database_in_memory_is_an_error(place):
    with pytest.raises(NasbuildError, match="in memory, which is lost at the end"):
        Store(place, SPACE, "mine")


@pytest.mark.parametrize(
    "place",
    [
        "postgresql+psycopg://me:s3cret@127.0.0.1:1/db",
        "postgresql+psycopg://me@127.0.0.1:1/db?password=s3cret&sslmode=disable",
        "postgresql+psycopg://me:s3cret:more@host:x/db",
        "oracle://me:s3cret@host/db",
    ],
)
def test_no_password_is_displayed(place):
    assert "s3cret" not in display_name(place)
    assert "me" in display_name(place)
    with pytest.raises(NasbuildError) as caught:
        Store(place, SPACE, "mine")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("column", "value", "why"),
    [
        ("metrics", None, "its metrics are not numbers by name"),
        ("metrics", "[1]", "its metrics are not numbers by name"),
        ("metrics", '{"loss": "low"}', "its metrics are not numbers by name"),
        ("metrics", '{"loss"', "its architecture, metrics or notes are not JSON"),
        ("metrics", '{"loss": 0.25, "acc": null}', "its checksum is wrong"),
        ("arch", "null", "its architecture is missing"),
        ("arch", '{"stages": []}', "its checksum is wrong"),
        ("state", "dune", "its state is 'dune'"),
        ("seconds", "long", "its reason or duration has the wrong type"),
        ("notes", "{}", "its notes are not texts"),
    ],
)
def test_a_damaged_row_is_named_and_the_others_are_recovered(filled, opened, tmp_path, column, value, why):
    execute(filled, f"UPDATE evaluations SET {column} = ? WHERE number = 7", value)
    with pytest.raises(StoreError) as caught:
        opened(filled).results()
    assert f"row 7 is damaged ({why}" in str(caught.value)
    assert f"store {filled}: " in str(caught.value)
    assert f"--salvage {filled}" in str(caught.value)
    message = salvage_store(filled, tmp_path / "new.db")
    assert message.startswith("recovered 39 sound results")
    assert opened(tmp_path / "new.db").results() == {a: r for a, r in TRUTH.items() if a != SOME[6]}


@pytest.mark.parametrize(
    ("arch", "why"),
    [
        ("'{\"stages\": []}'", "its architecture is not in the space"),
        (
            "(SELECT arch FROM evaluations WHERE number = 8)",
            "its architecture does not match its key",
        ),
    ],
)
def test_an_architecture_must_match_its_key(filled, opened, arch, why):
    # As in older stores, which have no checksums.
    execute(filled, f"UPDATE evaluations SET digest = NULL, arch = {arch} WHERE number = 7")
    with pytest.raises(StoreError, match=why):
        opened(filled).results()


def test_claims_with_a_damaged_owner_are_abandoned(tmp_path, opened):
    store = opened(tmp_path / "s.db")
    owners = [None, "", "a:b:c:d", "x" * 5000, "::::"]
    store.claim(SOME[:5])
    for number, owner in enumerate(owners, 1):
        execute(
            tmp_path / "s.db",
            "UPDATE evaluations SET owner = ?, heard = ? WHERE number = ?",
            owner,
            [None, "soon", 0.0][number % 3],
            number,
        )
    other = opened(tmp_path / "s.db")
    assert len(other.interrupted()) == 5
    assert other.claim(SOME[:5]) == SOME[:5]


def test_a_missing_column_is_an_error_and_its_rows_are_recovered(filled, opened, tmp_path):
    execute(filled, "ALTER TABLE evaluations DROP COLUMN seconds")
    with pytest.raises(StoreError, match=r"its table has no column seconds.*--salvage"):
        Store(filled, SPACE, "mine")
    salvage_store(filled, tmp_path / "new.db")
    found = opened(tmp_path / "new.db").results()
    assert {a: r.metrics for a, r in found.items()} == {a: r.metrics for a, r in TRUTH.items()}


def test_a_damaged_name_of_a_column_hides_no_damaged_row(filled, opened, tmp_path):
    execute(filled, "ALTER TABLE evaluations RENAME COLUMN seconds TO secondw")
    execute(filled, "UPDATE evaluations SET metrics = replace(metrics, 'loss', 'ross') WHERE number = 3")
    assert "skipped 1 damaged" in salvage_store(filled, tmp_path / "new.db")
    found = opened(tmp_path / "new.db").results()
    assert len(found) == len(TRUTH) - 1
    assert not wrong(found)


def test_an_older_store_is_upgraded(filled, opened):
    for column in ("notes", "code", "digest"):
        execute(filled, f"ALTER TABLE evaluations DROP COLUMN {column}")
    execute(filled, "UPDATE nasbuild SET schema = 1")
    assert opened(filled).results() == TRUTH
    assert opened(filled).results() == TRUTH


def wrong(found):
    """Results whose metrics differ from the written ones."""
    return [result for a, result in found.items() if a not in TRUTH or result.metrics != TRUTH[a].metrics]


def test_flipped_bytes_never_change_a_result(filled, tmp_path):
    whole, rng = filled.read_bytes(), random.Random(0)
    rejected = recovered = 0
    for turn in range(40):
        path, new = tmp_path / f"{turn}.db", tmp_path / f"{turn}.new"
        data = bytearray(whole)
        if turn % 5:
            for _ in range(rng.choice([1, 4, 16])):
                data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        else:
            page = rng.randrange(len(data) // 4096) * 4096
            data[page : page + 4096] = bytes(4096)
        path.write_bytes(data)
        try:
            store = Store(path, SPACE, "mine", patience=0.0)
            found = store.results()
            store.close()
            assert not wrong(found)
        except NasbuildError:
            rejected += 1
        path.write_bytes(data)
        try:
            salvage_store(path, new)
        except NasbuildError:
            continue
        store = Store(new, SPACE, "mine")
        found = store.results()
        store.close()
        assert not wrong(found)
        recovered += len(found)
    assert rejected > 12
    assert recovered > 12 * len(TRUTH)


def test_a_store_is_not_salvaged_into_itself(filled):
    with pytest.raises(NasbuildError, match="is the damaged store itself"):
        salvage_store(filled, filled)
    with pytest.raises(NasbuildError, match="does not exist"):
        salvage_store(filled.with_name("none.db"), filled)


def test_a_broken_connection_is_reopened(postgresql, opened):
    store = opened(postgresql)
    store.claim(SOME[:2])
    admin = sa.create_engine(postgresql)
    for act in (
        lambda: store.finish(SOME[0], TRUTH[SOME[0]]),
        store.heartbeat,
        lambda: store.claim(SOME[2:3]),
    ):
        with admin.begin() as connection:
            others = "pid <> pg_backend_pid() AND backend_type = 'client backend'"
            connection.execute(
                sa.text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")
            )
        act()
    admin.dispose()
    assert store.counts() == {"running": 2, "done": 1, "failed": 0}


def test_an_unreachable_server_is_waited_for_or_results_are_saved(
    server, postgresql, opened, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    messages = []
    store = opened(postgresql, patience=90.0, notify=messages.append)
    store.claim(SOME[:3])
    server.stop()
    restart = threading.Timer(1.5, server.start)
    restart.start()
    store.finish(SOME[0], TRUTH[SOME[0]])
    restart.join()
    assert "the server is unreachable: retrying for 90 s" in messages[0]
    server.stop()
    store.database.patience = 0.5
    try:
        with pytest.raises(
            StoreError, match=r"the server is unreachable.*1 finished result saved in"
        ) as caught:
            store.finish(SOME[1], TRUTH[SOME[1]])
        with pytest.raises(NasbuildError, match="can't be opened"):
            Store(postgresql, SPACE, "mine")
    finally:
        server.start()
    assert "start the server" in str(caught.value)
    assert opened(postgresql).results() == {a: TRUTH[a] for a in SOME[:2]}
    assert not (tmp_path / "results.pending.jsonl").exists()


def test_many_stores_may_be_created_at_once(url, opened):
    barrier = threading.Barrier(8)

    def begin(number):
        barrier.wait()
        return len(opened(url).claim(SOME[5 * number : 5 * number + 5]))

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(begin, range(8))) == [5] * 8


def test_times_are_those_of_the_server(postgresql, opened, monkeypatch):
    store = opened(postgresql)
    monkeypatch.setattr(_owner, "process_namespace", lambda: "another/boot/1")
    elsewhere = opened(postgresql)
    elsewhere.owner = _owner.owner_name()
    assert elsewhere.claim(SOME[:4]) == SOME[:4]
    monkeypatch.undo()
    # A clock that is ahead by much more than a lease.
    monkeypatch.setattr("time.time", lambda: 1e12)
    assert store.claim(SOME[:4]) == []
    store.heartbeat()
    assert store.interrupted() == []


def test_process_ids_of_other_boots_and_namespaces_are_not_compared():
    node, boot, space = _owner.process_namespace().split("/")
    pid, started = 4_000_000_000, "1"
    for place, gone in (
        (f"{node}/{boot}/{space}", True),
        (f"{node}/{boot}/{int(space) + 1}", False),
        (f"{node}/another/{space}", False),
        (f"other/{boot}/{space}", False),
    ):
        assert _owner.is_abandoned(f"{place}:{pid}:{started}:ab", 100.0, 101.0) == gone
        assert _owner.is_abandoned(f"{place}:{pid}:{started}:ab", 100.0, 100.0 + 2 * _owner.LEASE_SECONDS)
