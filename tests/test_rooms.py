"""Rooms import only from rooms before them."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
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
ROOMS: dict[str, list[Path]] = {}
"""The files of each room; a module beside the rooms is one of its own."""
for _file in sorted(SOURCE.rglob("*.py")):
    ROOMS.setdefault(_file.relative_to(SOURCE).parts[0].removesuffix(".py"), []).append(_file)


@cache
def modules_imported(path: Path) -> list[list[str]]:
    """Names of the package's modules that a file imports from, each in its parts."""
    return [
        node.module.split(".")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("nasbuild.")
    ]


def allowed(room: str) -> set[str]:
    """The rooms before one."""
    if room == "evaluate":
        # It runs networks and feeds tables, so it stands beside the chain.
        return {"space", "table"}
    if room == "zoo":
        # It registers with `evaluate` by entry points, as a stranger's package does.
        return {"space", "table", "evaluate"}
    if room in ORDER:
        # What evaluates and what searches meet only where a user puts them together.
        beside = {"evaluate"} if room in ("optimize", "api", "cli") else set[str]()
        # A language model is shrunk by one call, which knows it from its file to the files that are written.
        beside |= {"zoo"} if room in ("api", "cli") else set()
        return {*ORDER[: ORDER.index(room)], *beside}
    return set()


@pytest.mark.parametrize("room", [room for room in ROOMS if room not in ("__init__", "__main__")])
def test_a_room_imports_only_from_rooms_before_it(room: str):
    imported = {(path.name, parts[1]) for path in ROOMS[room] for parts in modules_imported(path)}
    before = FREE | {room} | allowed(room)
    assert not {(file, other) for file, other in imported if other not in before}


@pytest.mark.parametrize("room", ROOMS)
def test_no_room_imports_private_modules_of_another(room: str):
    imported = {(path.name, *parts[1:]) for path in ROOMS[room] for parts in modules_imported(path)}
    assert not {one for one in imported if one[1] != room and len(one) > 2 and one[2].startswith("_")}


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
