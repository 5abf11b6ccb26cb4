"""The costs evaluator: uncounted operations are named, and their costs are missing in the table."""

from __future__ import annotations

import json

NETWORKS = """
import torch
class Net(torch.nn.Module):
    def forward(self, x):
        return torch.fft.fft(x)
def build(arch):
    return torch.nn.Linear(2, 3) if arch["stages"][0][0]["n"] == 1 else Net()
"""


def test_uncounted_operations_are_named_and_costs_missing(nasbuild, tmp_path):
    space, archs, nets = (tmp_path / name for name in ("space.yaml", "archs.jsonl", "nets.py"))
    space.write_text("name: s\nstages:\n  - {name: a, depth: 1, features: {n: [1, 2]}}\n")
    rows = [{"id": f"n{n}", "arch": {"stages": [[{"n": n}]]}} for n in (1, 2)]
    archs.write_text("".join(json.dumps(row) + "\n" for row in rows))
    nets.write_text(NETWORKS)
    table = tmp_path / "o.jsonl"
    command = ["evaluate", "--space", space, "--archs", archs, "--store", tmp_path / "s.db"]
    command += ["--evaluator", f"costs:{nets}:build@1x2"]
    done = nasbuild(*command, "--out", table)
    assert done.code == 0, done.err
    assert "note: 1 evaluations: not counted: 1 × aten::_fft_r2c" in done.out
    metrics = [json.loads(line)["metrics"] for line in table.read_text().splitlines()]
    assert metrics == [{"macs": 6, "params": 9}, {"macs": None, "params": 0}]
    again = json.loads(nasbuild(*command, "--json").out)
    assert again["notes"] == ["1 evaluations: not counted: 1 × aten::_fft_r2c"]
