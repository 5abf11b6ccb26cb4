"""The built-in table sd-unet-mini."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

from nasbuild.evaluate import load_evaluator
from nasbuild.space import contains, load_space
from nasbuild.table import Table, load_builtin
from nasbuild.zoo.diffusion.generate import Work
from nasbuild.zoo.diffusion.space import sd_v1_4

PLACE = files("nasbuild") / "table/builtin/sd-unet-mini"


@pytest.fixture(scope="module")
def table() -> Table:
    return load_builtin("sd-unet-mini")


def test_rows_are_the_first_random_variants(table):
    space = load_space("sd-unet")
    assert list(table.architectures) == Work(Path(), Path()).variants()
    assert len(set(table.architectures)) == 68
    assert all(contains(space, a) for a in table.architectures)
    assert sd_v1_4() not in table.architectures


def test_labels_are_plausible_for_fine_tuned_networks(table):
    columns = table.columns
    assert set(columns) == {"fid", "loss", "psnr", "macs", "params"}
    assert all(np.isfinite(v).all() for v in columns.values())
    assert columns["fid"].min() > 0
    # Three measures of one thing, from images, from noise and from pixels.
    assert spearmanr(columns["fid"], columns["loss"])[0] > 0.8
    assert spearmanr(columns["fid"], columns["psnr"])[0] < -0.5


def test_costs_match_the_networks(table):
    some = np.random.default_rng(0).choice(len(table), 3, replace=False)
    counted = load_evaluator("costs:sd-unet-mini", table.space)([table.architectures[i] for i in some])
    for row, costs in zip(some, counted, strict=True):
        assert {name: table.columns[name][row] for name in costs} == costs


def test_the_card_describes_the_table(table):
    card = (PLACE / "card.md").read_text()
    assert "68 U-Nets at random" in card
    for name, values in table.columns.items():
        row = re.search(rf"^\| {name} \| (\S+) \| (\S+) \| (\S+) \| (\S+) \|$", card, re.MULTILINE)
        assert row is not None
        found = [float(v) for v in row.groups()[:3]]
        assert found == pytest.approx([values.min(), np.median(values), values.max()], rel=1e-5)


def test_the_file_is_small_and_has_no_date():
    data = (PLACE / "archs.jsonl.gz").read_bytes()
    assert data[4:8] == bytes(4)
    assert len(data) < 20_000
