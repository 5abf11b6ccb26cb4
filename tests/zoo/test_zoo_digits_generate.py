"""Making the table: resuming, locking, writing, and errors for damaged files."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys

import pytest

from digits_samples import MIXED, SMALLEST, by_hand, needs_sklearn
from nasbuild.errors import NasbuildError
from nasbuild.zoo.digits import space
from nasbuild.zoo.digits.generate import TRAININGS, generate, locked, read_trainings
from nasbuild.zoo.digits.make_table import complete_seeds, make_table


def fake(calls):
    def train(arch, seed):
        calls.append((space.arch_id(arch), seed))
        return {"acc": 50.0 + len(calls[-1][0]) + seed, "loss": 1.0 / (1 + seed)}

    return train


def rows_of(folder):
    lines = (folder / TRAININGS).read_text().splitlines()
    return [{k: v for k, v in json.loads(line).items() if k != "seconds"} for line in lines]


def test_resuming_after_an_incomplete_line_repeats_nothing(tmp_path):
    archs = space.all_archs()[:5]
    whole, torn = tmp_path / "whole", tmp_path / "torn"
    assert generate(whole, archs, range(2), train=fake([])) == 10

    first, second = [], []
    generate(torn, archs, range(1), train=fake(first))
    with (torn / TRAININGS).open("a") as stream:
        stream.write('{"id": "e1k3/e1k3/e1k3", "seed": 1, "ac')
    assert generate(torn, archs, range(2), train=fake(second)) == 5
    assert rows_of(torn) == rows_of(whole)
    assert set(first).isdisjoint(second)
    assert [seed for _, seed in first + second] == [0] * 5 + [1] * 5  # a seed is completed before the next
    assert generate(torn, archs, range(2), train=fake([])) == 0


def test_a_line_without_a_line_end_is_trained_again(tmp_path):
    archs = space.all_archs()[:3]
    generate(tmp_path, archs, [0], train=fake([]))
    path = tmp_path / TRAININGS
    path.write_bytes(path.read_bytes()[:-1])
    assert len(read_trainings(tmp_path)) == 2
    assert generate(tmp_path, archs, [0], train=fake([])) == 1
    assert len(read_trainings(tmp_path)) == 3


def test_damage_before_the_last_line_is_an_error(tmp_path):
    good = '{"id": "a", "seed": 0, "acc": 1, "loss": 1, "seconds": 1}\n'
    path = tmp_path / TRAININGS
    for text, message in (('{"id"\n' + good, r"jsonl:1.*damaged"), (good + good, r"jsonl:2.*appears twice")):
        path.write_text(text)
        with pytest.raises(NasbuildError, match=message):
            read_trainings(tmp_path)


def test_two_runs_cannot_share_a_folder(tmp_path):
    with locked(tmp_path), pytest.raises(NasbuildError, match="another process"):
        generate(tmp_path, [SMALLEST], [0], train=fake([]))
    assert generate(tmp_path, [SMALLEST], [0], train=fake([])) == 1


def test_the_table_uses_complete_seeds_only(tmp_path):
    needs_sklearn()
    archs = [*space.all_archs()[:3], MIXED]
    generate(tmp_path, archs[:2], [0], train=fake([]))
    with pytest.raises(NasbuildError, match="no seed is complete"):
        make_table(tmp_path, tmp_path / "table", archs=archs)
    generate(tmp_path, archs, [0, 1], train=fake([]))
    generate(tmp_path, archs[:1], [2], train=fake([]))
    assert complete_seeds(read_trainings(tmp_path), archs) == [0, 1]
    assert "4 architectures, 2 seeds" in make_table(tmp_path, tmp_path / "table", archs=archs)
    with gzip.open(tmp_path / "table" / "archs.jsonl.gz", "rt") as stream:
        rows = [json.loads(line) for line in stream]
    assert [row["id"] for row in rows] == ["/".join(map("-".join, arch)) for arch in archs]
    last = rows[-1]["metrics"]
    assert last["acc"] == 50 + len(space.arch_id(MIXED)) + 0.5
    assert last["acc_std"] == pytest.approx(2**-0.5, abs=1e-4)
    assert (last["params"], last["macs"]) == by_hand(MIXED)
    assert "with 2 seeds on" in (tmp_path / "table" / "card.md").read_text()


def test_the_command_reports_mistakes_in_one_line(tmp_path, capsys):
    from nasbuild.zoo.digits.__main__ import main

    assert main(["--out", str(tmp_path), "--finish"]) == 2
    assert "no seed is complete" in capsys.readouterr().err


def test_importing_loads_no_heavy_packages():
    code = (
        "import sys, nasbuild.evaluate, nasbuild.zoo.digits as digits;"
        "digits.all_archs(); print('torch' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"
