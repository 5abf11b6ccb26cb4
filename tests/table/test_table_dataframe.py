"""Parquet files and frames of polars, pandas and Arrow, unusual and damaged ones included."""

from __future__ import annotations

import contextlib
import datetime
import decimal
import random
import resource
import struct

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from table_samples import SPACE, jsonl, notes, other_row, refusal, row

from nasbuild.errors import TableError
from nasbuild.space import Feature, Space, Stage
from nasbuild.table import read_table, to_frame, write_table
from strategies import relaxed

MEND = "fix the row, or pass --skip-bad to skip such rows"
NUMBER = "allowed: a finite number; null or an empty field where it is missing"


@pytest.fixture
def table(tmp_path):
    rows = [row(), other_row("b", acc=70.25, latency=2), row("arch", "stages", 0, 0, "kernel", 5, name="c")]
    return read_table(jsonl(tmp_path / "t.jsonl", *rows), SPACE)


@pytest.fixture
def frame(table) -> pl.DataFrame:
    return to_frame(table)


DEPTH = "is not a number of layers of early; allowed: 1, 2"
ID = "is not a valid id; allowed: printable text without spaces around it, or a whole number"
NAN, INF, DAY = float("nan"), float("inf"), datetime.date(2020, 1, 2)
# Column, its values, the row that is refused, and what is said of it.
BAD = {
    "unknown choice": ("early.0.kernel", [3, 4, 5], 1, "4 is not a choice; allowed: 3, 5"),
    "text for a number": ("early.0.kernel", ["3", "3", "5"], 0, "'3' is not a choice; allowed: 3, 5"),
    "missing choice": ("early.0.kernel", [3, None, 5], 1, "kernel is missing; allowed: 3, 5"),
    "NaN as choice": ("early.0.kernel", [3.0, NAN, 5.0], 1, "kernel is missing; allowed: 3, 5"),
    "unknown text": ("early.0.op", ["conv", "x", "007"], 1, "'x' is not a choice; allowed: conv, 007"),
    "number for a truth": ("late.se", [1, 1, 0], 0, "1 is not a choice; allowed: True, False"),
    "wrong depth": ("early.depth", [2, 3, 2], 1, f"3 {DEPTH}"),
    "missing depth": ("early.depth", [2, None, 2], 1, f"None {DEPTH}"),
    "truth as depth": ("early.depth", [True, True, True], 0, f"True {DEPTH}"),
    "endless depth": ("early.depth", [2.0, INF, 2.0], 1, f"inf {DEPTH}"),
    "text in a metric": ("acc", ["x", "x", "x"], 0, f"'x' is not a number; {NUMBER}"),
    "truth in a metric": ("acc", [True, False, True], 0, f"True is not a number; {NUMBER}"),
    "Infinity": ("acc", [1.0, -INF, 2.0], 1, f"-inf is not finite; {NUMBER}"),
    "list in a metric": ("acc", [[1.0], [2.0], []], 0, f"[1.0] is not a number; {NUMBER}"),
    "date in a metric": ("acc", [DAY] * 3, 0, f"datetime.date(2020, 1, 2) is not a number; {NUMBER}"),
    "fraction as id": ("id", [0.5, 1.5, 2.5], 0, f"0.5 {ID}"),
    "empty id": ("id", ["a", " ", "c"], 1, f"' ' {ID}"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_row_is_refused_with_its_number(case: str, frame, tmp_path):
    column, values, number, message = BAD[case]
    bad = frame.with_columns(pl.Series(column, values))
    assert refusal(bad) == f"frame, row {number}, {column}: {message}; {MEND}"
    path = tmp_path / "t.parquet"
    bad.write_parquet(path)
    assert refusal(path) == f"{path}, row {number}, {column}: {message}; {MEND}"


def test_bad_rows_are_skipped_and_listed(frame):
    bad = frame.with_columns(pl.Series("early.0.kernel", [3, 4, 5]))
    table = read_table(bad, SPACE, skip_bad=True)
    assert table.ids == ("a", "c")
    assert [n.rows for n in table.notes if n.kind == "skipped"] == [
        ("frame, row 1, early.0.kernel: 4 is not a choice; allowed: 3, 5",)
    ]


def test_pandas_rows_are_checked_one_by_one_even_where_a_column_mixes_kinds(frame):
    bad = frame.to_pandas()
    bad["acc"] = [1.0, "high", 2.0]
    assert refusal(bad) == f"frame, row 1, acc: 'high' is not a number; {NUMBER}; {MEND}"
    bad["acc"] = [1.0, True, 2.0]
    assert refusal(bad) == f"frame, row 1, acc: True is not a number; {NUMBER}; {MEND}"
    bad["acc"] = [1.0, object, 2.0]
    assert "row 1, acc: <class 'object'> is not a number" in refusal(bad)


def test_pandas_frames_as_people_have_them(table, frame):
    plain = frame.to_pandas()
    assert read_table(plain, SPACE) == table
    # Rows that were put together from several frames, whose index repeats.
    assert read_table(pd.concat([plain.iloc[:1], plain.iloc[1:].reset_index(drop=True)]), SPACE) == table
    # Nullable and Arrow types, and everything as objects.
    assert read_table(plain.convert_dtypes(), SPACE) == table
    assert read_table(plain.convert_dtypes(dtype_backend="pyarrow"), SPACE) == table
    assert read_table(plain.astype(object), SPACE) == table
    # Columns that say nothing, of a kind that no other library knows.
    plain["who"] = [object(), {1}, None]
    assert notes(read_table(plain, SPACE))["ignored"] == [
        "columns without numbers are not metrics and were left out: 'who'"
    ]


def test_missing_values_of_pandas(frame):
    plain = frame.to_pandas().astype(object)
    plain["latency"] = [np.nan, None, pd.NA]
    plain["acc"] = [1.0, pd.NA, np.float32(2)]
    table = read_table(plain, SPACE)
    np.testing.assert_array_equal(table.columns["acc"], [1, np.nan, 2])
    assert "latency" not in table.columns


def test_pandas_columns_that_repeat(frame):
    plain = frame.to_pandas()
    assert refusal(pd.concat([plain, plain[["acc"]]], axis=1)) == (
        "frame: column 'acc' appears twice; keep one of the two"
    )


@pytest.mark.parametrize(
    ("column", "dtype"),
    [
        ("early.0.kernel", pl.UInt8),
        ("early.0.kernel", pl.Float32),
        ("early.depth", pl.Float64),
        ("early.depth", pl.Int8),
        ("late.0.ratio", pl.Float32),
        ("late.0.ratio", pl.Decimal(10, 2)),
        ("early.0.op", pl.Categorical),
        ("early.0.op", pl.Enum(["007", "conv"])),
        ("acc", pl.Float32),
        ("acc", pl.Decimal(10, 2)),
        ("latency", pl.Int16),
        ("latency", pl.Decimal(10, 0)),
    ],
)
def test_any_type_that_holds_the_value_is_accepted(column: str, dtype, table, frame, tmp_path):
    cast = frame.with_columns(pl.col(column).cast(dtype))
    assert cast.schema[column] == dtype
    cast.write_parquet(tmp_path / "t.parquet")
    for source in (cast, cast.to_pandas(), cast.to_arrow(), tmp_path / "t.parquet"):
        assert read_table(source, SPACE) == table


def test_a_choice_of_32_bits_means_the_nearest_short_number():
    space = Space("s", (Stage("a", (1,), (Feature("ratio", (0.1, 0.7)),)),))
    single = np.array([0.7, 0.1], dtype=np.float32)
    for frame in (pl.DataFrame({"a.0.ratio": single}), pd.DataFrame({"a.0.ratio": single})):
        table = read_table(frame, space)
        assert [a.modules for a in table.architectures] == [(((0.7,),),), (((0.1,),),)]
    metric = pl.DataFrame({"a.0.ratio": [0.1], "acc": np.array([0.1], dtype=np.float32)})
    # A measured value stays what it is.
    assert read_table(metric, space).columns["acc"][0] == float(np.float32(0.1))


def test_unreadable_columns_are_ignored_unless_needed(table, frame, tmp_path):
    odd = frame.to_arrow()
    when = pa.array([datetime.datetime(2020, 1, 1)] * 3, pa.timestamp("ns", tz="UTC"))
    odd = odd.append_column("when", when).append_column("tags", pa.array([["x"], [], None]))
    odd = odd.append_column("raw", pa.array([b"\xff", b"", None]))
    odd = odd.append_column("config", pa.array([[("k", 1)], [], None], pa.map_(pa.string(), pa.int64())))
    odd = odd.append_column("big", pa.array([decimal.Decimal("1.5")] * 3, pa.decimal256(50, 5)))
    odd = odd.append_column("half", pa.array([1.5, None, 2.5], pa.float16()))
    pq.write_table(odd, tmp_path / "t.parquet")
    for source in (odd, tmp_path / "t.parquet"):
        read = read_table(source, SPACE)
        assert read.architectures == table.architectures
        assert set(read.columns) == {"acc", "latency", "big", "half"}
        assert read.columns["big"].tolist() == [1.5] * 3
        assert notes(read)["ignored"][0].endswith("left out: 'when', 'tags', 'raw', 'config'")
    bytes_for_text = frame.with_columns(pl.col("early.0.op").cast(pl.Binary))
    assert refusal(bytes_for_text).startswith(
        "frame, row 0, early.0.op: b'conv' is not a choice; allowed: 'conv'"
    )


@pytest.mark.parametrize(
    ("source", "kind"),
    [(None, "NoneType"), (3, "int"), ([1], "list"), ({"a": 1}, "dict"), (pd.Series([1]), "Series")],
)
def test_other_types_are_refused(source, kind: str):
    allowed = "a path, a polars or pandas DataFrame, an Arrow table, an Optuna study"
    assert refusal(source) == f"frame: {kind} is not a type of table; allowed: {allowed}"


def test_a_lazy_frame_must_be_collected(frame):
    assert refusal(frame.lazy()).startswith("frame: LazyFrame is not a type of table")


def test_frames_without_rows_or_columns(frame, tmp_path):
    assert refusal(frame.head(0)) == "frame: the table is empty"
    assert refusal(frame.head(0).to_pandas()) == "frame: the table is empty"
    for empty in (pl.DataFrame(), pd.DataFrame(), pa.table({})):
        assert refusal(empty) == (
            "frame: column 'early.depth' is missing; every choice of the space needs its column"
        )
    frame.head(0).write_parquet(tmp_path / "t.parquet")
    assert refusal(tmp_path / "t.parquet") == f"{tmp_path / 't.parquet'}: the table is empty"


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" * 5, b"id,acc\n1,2\n", b"\x1f\x8b" + bytes(50)])
def test_files_that_are_not_parquet_are_refused(content: bytes, tmp_path):
    path = tmp_path / "t.parquet"
    path.write_bytes(content)
    assert refusal(path).startswith(f"{path}: is not an intact Parquet file (")


def test_files_that_can_not_be_opened(tmp_path):
    assert refusal(tmp_path / "t.parquet") == f"{tmp_path / 't.parquet'}: no such file"
    (tmp_path / "d.parquet").mkdir()
    assert refusal(tmp_path / "d.parquet") == f"{tmp_path / 'd.parquet'}: can't be read (Is a directory)"


def test_parquet_is_read_up_to_a_number_of_bytes(table, tmp_path, monkeypatch):
    path, base = tmp_path / "t.parquet", to_frame(table).to_arrow()
    monkeypatch.setenv("NASBUILD_MAX_BYTES", "64k")
    write_table(table, path)
    assert read_table(path, SPACE) == table
    # 2,048 values are allowed, as each takes 32 bytes or so in memory: a column of lists has more than rows.
    room = 64 * 1024 // 32 - base.num_rows * base.num_columns
    for more, refused in ((room, False), (room + 1, True)):
        trace = pa.array([[0.5] * (more - 2), [0.5], [0.5]])
        pq.write_table(base.append_column("trace", trace), path)
        if refused:
            assert refusal(path) == (
                f"{path}: has 3 rows with 2,049 values, more than 2,048; raise the limit with nasbuild --max-bytes, such "
                "as 8G, if it is sound"
            )
        else:
            assert read_table(path, SPACE) == table
    monkeypatch.setenv("NASBUILD_MAX_BYTES", "1M")
    assert read_table(path, SPACE) == table


@pytest.mark.parametrize("stored", [True, False])
@pytest.mark.parametrize("place", ["note", "id"])
def test_a_small_parquet_file_that_expands_to_gigabytes_is_refused(place, stored, table, tmp_path):
    base = to_frame(table).to_arrow().take(pa.array([0] * 3000))
    long = pa.DictionaryArray.from_arrays(pa.array([0] * 3000, pa.int32()), pa.array(["x" * 2**20]))
    columns = {**dict(zip(base.column_names, base.columns, strict=True)), place: long}
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table(columns), path, compression="zstd", store_schema=stored)
    assert path.stat().st_size < 2**15
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert refusal(path) == (
        f"{path}: is longer than 1,073,741,824 bytes once expanded; raise the limit with nasbuild --max-bytes, such as "
        "8G, if it is sound"
    )
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**18


@pytest.mark.parametrize("stored", [True, False])
def test_texts_are_read_in_any_encoding(stored, table, tmp_path):
    frame = to_frame(table).to_arrow()
    path = tmp_path / "t.parquet"
    for kind in (pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())):
        columns = [
            c.cast(kind) if pa.types.is_string(c.type) or n == "id" else c
            for n, c in zip(frame.column_names, frame.columns, strict=True)
        ]
        for dictionary in (True, False):
            held = pa.table(dict(zip(frame.column_names, columns, strict=True)))
            pq.write_table(held, path, use_dictionary=dictionary, store_schema=stored)
            assert read_table(path, SPACE) == table


