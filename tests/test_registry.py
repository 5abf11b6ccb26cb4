"""Other packages add evaluators, networks and spaces by entry points."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nasbuild._registry import _entries, load_registered, registered
from nasbuild.errors import NasbuildError, SpaceError
from nasbuild.evaluate import load_evaluator, load_networks, network_names
from nasbuild.evaluate._source_hash import code_of
from nasbuild.space import Architecture, load_space

MODULE = """
from pathlib import Path
from torch import nn
from nasbuild.evaluate import Evaluator, Networks
from nasbuild.space import Metric

HERE = Path(__file__).parent

def width_sum(argument, space, seed):
    factor = float(argument or 1)

    def measure(architecture):
        return {"width": factor * sum(layer[0] for module in architecture for layer in module) + seed}

    return Evaluator("width-sum", {"width": Metric("width", "maximize", "channels")}, measure, "free")

def networks(space):
    return Networks(lambda architecture: nn.Linear(3, architecture.modules[0][0][0]), (1, 3))

def toy_space():
    return HERE / "toy.yaml"

def wrong_space():
    return 7
"""
SPACE = """
name: toy
stages:
- name: only
  depth: [1, 2]
  features:
    width: [8, 16]
"""
ENTRIES = """
[nasbuild.evaluators]
width-sum = toy_plugin:width_sum
gone = toy_plugin:gone
absent = no_such_module:load

[nasbuild.networks]
toy-linear = toy_plugin:networks

[nasbuild.spaces]
toy = toy_plugin:toy_space
wrong = toy_plugin:wrong_space
"""


def installed(folder: Path, name: str, entries: str) -> None:
    """A package as an installer leaves it."""
    info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(entries)


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    installed(tmp_path, "toy-plugin", ENTRIES)
    (tmp_path / "toy_plugin.py").write_text(MODULE)
    (tmp_path / "toy.yaml").write_text(SPACE)
    monkeypatch.syspath_prepend(tmp_path)
    _entries.cache_clear()
    yield tmp_path
    sys.modules.pop("toy_plugin", None)
    _entries.cache_clear()


def test_the_command_line_evaluates_a_space_by_an_evaluator_of_another_package(plugin, tmp_path):
    archs = tmp_path / "archs.jsonl"
    wanted = [[8], [16], [8, 16]]
    archs.write_text(
        "".join(json.dumps({"arch": {"stages": [[{"width": w} for w in arch]]}}) + "\n" for arch in wanted)
    )
    call = [sys.executable, "-m", "nasbuild", "evaluate", "--space", "toy", "--evaluator", "width-sum:10"]
    out = tmp_path / "out.jsonl"
    more = ["--archs", archs, "--store", tmp_path / "store.db", "--out", out]
    path = os.pathsep.join([str(plugin), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [*call, *more], capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": path}
    )
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    found = {
        tuple(layer["width"] for layer in row["arch"]["stages"][0]): row["metrics"]["width"] for row in rows
    }
    assert found == {tuple(w): 10.0 * sum(w) for w in wanted}


@pytest.mark.usefixtures("plugin")
def test_networks_of_another_package_have_costs():
    space = load_space("toy")
    assert {"toy-linear", "digits"} <= set(network_names())
    assert load_networks("toy-linear", space).shape == (1, 3)
    evaluator = load_evaluator("costs:toy-linear", space)
    (outcome,) = evaluator([Architecture((((16,),),))])
    assert outcome == {"macs": 3 * 16, "params": 3 * 16 + 16}


def test_an_edit_of_the_package_changes_the_code(plugin):
    space = load_space("toy")
    before = load_evaluator("width-sum:1", space).code
    assert before == code_of("width-sum:1")
    with (plugin / "toy_plugin.py").open("a") as stream:
        stream.write("# edited\n")
    assert code_of("width-sum:1") != before
    assert load_evaluator("digits", load_space("digits-macro")).code is None


@pytest.mark.usefixtures("plugin")
def test_failed_imports_name_the_package():
    space = load_space("toy")
    for name in ("gone", "absent"):
        with pytest.raises(NasbuildError, match="of package toy-plugin can't be imported"):
            load_evaluator(name, space)
    with pytest.raises(SpaceError, match="is registered as a int"):
        load_space("wrong")
    with pytest.raises(NasbuildError, match=r"there is no evaluator 'none'.*width-sum"):
        load_evaluator("none", space)


def test_a_name_registered_by_two_packages_is_refused(plugin):
    installed(plugin, "other-plugin", "[nasbuild.evaluators]\nwidth-sum = other:load\n")
    _entries.cache_clear()
    assert registered("evaluators").count("width-sum") == 1
    with pytest.raises(
        NasbuildError, match=r"several packages register 'width-sum': other-plugin .* toy-plugin"
    ):
        load_registered("evaluators", "width-sum", where="here")
