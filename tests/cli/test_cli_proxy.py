"""``fit --with``: a cheap metric beside the target, in the verdict and in ``--json``."""

from __future__ import annotations

import json

import numpy as np
import pytest

import nasbuild as nb
from nasbuild.errors import TargetError
from nasbuild.table import GraphTable


@pytest.fixture(scope="module")
def data(files, tmp_path_factory):
    """Rows of the table of which a third have the target; without a declared direction for the proxy."""
    rows = [json.loads(line) for line in files.data.read_text().splitlines()]
    for n, row in enumerate(rows):
        row["metrics"]["short"] = row["metrics"]["loss"] + 0.01 * (n % 3)
        if n >= 25:
            del row["metrics"]["loss"]
    path = tmp_path_factory.mktemp("proxy") / "rows.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path


def test_the_verdict_says_what_the_proxy_was_worth(nasbuild, files, data, tmp_path):
    options = (
        "--space",
        files.space,
        "--data",
        data,
        "--target",
        "loss",
        "--with",
        "short",
        "--no-baselines",
    )
    done = nasbuild("fit", *options, "--out", tmp_path / "fit", "--json")
    [target] = json.loads(done.out)["targets"]
    [proxy] = target["proxies"]
    assert (proxy["proxy"], proxy["used"], proxy["labels"], proxy["alone"]) == ("short", True, 60, 35)
    assert proxy["evidence"] > 5
    assert {"with", "without"} == set(proxy["prediction"]) == set(proxy["modules"])
    assert target["labels"] == 25
    assert "With the proxy short (60 labels, 35 of them where the target has none)" in target["verdict"]
    told = nasbuild("explain", tmp_path / "fit").out
    assert "the fit uses it" in " ".join(told.split())
    built = nasbuild("build", tmp_path / "fit", "--top", "2", "--out", tmp_path / "built.jsonl")
    assert built.code == 0
    rows = [json.loads(line) for line in (tmp_path / "built.jsonl").read_text().splitlines()]
    assert [row["target"] for row in rows] == ["loss", "loss"]
    # A notebook's fit is the same.
    fit = nb.fit(str(data), "loss", space=nb.load_space(files.space), proxy="short", baselines=False)
    assert fit["loss"].trust.verdict == target["verdict"]
    assert fit.explain()["targets"][0]["trust"]["proxies"] == target["proxies"]


@pytest.mark.parametrize(
    ("more", "text"),
    [
        (("--with", "shirt"), "there is no metric 'shirt'"),
        (("--with", "loss"), "is the target itself"),
        (("--with", "short", "--recipe", "ridge"), "recipe 'ridge' learns from no proxy"),
    ],
)
def test_mistakes_are_one_sentence(nasbuild, files, data, tmp_path, more, text):
    options = ("--space", files.space, "--data", data, "--target", "loss", "--out", tmp_path / "fit")
    done = nasbuild("fit", *options, *more)
    assert done.code == 2
    assert text in " ".join(done.err.split())
    assert not (tmp_path / "fit").exists()


def test_networks_have_no_proxy():
    table = GraphTable.__new__(GraphTable)
    with pytest.raises(TargetError, match="networks are learnt without a proxy"):
        nb.fit(table, "acc", proxy="short")


def test_known_noise_of_a_table_is_used(files):
    table = nb.read_table(str(files.data), nb.load_space(files.space))
    noisy = nb.fit(table, "loss", baselines=False)
    n = np.full(len(table), 4.0)
    columns = {"loss": table.columns["loss"], "loss_std": table.columns["loss_std"], "n": n}
    known = nb.fit(type(table)(table.space, table.ids, table.architectures, columns), "loss", baselines=False)
    gp = known["loss"].scorer.gp
    assert noisy["loss"].scorer.gp.known is None
    variances = gp.warp.variances(columns["loss"], columns["loss_std"] ** 2 / 4)
    np.testing.assert_allclose(gp.known, variances)
    columns["n"][3] = 0
    with pytest.raises(TargetError, match="n is 0; allowed: 1 or more"):
        nb.fit(type(table)(table.space, table.ids, table.architectures, columns), "loss", baselines=False)
