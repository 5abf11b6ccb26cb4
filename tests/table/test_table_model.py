"""The table itself: equality, digest, selection, merging, and the real ones."""

from __future__ import annotations

import dataclasses
import math
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from table_samples import COLUMNS, LINE, SPACE, jsonl, other_row, refusal, row, tables

from nasbuild.errors import SpaceError, TableError
from nasbuild.space import Metric, load_space, merge_stages, sample, save_space, space_from_yaml
from nasbuild.table import Note, Table, builtin_tables, load_builtin, merge_table, read_table, to_frame
from strategies import relaxed


def copy(table: Table, **changes) -> Table:
    """Nothing shared with the original."""
    columns = {name: values.copy() for name, values in reversed(list(table.columns.items()))}
    return dataclasses.replace(table, **({"columns": columns} | changes))


@relaxed
@given(table=tables())
def test_equality_ignores_notes(table: Table):
    other = copy(table, notes=(Note("skipped", "one"),))
    assert other == table
    assert other.digest() == table.digest()


@relaxed
@given(table=tables(), data=st.data())
def test_any_change_of_the_data_makes_another_table(table: Table, data):
    kinds = ["id", "order", "space", "value", "metric", "missing", "less", "more", "direction", "unit"]
    kind = data.draw(st.sampled_from(kinds))
    name = data.draw(st.sampled_from(sorted(table.columns))) if table.columns else None
    assume(name is not None or kind in ("id", "space", "more"))
    space = table.space
    metric = space.metrics.get(name or "", None)
    if kind == "id":
        other = copy(table, ids=("another id", *table.ids[1:]))
    elif kind == "order":
        assume(len(table) > 1)
        other = table.select(range(len(table))[::-1])
    elif kind == "space":
        other = copy(table, space=dataclasses.replace(space, name=space.name + "2"))
    elif kind in ("direction", "unit"):
        assume(metric is not None)
        turned = Metric(name, "minimize" if metric.sign > 0 else "maximize", metric.unit)
        changed = turned if kind == "direction" else dataclasses.replace(metric, unit=metric.unit + "s")
        other = copy(table, space=dataclasses.replace(space, metrics=space.metrics | {name: changed}))
    elif kind == "more":
        other = copy(table, columns=dict(table.columns) | {"one more": np.zeros(len(table))})
    elif kind == "less":
        other = copy(table, columns={n: v for n, v in table.columns.items() if n != name})
    elif kind == "metric":
        other = copy(table, columns={n + "2" * (n == name): v for n, v in table.columns.items()})
    else:
        values = table.columns[name].copy()
        known = data.draw(st.sampled_from(list(np.flatnonzero(~np.isnan(values)))))
        towards = 0.0 if values[known] else 1.0
        values[known] = np.nan if kind == "missing" else math.nextafter(values[known], towards)
        other = copy(table, columns=dict(table.columns) | {name: values})
    assert other != table
    assert other.digest() != table.digest()


def test_another_architecture_makes_another_table():
    space = load_space("nas-bench-macro")
    a, b = sample(space, 2, np.random.default_rng(0))
    one = Table(space, ("x",), (a,), {})
    assert one != Table(space, ("x",), (b,), {})
    assert one.digest() != Table(space, ("x",), (b,), {}).digest()


def test_tables_differ_from_other_types_and_are_unhashable():
    table = Table(SPACE, (), (), {})
    assert table != "table"
    with pytest.raises(TypeError, match="unhashable"):
        hash(table)


def test_the_digest_is_the_same_on_every_machine():
    space = space_from_yaml(
        "{name: s, metrics: {acc: {direction: maximize}}, stages: [{depth: 1, features: {n: [1, 2]}}]}"
    )
    architectures = tuple(sample(space, 2, np.random.default_rng(0), distinct=True))
    architectures = tuple(sorted(architectures, key=lambda a: a.modules))
    table = Table(space, ("x", "é"), architectures, {"acc": np.array([0.1, np.nan])})
    assert table.digest() == "cc916fd5b60841d484140ca8131f5e2dbac76019d80dcf5dfb1d8e310dc7c9b5"


@relaxed
@given(table=tables(), data=st.data())
def test_selected_rows(table: Table, data):
    rows = data.draw(st.lists(st.sampled_from(range(len(table))), unique=True))
    part = table.select(rows)
    assert part.ids == tuple(table.ids[i] for i in rows)
    assert part.architectures == tuple(table.architectures[i] for i in rows)
    assert len(part) == len(rows)
    for name, values in table.columns.items():
        np.testing.assert_array_equal(part.columns[name], [values[i] for i in rows])
    assert part.row_of == {table.architectures[i]: n for n, i in enumerate(rows)}
    mask = np.isin(np.arange(len(table)), rows)
    assert table.select(mask) == table.select(sorted(rows))
    assert table.select(range(len(table))) == table


