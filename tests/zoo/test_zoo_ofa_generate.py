"""Making the table of fashion-ofa from a trained supernet."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest

from nasbuild.evaluate import load_evaluator
from nasbuild.space import load_space
from nasbuild.table import load_builtin, read_table, write_table
from nasbuild.zoo.ofa.__main__ import main

SPACE = "fashion-ofa"


@pytest.fixture
def work(fashion_folder, tmp_path):
    """A work folder whose supernet is trained."""
    return shutil.copytree(fashion_folder, tmp_path / "work")


# Networks with random weights may all say the same.
@pytest.mark.filterwarnings("ignore:An input array is constant")
def test_a_table_combines_results_and_known_latencies(work, capsys):
    command = ["--images", str(work), "--out", str(work), "--networks", "2", "--finish"]
    assert main([*command, "--timed", SPACE]) == 0
    assert "wrote 2 architectures" in capsys.readouterr().out
    table, shipped = read_table(work / "archs.jsonl.gz", load_space(SPACE)), load_builtin(SPACE)
    assert table.architectures == shipped.architectures[:2]
    for name in ("latency_cpu", "latency_cpu_std", "macs", "params"):
        assert table.columns[name].tolist() == shipped.columns[name][:2].tolist()
    measured = load_evaluator(f"supernet:{work / 'supernet.yaml'}", table.space)(list(table.architectures))
    assert table.columns["acc"].tolist() == [one["acc"] for one in measured]
    assert "2 networks at random" in (work / "card.md").read_text()


@pytest.mark.parametrize(
    ("metrics", "message"),
    [(("latency_cpu", "latency_cpu_std"), "none for 6 of the networks"), (("acc",), "no latency_cpu")],
)
def test_missing_latencies_are_an_error_before_anything_is_tested(work, tmp_path, capsys, metrics, message):
    shipped = load_builtin(SPACE).select(np.arange(2))
    columns = {name: shipped.columns[name] for name in metrics}
    write_table(replace(shipped, columns=columns), tmp_path / "few.csv")
    command = ["--images", str(work), "--out", str(work), "--networks", "8", "--finish"]
    assert main([*command, "--timed", str(tmp_path / "few.csv")]) == 2
    out, error = capsys.readouterr()
    assert message in error
    assert out == ""
