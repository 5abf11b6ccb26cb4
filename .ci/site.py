"""What the documentation site takes from outside ``docs``: the README, the changelog, figures, and each command's help."""

from __future__ import annotations

import os
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGES = {"README.md": "index.md", "CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md"}
FIGURES = "benchmarks/results"


def on_files(files, config):
    """Add pages and figures that lie elsewhere, and pages that are made from the program."""
    from mkdocs.structure.files import File

    for source, name in PAGES.items():
        files.append(File.generated(config, name, content=_moved((ROOT / source).read_text(), "")))
    for figure in sorted((ROOT / FIGURES).glob("*.svg")):
        files.append(File.generated(config, f"figures/{figure.name}", content=figure.read_bytes()))
    files.append(File.generated(config, "cli.md", content=_command_line()))
    return files


def on_page_markdown(markdown, **_):
    """Links from a page of ``docs`` to what has moved."""
    return _moved(markdown, "../")


def _moved(text: str, up: str) -> str:
    """Replace links to files outside ``docs``; what is not on the site becomes plain text."""
    text = text.replace("](docs/", "](")
    text = re.sub(rf"\]\({re.escape(up)}{FIGURES}/([\w.-]+\.svg)\)", r"](figures/\1)", text)
    for source, name in PAGES.items():
        text = text.replace(f"]({up}{source}", f"]({name}")
    return re.sub(r"\[([^\]]+)\]\((?:\.\./)*(?:LICENSE|SECURITY\.md|CITATION\.cff)\)", r"\1", text)


def _command_line() -> str:
    """A page with the help of every command, as a terminal of 80 columns shows it."""
    os.environ["COLUMNS"] = "80"
    from typer.testing import CliRunner

    from nasbuild.cli import app

    def shown(*arguments: str) -> str:
        return "```text\n" + CliRunner().invoke(app, [*arguments, "--help"]).stdout.strip() + "\n```\n"

    names = [c.name or c.callback.__name__ for c in app.registered_commands]
    parts = [f"## {name}\n\n{shown(name)}" for name in names]
    return "# The command line\n\n" + "\n".join([shown(), *parts])
