"""Architectures as texts of digits: recognised, read with and without leading zeros, and written back."""

from __future__ import annotations

import polars as pl
import pytest

from nasbuild.table import guess_space, read_table, write_table
from nasbuild.table._digit_texts import digit_lists

CODES = [f"{n % 3}{n // 3 % 3}{n // 9 % 3}{n * 7 % 3}" for n in range(27)]
ACC = [70.5 + n / 8 for n in range(27)]


def frame(column: str, codes: list) -> pl.DataFrame:
    return pl.DataFrame({column: codes, "acc": ACC[: len(codes)]})


@pytest.mark.parametrize("column", ["arch", "encoding", "anything"])
def test_digits_are_layers_of_one_stage_and_written_back(column, tmp_path):
    rows = frame(column, CODES)
    rows.write_csv(tmp_path / "runs.csv")
    guess = guess_space(tmp_path / "runs.csv")
    [stage] = guess.space.stages
    assert stage.depths == (4,)
    assert stage.features[0].present == (0, 1, 2)
    assert stage.features[0].kind == "categorical"
    assert guess.questions == ()
    assert any(
        note.startswith(f"{column} is read as one stage, a layer for each digit") for note in guess.notes
    )
    table = read_table(tmp_path / "runs.csv", guess.space)
    assert ["".join(str(layer[0]) for layer in a.modules[0]) for a in table.architectures] == CODES
    write_table(table, tmp_path / "again.csv")
    assert pl.read_csv(tmp_path / "again.csv", infer_schema=False)[column].to_list() == CODES
    # A reader of CSV makes numbers of them; the space knows how many digits there were.
    assert read_table(frame(column, [int(code) for code in CODES]), guess.space) == table


def test_numbers_get_back_their_leading_zeros():
    numbers = frame("arch", [int(code) for code in CODES])
    assert min(numbers["arch"]) < 1000
    table = read_table(numbers)
    assert ["".join(str(layer[0]) for layer in a.modules[0]) for a in table.architectures] == CODES


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("params", [14690, 15230, 21022, 10000]),
        ("run", [f"{n:04d}" for n in range(300)]),
        ("run", [f"{n:03d}" for n in range(7)]),
        ("date", ["20240105", "20240205", "20240106"]),
        ("arch", ["0202", "0202"]),
        ("arch", ["conv", "0202"]),
        ("arch", ["001", "002", "003"]),
        ("seed", [0, 1, 2]),
        ("net", [128, 256, 512]),
        ("arch", [0.5, 1.0]),
    ],
)
def test_what_is_no_list_of_digits(name, cells):
    assert digit_lists(name, cells) is None


def test_a_code_of_other_length_is_refused_with_its_row():
    space = guess_space(frame("arch", CODES)).space
    with pytest.raises(Exception, match="row 2"):
        read_table(frame("arch", [*CODES[:2], "01200", *CODES[3:]]), space)


def test_ids_of_digits_beside_columns_of_the_architecture_stay_ids():
    kernels = [3 + 2 * (n % 3) for n in range(27)]
    rows = frame("id", CODES).with_columns(k1=pl.Series(kernels), k2=pl.Series(kernels[::-1]))
    table = read_table(rows)
    assert table.ids[:2] == tuple(CODES[:2])
