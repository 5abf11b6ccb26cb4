"""Several tables read as one: matched by architecture, or by id where a table has no architectures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nasbuild.errors import TableError
from nasbuild.space import space_from_yaml
from nasbuild.table import Table, join_tables, load_builtin, read_tables

SPACE = space_from_yaml(
    "{name: tiny, metrics: {acc: {direction: maximize, maximum: 100}, ms: {direction: minimize}}, "
    "stages: [{depth: [1, 2], features: {kernel: [3, 5]}}]}"
)
HEAD = "stage1.depth,stage1.0.kernel,stage1.1.kernel"


def written(folder: Path, **files: str) -> list[Path]:
    paths = [folder / f"{name}.csv" for name in files]
    for path, text in zip(paths, files.values(), strict=True):
        path.write_text(text)
    return paths


def values(table: Table, name: str) -> dict[str, float]:
    return {i: v for i, v in zip(table.ids, table.columns[name].tolist(), strict=True) if v == v}


def test_rows_of_one_architecture_become_one_and_new_ones_are_added(tmp_path: Path):
    paths = written(
        tmp_path,
        labels=f"id,{HEAD},acc\na,1,3,,70\nb,1,5,,72\nc,2,3,5,74\n",
        times=f"{HEAD},ms\n2,3,5,4.5\n1,3,,2\n2,5,5,6\n",
    )
    both = read_tables(paths, SPACE)
    assert both.ids == ("a", "b", "c", "k5-k5")
    assert values(both, "acc") == {"a": 70, "b": 72, "c": 74}
    assert values(both, "ms") == {"a": 2, "c": 4.5, "k5-k5": 6}
    texts = {note.kind: note.text for note in both.notes}
    assert texts["joined"] == f"{paths[1]}: of 3 architectures, 2 are in a table before it and 1 are new"
    assert "repeated" not in texts
    assert "averaged" not in texts


def test_a_metric_of_several_tables_is_averaged_and_said(tmp_path: Path):
    texts = [f"{HEAD},acc,ms\n1,3,,{acc},{ms}\n" for acc, ms in ((70, 1), (73, ""), (76, ""))]
    both = read_tables(written(tmp_path, one=texts[0], two=texts[1], three=texts[2]), SPACE)
    assert len(both) == 1
    assert both.columns["acc"].tolist() == [np.mean([70, 73, 76])]
    assert both.columns["ms"].tolist() == [1]
    assert [note.rows for note in both.notes if note.kind == "averaged"] == [("acc",)]


def test_a_table_without_architectures_is_matched_by_id(tmp_path: Path):
    labels, times, other = written(
        tmp_path,
        labels=f"id,{HEAD},acc\n1,1,3,,70\n2,1,5,,72\n",
        times="id,ms,note\n2,4.5,slow\n1,NA,\n",
        other="id,ms\n3,1\n2,2\n",
    )
    both = read_tables([labels, times], SPACE)
    assert values(both, "ms") == {"2": 4.5}
    assert values(both, "acc") == {"1": 70, "2": 72}
    with pytest.raises(TableError, match=r"other.csv, line 2: id '3' is in no other table; allowed: 1, 2"):
        read_tables([labels, other], SPACE)
    skipped = read_tables([labels, other], SPACE, skip_bad=True)
    assert values(skipped, "ms") == {"2": 2}
    assert any(note.kind == "skipped" for note in skipped.notes)
    # A frame counts as well, and what no table can be is refused as before.
    frame = pl.DataFrame({"id": [1, 2], "ms": [1.0, 2.0]})
    assert values(read_tables([labels, frame], SPACE), "ms") == {"1": 1, "2": 2}
    # The order of tables only decides that of rows.
    turned = read_tables([times, labels], SPACE)
    assert turned == both
    assert turned.notes[-1] == both.notes[-1]
    with pytest.raises(TableError, match="no column of the space"):
        read_tables([times, other], SPACE)


def test_ids_of_repeated_architectures_are_known(tmp_path: Path):
    labels, times = written(
        tmp_path,
        labels=f"id,{HEAD},acc\n1,1,3,,70\n2,1,3,,72\n3,1,5,,74\n",
        times="id,ms\n2,4.5\n1,1.5\n3,2\n",
    )
    both = read_tables([labels, times], SPACE)
    assert values(both, "acc") == {"1": 71, "3": 74}
    assert values(both, "ms") == {"1": 3, "3": 2}


def test_the_space_is_inferred_from_the_table_that_describes_architectures(tmp_path: Path):
    rows = [(1, 3, ""), (1, 5, ""), (1, 7, ""), *((2, a, b) for a in (3, 5) for b in (3, 5)), (2, 7, 7)]
    labels, times = written(
        tmp_path,
        labels="net,d1,k1_1,k1_2,acc\n"
        + "".join(f"n{n},{d},{a},{b},{70 + n}.5\n" for n, (d, a, b) in enumerate(rows)),
        # The batch size is no part of the network, but varies like one.
        times="net,batch_size,Latency (ms)\n"
        + "".join(f"n{n},{2 ** (n % 3)},{n}.25\n" for n in reversed(range(8))),
    )
    both = read_tables([times, labels])
    assert [stage.depths for stage in both.space.stages] == [(1, 2)]
    assert both.columns["acc"].shape == both.columns["latency"].shape
    assert not np.isnan(both.columns["latency"]).any()
    # Metrics of both are known by their names.
    assert {m.name: (m.direction, m.unit) for m in both.space.metrics.values()} == {
        "acc": ("maximize", "%"),
        "latency": ("minimize", "ms"),
    }
    same = read_tables([labels, times])
    assert same == both


def test_values_that_a_space_forbids_are_refused_in_every_table(tmp_path: Path):
    labels, wrong = written(tmp_path, labels=f"id,{HEAD},ms\na,1,3,,1\n", wrong="id,acc\na,170\n")
    with pytest.raises(TableError, match=r"wrong.csv, line 2, acc: is 170"):
        read_tables([labels, wrong], SPACE)


def test_one_id_for_two_architectures_is_refused(tmp_path: Path):
    paths = written(tmp_path, one=f"id,{HEAD},acc\na,1,3,,70\n", two=f"id,{HEAD},ms\na,1,5,,2\n")
    with pytest.raises(TableError, match=r"two.csv: id 'a' names another architecture than in .*one.csv"):
        read_tables(paths, SPACE)


def test_parts_of_a_table_join_to_the_whole():
    table = load_builtin("digits-macro").select(range(0, 1728, 97))
    joined = join_tables([table.select(range(10)), table.select(range(5, len(table)))])
    assert joined == table
    other = load_builtin("sd-unet-mini")
    with pytest.raises(TableError, match="table 2: has another space"):
        join_tables([table, other])
    with pytest.raises(TableError, match="there is no table"):
        read_tables([])