@pytest.mark.parametrize("name", ["run[1].parquet", "*.parquet", "acc=3", "a?b.parquet"])
def test_a_path_is_one_file_whatever_its_name(name: str, table, tmp_path):
    folder = tmp_path / "acc=3" / "x"
    folder.mkdir(parents=True)
    (tmp_path / "other.parquet").write_bytes(b"")
    path = folder / "t.parquet" if name == "acc=3" else tmp_path / name
    write_table(table, path)
    assert read_table(path, SPACE) == table


def test_a_damaged_parquet_file_is_refused_or_read_as_it_was(table, tmp_path, capfd):
    """Check sums tell of any damage to the values, and no damage brings the process down."""
    write_table(table, tmp_path / "t.parquet")
    whole = (tmp_path / "t.parquet").read_bytes()
    draw = random.Random(0)
    refused = 0
    for _ in range(300):
        damaged = bytearray(whole)
        for _ in range(draw.choice([1, 1, 2, 5])):
            damaged[draw.randrange(len(whole))] = draw.randrange(256)
        if draw.random() < 0.1:
            del damaged[draw.randrange(len(whole)) :]
        (tmp_path / "t.parquet").write_bytes(damaged)
        with contextlib.suppress(TableError):
            read_table(tmp_path / "t.parquet", SPACE)
            continue
        refused += 1
    assert refused > 100
    assert capfd.readouterr() == ("", "")


