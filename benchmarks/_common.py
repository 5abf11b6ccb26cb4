"""What the benchmarks share: where the tables are, and results that are resumed and written whole."""

from __future__ import annotations

import argparse
import json
import platform
from pathlib import Path
from typing import Any

from nasbuild._io import write_text
from nasbuild.score import versions
from nasbuild.space import load_space
from nasbuild.table import Table, read_table

HERE = Path(__file__).parent
RESULTS = HERE / "results"


def arguments(description: str, name: str) -> argparse.ArgumentParser:
    """A parser with the options that every benchmark has."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--data", type=Path, default=HERE.parent.parent / "shared" / "data", help="folder of the tables")
    parser.add_argument("--out", type=Path, default=RESULTS / f"{name}.json", help="result, resumed where it exists")
    parser.add_argument("--workers", type=int, default=2)
    return parser


def read(data: Path, name: str) -> Table:
    """A table of the data folder."""
    return read_table(data / name / "archs.jsonl.gz", load_space(data / name / "space.yaml"))


def resume(path: Path) -> dict[str, Any]:
    """The result so far."""
    return json.loads(path.read_text()) if path.exists() else {"versions": versions(), "machine": platform.machine()}


def save(path: Path, result: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(result, indent=1) + "\n")


def markdown(header: list[str], rows: list[list[str]]) -> str:
    """A table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
