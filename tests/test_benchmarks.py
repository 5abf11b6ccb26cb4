"""Benchmarks import what is there: a name that a room renamed is found here, not hours into a measurement."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent
BENCHMARKS = sorted((REPOSITORY / "benchmarks").glob("*.py"))
SAMPLES = {path.stem: path for path in (REPOSITORY / "tests").rglob("*.py")}


@pytest.mark.parametrize("path", BENCHMARKS, ids=lambda path: path.name)
def test_imported_names_exist(path: Path):
    text = path.read_text()
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.ImportFrom) or node.module is None:
            continue
        names = [alias.name for alias in node.names]
        if node.module.split(".")[0] == "nasbuild":
            module = importlib.import_module(node.module)
            for name in names:
                assert hasattr(module, name) or importlib.util.find_spec(f"{node.module}.{name}"), name
        elif (source := SAMPLES.get(node.module)) is not None:
            defined = source.read_text()
            assert all(name in defined for name in names)
            # Its folder is on the path that the benchmark sets.
            folder = source.parent.relative_to(REPOSITORY).parts
            assert " / ".join(f'"{part}"' for part in folder) in text