def test_a_changed_number_is_detected(tmp_path):
    """One bit of a value that would still be a number."""
    value = 70.123456789
    table = read_table(jsonl(tmp_path / "t.jsonl", row(), other_row("b", acc=value, latency=2)), SPACE)
    write_table(table, tmp_path / "t.parquet")
    data = bytearray((tmp_path / "t.parquet").read_bytes())
    footer = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    position = data.index(struct.pack("<d", value), 0, footer)
    for bit in range(8):
        changed = bytearray(data)
        changed[position] ^= 1 << bit
        (tmp_path / "t.parquet").write_bytes(changed)
        assert refusal(tmp_path / "t.parquet").startswith(
            f"{tmp_path / 't.parquet'}: is not an intact Parquet"
        )


@relaxed
@given(flip=st.integers(min_value=0), to=st.integers(0, 255))
def test_a_changed_value_is_detected(tmp_path_factory, flip: int, to: int):
    folder = tmp_path_factory.mktemp("flip")
    table = read_table(jsonl(folder / "t.jsonl", row(), other_row("b", acc=70.25, latency=2)), SPACE)
    write_table(table, folder / "t.parquet")
    data = bytearray((folder / "t.parquet").read_bytes())
    footer = int.from_bytes(data[-8:-4], "little") + 8
    position = 4 + flip % (len(data) - footer - 4)
    data[position] = to
    (folder / "t.parquet").write_bytes(data)
    try:
        again = read_table(folder / "t.parquet", SPACE)
    except TableError:
        return
    assert again == table
