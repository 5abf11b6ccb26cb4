"""Rooms import only from rooms before them."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "nasbuild"
ORDER = [
    "space",
    "ir",
    "table",
    "objective",
    "predictor",
    "score",
    "builder",
    "search",
    "optimize",
    "bench",
    "report",
    "api",
    "integrations",
    "cli",
]
FREE = {
    "_arrays",
    "_callable_room",
    "_atomic_write",
    "_file_formats",
    "_lazy_imports",
    "_macs",
    "_optional_imports",
    "_processes",
    "_records",
    "_registry",
    "_settings_file",
    "_source_files",
    "_text_input",
    "_user_functions",
    "_version",
    "_yaml",
    "errors",
}
FILES = sorted(SOURCE.rglob("*.py"))


def rooms_imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("nasbuild."):
            found.add((node.module or "").split(".")[1])
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_a_room_imports_only_from_rooms_before_it(path: Path):
    room = path.relative_to(SOURCE).parts[0]
    imported = rooms_imported(path) - FREE - {room}
    if room == "evaluate":
        # It runs networks and feeds tables, so it stands beside the chain.
        assert imported <= {"space", "table"}
    elif room == "zoo":
        # It registers with `evaluate` by entry points, as a stranger's package does.
        assert imported <= {"space", "table", "evaluate"}
    elif room in ORDER:
        # What evaluates and what searches meet only where a user puts them together.
        beside = {"evaluate"} if room in ("optimize", "api", "cli") else set[str]()
        assert imported <= {*ORDER[: ORDER.index(room)], *beside}, f"{room} imports {imported}"
    elif room not in ("__init__.py", "__main__.py"):
        assert not imported, f"{room} is used by every room and imports {imported}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_no_room_imports_private_modules_of_another(path: Path):
    room = path.relative_to(SOURCE).parts[0]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("nasbuild."):
            parts = (node.module or "").split(".")
            if parts[1] != room and len(parts) > 2:
                assert not parts[2].startswith("_"), f"{path.name} imports {node.module}"


def test_importing_the_package_is_light():
    code = (
        "import sys, nasbuild; print(sorted({'torch', 'polars', 'scipy', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_command_line_is_light():
    code = "import sys, nasbuild.cli; print(sorted({'torch', 'polars', 'scipy', 'numpy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_name_of_the_package_is_there():
    import nasbuild

    for name in nasbuild.__all__:
        assert getattr(nasbuild, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = nasbuild.nothing
