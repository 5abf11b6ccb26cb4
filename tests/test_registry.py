"""Plug-ins: another package adds evaluators, networks and a space by entry points.

The package is the example of ``docs/plugins.md``, read from that page.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from nasbuild._registry import _entries, load_registered, registered
from nasbuild.errors import NasbuildError, SpaceError
from nasbuild.evaluate import load_evaluator, load_networks, network_names
from nasbuild.evaluate._source_hash import source_hash
from nasbuild.space import Architecture, load_space

PAGE = Path(__file__).parent.parent / "docs" / "plugins.md"
# A file of the example: its name in bold, a sentence, and its content in a fenced block.
FILE = re.compile(r"^\*\*`([\w./]+)`\*\*.*?^```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def install(folder: Path, name: str, entry_points: dict[str, dict[str, str]]) -> None:
    """Write a package's metadata as an installer does."""
    info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    sections = (
        "\n".join([f"[{group}]", *(f"{key} = {value}" for key, value in entries.items())])
        for group, entries in entry_points.items()
    )
    (info / "entry_points.txt").write_text("\n\n".join(sections) + "\n")


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """The folder in which the example package is installed."""
    files = dict(FILE.findall(PAGE.read_text()))
    project = tomllib.loads(files.pop("pyproject.toml"))["project"]
    install(tmp_path, project["name"], project["entry-points"])
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    monkeypatch.syspath_prepend(tmp_path)
    _entries.cache_clear()
    yield tmp_path
    sys.modules.pop("toy_plugin", None)
    _entries.cache_clear()


def test_the_command_line_uses_space_and_evaluator_of_another_package(plugin, tmp_path):
    archs, out = tmp_path / "archs.jsonl", tmp_path / "out.jsonl"
    wanted = [[8], [16], [8, 16]]
    archs.write_text(
        "".join(json.dumps({"arch": {"stages": [[{"width": w} for w in arch]]}}) + "\n" for arch in wanted)
    )
    call = [sys.executable, "-m", "nasbuild", "evaluate", "--space", "toy", "--evaluator", "width-sum:10"]
    call += ["--archs", archs, "--store", tmp_path / "store.db", "--out", out]
    path = os.pathsep.join([str(plugin), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        call, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": path}
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
    assert {"toy-mlp", "digits"} <= set(network_names())
    assert load_networks("toy-mlp", space).shape == (1, 3)
    (metrics,) = load_evaluator("costs:toy-mlp", space)([Architecture((((16,), (8,)),))])
    assert metrics == {"macs": 3 * 16 + 16 * 8, "params": (3 + 1) * 16 + (16 + 1) * 8}


def test_an_edit_of_the_package_changes_the_checksum_of_its_code(plugin):
    space = load_space("toy")
    before = load_evaluator("width-sum:1", space).code
    assert before == source_hash("width-sum:1")
    with (plugin / "toy_plugin" / "__init__.py").open("a") as stream:
        stream.write("# edited\n")
    assert source_hash("width-sum:1") != before
    assert load_evaluator("digits", load_space("digits-macro")).code is None


def test_an_object_that_cannot_be_imported_is_an_error_with_its_package(plugin):
    broken = {"gone": "toy_plugin:gone", "absent": "no_such_module:load"}
    install(plugin, "broken-plugin", {"nasbuild.evaluators": broken})
    _entries.cache_clear()
    for name in broken:
        with pytest.raises(NasbuildError, match="of package broken-plugin can't be imported"):
            load_evaluator(name, load_space("toy"))


def test_a_registered_space_must_be_a_space_or_a_path(plugin):
    install(plugin, "wrong-plugin", {"nasbuild.spaces": {"wrong": "sys:getrecursionlimit"}})
    _entries.cache_clear()
    with pytest.raises(
        SpaceError, match=r"is registered as a int; allowed: a Space or the path of its space\.yaml"
    ):
        load_space("wrong")


@pytest.mark.usefixtures("plugin")
def test_an_unknown_name_is_an_error_that_lists_the_registered_ones():
    with pytest.raises(NasbuildError, match=r"there is no evaluator 'none'.*width-sum"):
        load_evaluator("none", load_space("toy"))


def test_a_name_that_two_packages_register_is_an_error(plugin):
    install(plugin, "other-plugin", {"nasbuild.evaluators": {"width-sum": "other:load"}})
    _entries.cache_clear()
    assert registered("evaluators").count("width-sum") == 1
    with pytest.raises(
        NasbuildError, match=r"several packages register 'width-sum': other-plugin .* toy-plugin"
    ):
        load_registered("evaluators", "width-sum", where="here")