def test_merged_stages():
    space = load_space("ofa-proxylessnas")
    architectures = tuple(sample(space, 20, np.random.default_rng(0)))
    values = {"acc": np.arange(20.0)}
    table = Table(space, tuple(map(str, range(20))), architectures, values, (Note("kind", "text"),))
    merged = merge_table(table, "stage5")
    assert merged.space == merge_stages(space, "stage5")
    assert (merged.ids, merged.columns, merged.notes) == (table.ids, table.columns, table.notes)
    for before, after in zip(table.architectures, merged.architectures, strict=True):
        assert after.modules[:4] == before.modules[:4]
        assert after.modules[4:] == ((*before.modules[4], *before.modules[5]),)
    assert read_table(to_frame(merged), merged.space) == merged
    with pytest.raises(SpaceError, match="no stage after it"):
        merge_table(table, 5)


def test_builtin_tables():
    for name in builtin_tables():
        table = load_builtin(name)
        assert len(table) > 50
        assert read_table(name, load_space(table.space.name)) == table
        assert table.metrics
    with pytest.raises(TableError, match="there is no built-in table 'nothing'"):
        load_builtin("nothing")


def test_an_unknown_file_format_is_refused(tmp_path):
    forms = (
        "allowed: .jsonl, .jsonl.gz, .json, .csv, .csv.gz, .tsv, .tsv.gz, .parquet, .yaml, .yml, .xlsx, .db, .sqlite, "
        ".sqlite3, .log, .journal"
    )
    for name in ("t.xls", "t", "csv", "t.jsonl.xz", "t.pkl"):
        path = tmp_path / name
        assert refusal(path) == f"{path}: the ending of {name!r} is not a file format for a table; {forms}"


@pytest.mark.parametrize(
    ("name", "rows", "metrics", "undeclared"),
    [
        ("nas-bench-macro", 6561, 3, ["acc_std"]),
        ("ofa-mbv3-imagenet", 2162, 3, []),
        ("ofa-mbv3-surrogate", 3000, 4, []),
        ("ofa-pn-surrogate", 3000, 4, []),
        ("accel-nasbench", 5125, 11, ["train_time"]),
        ("nas-bench-mr", 2507, 6, []),
    ],
)
def test_the_real_tables_are_read_whole(data_dir, name, rows, metrics, undeclared):
    folder = data_dir(name)
    table = read_table(folder / "archs.jsonl.gz", load_space(folder / "space.yaml"))
    assert len(table) == len(set(table.ids)) == len(set(table.architectures)) == rows
    assert len(table.metrics) == metrics
    assert [name for name in table.columns if name not in table.metrics] == undeclared
    assert {note.kind for note in table.notes} <= {"missing", "undeclared"}
    part = table.select(range(0, rows, 25))
    assert read_table(to_frame(part), table.space) == part


def test_neither_pandas_nor_optuna_is_needed(tmp_path):
    """In an interpreter that can't import them, every form is read and written as ever."""
    jsonl(tmp_path / "t.jsonl", row(), other_row("b", acc=1))
    (tmp_path / "t.csv").write_text(f"{COLUMNS}\n{LINE}\n")
    code = """
        import sys
        from pathlib import Path

        class Missing:
            def find_spec(self, name, path=None, target=None):
                if name.split(".")[0] in ("pandas", "optuna"):
                    raise ModuleNotFoundError(name)

        sys.meta_path.insert(0, Missing())
        from nasbuild.errors import TableError
        from nasbuild.space import load_space
        from nasbuild.table import read_table, to_frame, write_table
        folder = Path(sys.argv[1])
        space = load_space(folder / "space.yaml")
        table = read_table(folder / "t.jsonl", space)
        for form in ("jsonl", "csv", "parquet", "jsonl.gz", "csv.gz"):
            write_table(table, folder / f"u.{form}")
            assert read_table(folder / f"u.{form}", space) == table, form
        assert read_table(to_frame(table), space) == table
        assert read_table(to_frame(table).to_arrow(), space) == table
        try:
            read_table(object(), space)
        except TableError as error:
            print(error)
        print(len(read_table(folder / "t.csv", space)), len(table))
    """

    save_space(SPACE, tmp_path / "space.yaml")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    first, second = done.stdout.splitlines()
    assert first.startswith("frame: object is not a type of table")
    assert second == "1 2"


def test_importing_the_room_loads_no_heavy_package():
    code = "import sys, nasbuild.table; print(sorted({'pandas', 'optuna', 'polars', 'torch'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
