"""Examples in ``--help``: calls that the command line would take, on lines that no terminal breaks."""

from __future__ import annotations

import shlex

import pytest
import typer
from typer.core import TyperGroup, TyperOption
from typer.testing import CliRunner

from nasbuild.cli import app
from nasbuild.cli._examples import examples

GROUP = typer.main.get_command(app)
assert isinstance(GROUP, TyperGroup)
COMMANDS = {
    f"{name} {inner}" if inner else name: command
    for name, found in GROUP.commands.items()
    for inner, command in (found.commands.items() if isinstance(found, TyperGroup) else [("", found)])
}


def calls(name: str) -> list[list[str]]:
    text = examples(name).split("\n", 2)[2].replace("\\\n", " ")
    return [shlex.split(line) for line in text.splitlines()]


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_are_complete_calls(name):
    command = COMMANDS[name]
    for words in calls(name):
        begin = ["nasbuild", *name.split()]
        assert words[: len(begin)] == begin
        arguments = words[len(begin) :]
        # Raises where an option does not exist, has no value, or a required one is missing.
        context = command.make_context(name, list(arguments))
        given = [text for text in arguments if text.startswith("--")]
        known = {text for option in command.params if isinstance(option, TyperOption) for text in option.opts}
        assert {text.split("=")[0] for text in given} <= known
        assert context.params


@pytest.mark.parametrize("width", [80, 110])
@pytest.mark.parametrize("name", COMMANDS)
def test_help_breaks_no_example(name, width):
    found = CliRunner().invoke(app, [*name.split(), "--help"], env={"COLUMNS": str(width)}).stdout
    lines = examples(name).splitlines()[1:]
    assert all(len(line) <= 78 for line in lines)
    assert found.endswith("\n".join(f"  {line}" for line in lines) + "\n")
