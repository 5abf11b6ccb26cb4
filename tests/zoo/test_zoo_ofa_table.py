"""The built-in table fashion-ofa."""

from __future__ import annotations

import re
from importlib.resources import files

import numpy as np
import pytest
from scipy.stats import spearmanr

from nasbuild.evaluate import load_evaluator
from nasbuild.space import contains, load_space, sample
from nasbuild.table import Table, load_builtin

PLACE = files("nasbuild") / "table/builtin/fashion-ofa"


@pytest.fixture(scope="module")
def table() -> Table:
    return load_builtin("fashion-ofa")


def test_rows_are_the_first_random_networks(table):
    space = load_space("fashion-ofa")
    assert len(table) == len(set(table.architectures)) == 2000
    assert all(contains(space, a) for a in table.architectures)
    expected = sample(space, 2000, np.random.default_rng(0), over="depths")
    assert list(table.architectures) == expected


def test_labels_are_plausible_for_trained_networks(table):
    columns = table.columns
    assert set(columns) == {"acc", "loss", "macs", "params", "latency_cpu", "latency_cpu_std"}
    assert all(np.isfinite(v).all() for v in columns.values())
    # A hundredth of a percent is one of the 10,000 test pictures.
    np.testing.assert_allclose(columns["acc"] * 100, np.round(columns["acc"] * 100), atol=1e-6)
    assert columns["acc"].min() > 85
    assert spearmanr(columns["acc"], columns["loss"])[0] < -0.5
    assert columns["latency_cpu"].min() > 0
    assert np.median(columns["latency_cpu_std"] / columns["latency_cpu"]) < 0.1


def test_costs_match_the_networks(table):
    some = np.random.default_rng(0).choice(len(table), 3, replace=False)
    counted = load_evaluator("costs:fashion-ofa", table.space)([table.architectures[i] for i in some])
    for row, costs in zip(some, counted, strict=True):
        assert {name: table.columns[name][row] for name in ("macs", "params")} == {
            name: costs[name] for name in ("macs", "params")
        }


def test_latency_correlates_with_macs(table):
    assert spearmanr(table.columns["latency_cpu"], table.columns["macs"])[0] > 0.7


def test_the_card_describes_the_table(table):
    card = (PLACE / "card.md").read_text()
    assert "2,000 networks at random" in card
    for name, values in table.columns.items():
        row = re.search(rf"^\| {name} \| (\S+) \| (\S+) \| (\S+) \|$", card, re.MULTILINE)
        assert row is not None
        found = [float(v) for v in row.groups()]
        assert found == pytest.approx([values.min(), np.median(values), values.max()], rel=1e-5)


def test_the_file_is_small_and_has_no_date():
    data = (PLACE / "archs.jsonl.gz").read_bytes()
    assert data[4:8] == bytes(4)
    assert len(data) < 300_000
