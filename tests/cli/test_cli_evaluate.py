"""``nasbuild evaluate`` with typical evaluators of users, and with damaged stores."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from nasbuild.evaluate import load_evaluator
from nasbuild.space import space_from_yaml
from nasbuild.table import read_table

SPACE = """
name: small
metrics: {acc: {direction: maximize}}
stages:
  - {name: a, depth: [1], features: {k: [3, 5, 7]}}
  - {name: b, depth: [1], features: {k: [3, 5]}}
"""
CODE = """
import os, subprocess, sys

def value(arch):
    a, b = (stage[0]["k"] for stage in arch["stages"])
    return a + b / 10

def good(arch):
    return {"acc": value(arch)}

def loud(arch):
    print("from Python")
    os.write(1, b"from native code\\n")
    subprocess.run(["echo", "from a child"], check=True)
    return good(arch)

def text(arch):
    return {"acc": value(arch), "note": f"k {value(arch)}", "size": 1}

def some(arch):
    if arch["stages"][0][0]["k"] == 5:
        sys.exit(2)
    return good(arch)

def none(arch):
    return {"acc": None}

def number(arch):
    return value(arch)

def dies(arch):
    if arch["stages"][0][0]["k"] == 7:
        os.abort()
    return good(arch)
"""


@pytest.fixture
def call(tmp_path):
    """Returns the arguments that evaluate all six architectures."""
    (tmp_path / "space.yaml").write_text(SPACE)
    (tmp_path / "mine.py").write_text(CODE)
    rows = [{"arch": {"stages": [[{"k": a}], [{"k": b}]]}} for a in (3, 5, 7) for b in (3, 5)]
    (tmp_path / "archs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def arguments(function, *more, store="s.db"):
        found = ["evaluate", "--space", tmp_path / "space.yaml", "--archs", tmp_path / "archs.jsonl"]
        place = store if "://" in store else tmp_path / store
        return [*found, "--evaluator", f"{tmp_path / 'mine.py'}:{function}", "--store", place, *more]

    return arguments


def process(arguments):
    call = [sys.executable, "-m", "nasbuild", *map(str, arguments)]
    return subprocess.run(call, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("more", [[], ["--workers", 1]], ids=["here", "worker"])
def test_json_is_the_only_output_whatever_an_evaluator_prints(call, more):
    done = process(call("loud", "--json", *more))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["done"] == 6
    for line in ("from Python", "from native code", "from a child"):
        assert done.stderr.splitlines().count(line) == 6


def test_numbers_beside_text_are_kept_with_a_note(nasbuild, call, tmp_path):
    done = nasbuild(*call("text", "--out", tmp_path / "t.jsonl"))
    assert done.code == 0, done.err
    assert "6 of 6 architectures evaluated" in done.out
    assert "note: 6 evaluations: left out note, which is text ('k 3.3')" in done.out
    table = read_table(tmp_path / "t.jsonl", space_from_yaml(SPACE))
    assert sorted(table.columns["acc"]) == [3.3, 3.5, 5.3, 5.5, 7.3, 7.5]
    assert "not declared in the space, so not usable as objectives: size" in done.out
    # Notes are stored as well.
    assert len(nasbuild(*call("text", "--json")).json["notes"]) == 2


@pytest.mark.parametrize(
    ("function", "code", "done", "reason"),
    [
        ("good", 0, 6, None),
        ("some", 1, 4, "SystemExit (the evaluator called sys.exit): 2"),
        ("none", 2, 0, "no number for acc"),
        ("number", 2, 0, 'returned 3.3, a float; return a dict such as {"acc": 3.3}'),
    ],
)
def test_the_exit_code_reflects_failures(nasbuild, call, function, code, done, reason):
    for more in ([], ["--workers", 2]):
        found = nasbuild(*call(function, "--json", *more))
        assert found.code == code
        result = json.loads(found.out)
        assert (result["done"], len(result["failed"])) == (done, 6 - done)
        assert reason is None or reason in result["failed"].values()


def test_an_edited_evaluator_is_reported_and_evaluates_again_on_demand(nasbuild, call, tmp_path):
    nasbuild(*call("good"))
    assert nasbuild(*call("good", "--json")).json["outdated"] == []
    script = tmp_path / "mine.py"
    script.write_text(CODE.replace("b / 10", "b / 100"))
    result = nasbuild(*call("good", "--json")).json
    assert len(result["outdated"]) == result["done"] == 6
    assert "6 were measured by an earlier version" in nasbuild(*call("good")).out
    assert nasbuild(*call("good", "--again", "--json")).json["outdated"] == []
    done = nasbuild(*call("good", "--out", tmp_path / "t.jsonl"))
    assert "earlier version" not in done.out
    table = read_table(tmp_path / "t.jsonl", space_from_yaml(SPACE))
    assert sorted(table.columns["acc"]) == pytest.approx([3.03, 3.05, 5.03, 5.05, 7.03, 7.05])


@pytest.mark.parametrize("name", ["t.jsonl", "t.csv", "t.parquet"])
def test_a_table_with_rows_of_earlier_code_is_reported_and_renewed(nasbuild, call, tmp_path, name):
    table = tmp_path / name
    assert "earlier version" not in nasbuild(*call("good", "--out", table)).out
    (tmp_path / "mine.py").write_text(CODE.replace("b / 10", "b / 100"))
    whole = (tmp_path / "archs.jsonl").read_text()
    (tmp_path / "archs.jsonl").write_text("".join(whole.splitlines(keepends=True)[:2]))
    # Two are evaluated again; the table also holds four earlier results of the store.
    result = nasbuild(*call("good", "--again", "--out", table, "--json")).json
    assert result["outdated"] == []
    (note,) = result["notes"]
    again = re.fullmatch(
        rf"4 of 6 rows in {table} come from an earlier version of .*mine.py:good: evaluate (.*) renews them",
        note,
    )
    assert again
    said = " ".join(nasbuild(*call("good", "--out", table)).out.split())
    assert note in said
    assert f"6 evaluations, all that the store has, written to {table}" in said
    values = read_table(table, space_from_yaml(SPACE)).columns["acc"]
    assert sorted(values) == pytest.approx([3.03, 3.05, 5.3, 5.5, 7.3, 7.5])
    # The suggested command works.
    done = nasbuild(*call("good", "--out", table), *again[1].split())
    assert "6 of 6 architectures evaluated" in done.out
    assert "earlier version" not in done.out
    values = read_table(table, space_from_yaml(SPACE)).columns["acc"]
    assert sorted(values) == pytest.approx([3.03, 3.05, 5.03, 5.05, 7.03, 7.05])


def test_modules_beside_an_evaluator_are_part_of_its_code(nasbuild, call, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "helper_of_mine.py").write_text("FACTOR = 1.0\n")
    (tmp_path / "mine.py").write_text("import helper_of_mine\ndef good(arch): return {'acc': 1.0}\n")
    nasbuild(*call("good"))
    (tmp_path / "other.py").write_text("")
    assert nasbuild(*call("good", "--json")).json["outdated"] == []
    (tmp_path / "helper_of_mine.py").write_text("FACTOR = 2.0\n")
    assert len(nasbuild(*call("good", "--json")).json["outdated"]) == 6


@pytest.mark.parametrize(
    "code",
    [
        "from helper_of_it import FACTOR\ndef good(arch): return {'acc': FACTOR}\n",
        "def good(arch):\n    from parts_of_it import helper\n    return {'acc': helper.FACTOR}\n",
        "def good(arch):\n    import parts_of_it.other as o\n    return {'acc': o.FACTOR}\n",
    ],
    ids=["a number", "within the function", "of a package"],
)
def test_all_imported_modules_are_part_of_its_code(nasbuild, call, tmp_path, monkeypatch, code):
    monkeypatch.syspath_prepend(tmp_path)
    parts = tmp_path / "parts_of_it"
    parts.mkdir()
    written = (tmp_path / "helper_of_it.py", parts / "helper.py", parts / "other.py", parts / "__init__.py")
    for path in written:
        path.write_text("FACTOR = 1.0\n")
    (tmp_path / "mine.py").write_text(code)
    assert nasbuild(*call("good", "--json")).json["done"] == 6
    (parts / "unused.py").write_text("FACTOR = 2.0\n")
    assert nasbuild(*call("good", "--json")).json["outdated"] == []
    for path in written:
        path.write_text("FACTOR = 2.0\n")
    assert len(nasbuild(*call("good", "--json")).json["outdated"]) == 6
    for name in [name for name in sys.modules if name.partition(".")[0] in ("helper_of_it", "parts_of_it")]:
        del sys.modules[name]


@pytest.mark.parametrize("evaluator", ["costs:{}", "costs:{}@1x4,no-batch"])
def test_an_edited_network_is_reported(nasbuild, call, tmp_path, evaluator):
    script = tmp_path / "nets.py"
    made = "nn.Linear(4, arch['stages'][0][0]['k'])"
    given = made if "@" in evaluator else f"{made}, torch.zeros(1, 4)"
    script.write_text(f"import torch\nfrom torch import nn\ndef build(arch): return {given}\n")
    command = [*call("good"), "--evaluator", evaluator.format(f"{script}:build"), "--json"]
    result = nasbuild(*command).json
    assert (result["done"], result["outdated"]) == (6, [])
    script.write_text(
        script.read_text().replace("Linear(4", "Linear(bias=False, in_features=4, out_features")
    )
    script.write_text(script.read_text().replace("out_features, ", "out_features="))
    result = nasbuild(*command).json
    assert len(result["outdated"]) == 6
    assert any(note.startswith("6 were measured by an earlier version of") for note in result["notes"])
    assert nasbuild(*command, "--again").json["outdated"] == []


def test_an_edited_network_is_other_code_for_latency(tmp_path):
    script = tmp_path / "nets.py"
    script.write_text("from torch import nn\ndef build(arch): return nn.Linear(4, 4)\n")
    name, space = f"latency:{script}:build@1x4,runtime=onnxruntime,threads=1", space_from_yaml(SPACE)
    before = load_evaluator(name, space).code
    assert before is not None
    assert load_evaluator(name, space).code == before
    script.write_text(script.read_text().replace("4, 4", "4, 5"))
    assert load_evaluator(name, space).code != before


def test_a_changed_script_of_a_command_is_reported(nasbuild, call, tmp_path):
    script = tmp_path / "measure.py"
    script.write_text("print('{\"acc\": 1}')\n")
    command = [*call("good"), "--evaluator", f"command:{sys.executable} {script}"]
    assert nasbuild(*command, "--json").json["outdated"] == []
    script.write_text("print('{\"acc\": 2}')\n")
    assert len(nasbuild(*command, "--json").json["outdated"]) == 6


def test_the_evaluation_that_crashed_the_last_process_is_reported(nasbuild, call):
    assert process(call("dies")).returncode == -6
    again = process(call("dies"))
    assert "a process ended while evaluating k7/k3; if this one ends as well, --workers 1" in again.stderr
    done = nasbuild(*call("dies", "--workers", 1))
    assert done.code == 1
    assert "4 of 6 architectures evaluated" in done.out
    assert "2 failed: the process that evaluated it died: it aborted (SIGABRT)" in done.out


def test_no_password_is_printed(nasbuild, call):
    for more in ([], ["--json"]):
        done = nasbuild(*call("good", *more, store="postgresql+psycopg://me:s3cret@127.0.0.1:1/db"))
        assert done.code == 2
        assert "can't be opened" in done.err
        assert "s3cret" not in done.out + done.err


def test_a_damaged_store_is_salvaged_into_a_new_one(nasbuild, call, tmp_path):
    nasbuild(*call("good"))
    with closing(sqlite3.connect(tmp_path / "s.db")) as connection:
        connection.execute("""UPDATE evaluations SET metrics = '{"acc": 9.0}' WHERE number = 2""")
        connection.commit()
    assert "row 2 is damaged (its checksum is wrong)" in nasbuild(*call("good")).sentence
    (tmp_path / "mine.py").write_text(CODE.replace("b / 10", "b / 10 + 100"))
    done = nasbuild(
        *call("good", "--salvage", tmp_path / "s.db", "--out", tmp_path / "t.jsonl", store="new.db")
    )
    assert done.code == 0, done.err
    assert "5 sound results of" in done.err
    values = sorted(read_table(tmp_path / "t.jsonl", space_from_yaml(SPACE)).columns["acc"])
    # Only the damaged result was evaluated again.
    assert values == pytest.approx([3.3, 5.3, 5.5, 7.3, 7.5, 103.5])


def test_errors_while_loading_an_evaluator_are_reported(nasbuild, call, tmp_path):
    (tmp_path / "mine.py").write_text("import sys\nsys.exit(3)\n")
    assert "can't be loaded (it calls sys.exit(3))" in nasbuild(*call("good")).sentence
    (tmp_path / "mine.py").write_text("import math\nmath.sqrt(-1)\n")
    assert "can't be loaded (mine.py, line 2: ValueError: " in nasbuild(*call("good")).sentence
    (tmp_path / "mine.py").write_text("\n\ndef good(arch) return 1\n")
    assert "can't be loaded (mine.py, line 3: SyntaxError: " in nasbuild(*call("good")).sentence


def test_prints_while_loading_do_not_spoil_json(nasbuild, call, tmp_path):
    (tmp_path / "mine.py").write_text("print('loading')\n" + CODE)
    assert nasbuild(*call("good", "--json")).json["done"] == 6
