"""The JSON output of every command has a documented schema."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import get_args

import pytest
import typer
from pydantic import ValidationError

from nasbuild.cli import app
from nasbuild.cli._json_schema import CommandOutput, json_schema, validated

DOCS = Path(__file__).parent.parent.parent / "docs"
COMMANDS = typer.main.get_command(app).commands


def documented() -> dict[str, list[str]]:
    """Returns the fields of each command's output, by its model."""
    return {
        get_args(model.model_fields["command"].annotation)[0]: list(model.model_fields)[1:]
        for model in get_args(get_args(CommandOutput)[0])
    }


def test_every_command_prints_json_and_has_its_schema():
    assert set(documented()) == set(COMMANDS)
    for name, found in COMMANDS.items():
        for command in getattr(found, "commands", {name: found}).values():
            options = {text for parameter in command.params for text in parameter.opts}
            assert "--json" in options, name


def test_the_documented_schema_equals_that_of_the_code():
    assert json.loads((DOCS / "json.schema.json").read_text()) == json_schema()
    page = (DOCS / "json.md").read_text()
    for name, fields in documented().items():
        (line,) = re.findall(rf"^\| `{name}` \|(.*)\|$", page, re.MULTILINE)
        assert re.findall(r"`(\w+)`", line.split("|")[0]) == fields


@pytest.mark.parametrize(
    "wrong",
    [
        {"command": "modules", "out": "x"},
        {"command": "modules", "out": "x", "rows": "many"},
        {"command": "modules", "out": "x", "rows": 1, "more": 1},
        {"command": "nothing", "out": "x", "rows": 1},
        {"out": "x", "rows": 1},
    ],
)
def test_other_objects_are_not_valid_output(wrong):
    validated({"command": "modules", "out": "x", "rows": 1})
    with pytest.raises(ValidationError):
        validated(wrong)


def test_check_has_the_conditions_and_ranges_of_a_space(nasbuild, tmp_path):
    space = tmp_path / "space.yaml"
    space.write_text(
        "{name: more, globals: {lr: {range: [1.0e-4, 0.1], scale: log}, batch: {range: [16, 64], step: 16}}, "
        "stages: [{depth: 1, features: {op: [conv, attn], heads: {choices: [2, 4], when: {op: attn}}}}]}"
    )
    body, whole = nasbuild("check", "--space", space, "--json").json["stages"]
    assert body["conditions"] == {"heads": {"op": ["attn"]}}
    assert body["ranges"] == whole["conditions"] == {}
    assert whole["ranges"] == {
        "lr": {"low": 0.0001, "high": 0.1, "scale": "log", "step": None},
        "batch": {"low": 16, "high": 64, "scale": "linear", "step": 16},
    }
