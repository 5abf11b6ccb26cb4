"""The built-in table digits-macro."""

from __future__ import annotations

import gzip
import itertools
import json
import math
import re
from importlib.resources import files

import numpy as np
import pytest
from scipy.stats import spearmanr

from digits_samples import by_hand, needs_sklearn
from nasbuild.zoo.digits import space
from nasbuild.zoo.digits import train as training


@pytest.fixture(scope="module")
def table() -> list[dict]:
    text = gzip.decompress((files("nasbuild") / "table/builtin/digits-macro/archs.jsonl.gz").read_bytes())
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture(scope="module")
def card() -> str:
    return (files("nasbuild") / "table/builtin/digits-macro/card.md").read_text()


def archs_of(table) -> list[list[list[str]]]:
    return [[[layer["op"] for layer in stage] for stage in row["arch"]["stages"]] for row in table]


def test_the_table_contains_the_whole_space_once(table):
    archs = archs_of(table)
    assert sorted(archs) == sorted(space.all_archs())
    assert [row["id"] for row in table] == ["/".join(map("-".join, arch)) for arch in archs]


def test_table_labels_are_finite_and_plausible(table):
    for row in table:
        labels = row["metrics"]
        assert set(labels) == {
            "acc", "acc_std", "loss", "loss_std", "macs", "params", "latency_cpu", "latency_cpu_std"
        }  # fmt: skip
        assert all(math.isfinite(value) for value in labels.values())
        assert 10 < labels["acc"] < 100
        assert 0 < labels["loss"] < math.log(10)
        assert min(labels["latency_cpu"], labels["acc_std"] + 1, labels["loss_std"] + 1) > 0


def test_costs_match_counts_by_hand(table):
    for arch, row in zip(archs_of(table), table, strict=True):
        assert (row["metrics"]["params"], row["metrics"]["macs"]) == by_hand(arch)


def test_the_table_is_small_and_has_no_date():
    place = files("nasbuild") / "table/builtin/digits-macro/archs.jsonl.gz"
    data = place.read_bytes()
    assert len(data) < 1_000_000
    assert data[4:8] == bytes(4)  # the gzip header's time


@pytest.mark.parametrize(("metric", "column"), [("acc", 1), ("loss", 2)])
def test_architectures_differ_by_more_than_seeds(table, card, metric, column):
    def stated(start: str) -> float:
        line = next(line for line in card.splitlines() if line.startswith(f"| {start}"))
        return float(line.split("|")[1 + column])

    n_seeds = int(re.search(r"from scratch with (\d) seeds", card)[1])
    means = np.array([row["metrics"][metric] for row in table])
    seed = np.mean([row["metrics"][f"{metric}_std"] ** 2 for row in table]) ** 0.5
    assert seed == pytest.approx(stated("deviation between the seeds"), rel=1e-3)
    between = (means.var(ddof=1) - stated("seed deviation without") ** 2 / n_seeds) ** 0.5
    assert between == pytest.approx(stated("deviation between architectures"), rel=1e-3)
    assert between / seed == pytest.approx(stated("ratio"), abs=0.01)
    assert between > 2 * seed
    assert (between / means.std(ddof=1)) ** 2 == pytest.approx(stated("reliability"), abs=1e-3)


def test_accuracy_is_not_determined_by_size(table):
    acc = np.array([row["metrics"]["acc"] for row in table])
    macs = np.array([row["metrics"]["macs"] for row in table])
    assert spearmanr(acc, macs)[0] < 0.97
    best = int(acc.argmax())
    assert macs[best] < macs.max()


def test_a_row_can_be_reproduced(table, card):
    """This code reproduces the labels of an architecture with all its seeds."""
    needs_sklearn()
    seeds = map(int, re.search(r"from the seed\s\(([\d, ]+)\)", card)[1].split(","))
    row = next(row for row in table if row["id"] == "mb_e3_k3/mb_e1_k3/mb_e1_k3")
    again = [training.train_arch([["mb_e3_k3"], ["mb_e1_k3"], ["mb_e1_k3"]], seed) for seed in seeds]
    # Other machines and versions round differently, and SGD amplifies it; far from the spread of seeds.
    for metric, near in (("acc", 1.0), ("loss", 0.03)):
        mean = np.mean([metrics[metric] for metrics in again])
        assert mean == pytest.approx(row["metrics"][metric], abs=near)


def test_swapping_a_module_changes_the_loss_predictably(table):
    """The purpose of the table: swapping a stage's module changes the loss by a learnable amount."""
    by_modules = {
        tuple(map(tuple, arch)): row["metrics"]["loss"]
        for arch, row in zip(archs_of(table), table, strict=True)
    }
    modules = [tuple(module) for module in space.all_modules()]
    cube = np.array([by_modules[key] for key in itertools.product(modules, repeat=3)]).reshape(12, 12, 12)
    total = ((cube - cube.mean()) ** 2).sum()
    main = sum(144 * ((cube.mean(axis=axes) - cube.mean()) ** 2).sum() for axes in ((1, 2), (0, 2), (0, 1)))
    assert main / total > 0.5
