"""Everything that a room exports has an example in its docstring, and the examples run.

An example starts from the names that the example in its room's own docstring defines, such as a small fit, and
imports the rest, as a reader would.
"""

from __future__ import annotations

import contextlib
import doctest
import importlib
import inspect
import tempfile
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import nasbuild

ROOMS = (
    "errors",
    "space",
    "ir",
    "table",
    "objective",
    "predictor",
    "score",
    "score.baselines",
    "score.graphs",
    "builder",
    "search",
    "evaluate",
    "optimize",
    "bench",
    "report",
    "report.networks",
    "api",
    "zoo.diffusion",
    "zoo.digits",
    "zoo.lm",
    "zoo.ofa",
    "zoo.panoptic",
)
SOURCE = Path(nasbuild.__file__).parent
NEEDS = {
    "CocoPanoptic": "PIL",
    "CocoPanoptic.picture_path": "PIL",
    "Fit.to_pandas": "pandas",
    "FashionScenes": "PIL",
    "FolderImages": "PIL",
    "augment_scene": "PIL",
    "from_torch": "torch",
    "onnx_inputs": "onnx",
    "read_onnx": "onnx",
    "resize_scene": "PIL",
    "to_onnx": "onnx",
    "train_arch": "sklearn",
    "write_coco": "PIL",
    "write_coco_predictions": "PIL",
}
"""Functions whose example needs an optional package."""
ONLY_IMPORTED = {"zoo.diffusion": "diffusers, which takes seconds to import"}
"""Rooms whose other names need what is said, so that only names that come with the room are checked."""
WITHOUT_EXAMPLE = {
    "bench.bench_scores": "needs the tables of the benchmark, and minutes",
    "bench.fit_external_baseline": "needs the extra `bench`, and seconds",
    "evaluate.Pool.run": "starts processes, which takes seconds; that of InProcess is the same",
    "evaluate.Ray.run": "needs a Ray cluster",
    "optimize.live_demo": "trains networks for minutes",
    "zoo.lm.LanguageTask.change_of": "needs a model with its tokenizer, and text",
    "zoo.lm.LanguageTask.measure": "needs a model with its tokenizer, and text",
    "report.networks.graph_features_data": "needs a fit of networks, which a notebook shows by it",
    "report.networks.graph_sections": "needs a fit of networks; `report_html` calls it",
}
"""Exported names whose use no short example can show, and why."""


def exported(room: str) -> Iterator[tuple[str, Any]]:
    """Names and objects of the functions and classes that a room exports; type aliases are neither."""
    module = importlib.import_module(f"nasbuild.{room}")
    defined = [n for n, m in vars(module).items() if getattr(m, "__module__", None) == module.__name__]
    # A module without `__all__` exports what it defines.
    defined = [name for name in defined if not name.startswith("_")]
    names = getattr(module, "__all__", defined)
    for name in sorted(set(names) & set(vars(module)) if room in ONLY_IMPORTED else names):
        member = getattr(module, name)
        if inspect.isroutine(inspect.unwrap(member)) or inspect.isclass(member):
            yield name, member


@cache
def start_of(room: str) -> dict[str, Any]:
    """The names that the example in a room's docstring defines."""
    module = importlib.import_module(f"nasbuild.{room}")
    test = doctest.DocTestParser().get_doctest(module.__doc__ or "", {}, f"nasbuild.{room}", None, None)
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        run(test, clear=False)
    return test.globs


def examples(name: str, member: object, names: dict[str, Any]) -> list[doctest.DocTest]:
    """The examples of an object, its methods included."""
    found = doctest.DocTestFinder().find(member, name, module=False, globs=names)
    return [example for example in found if example.examples]


def run(example: doctest.DocTest, *, clear: bool = True) -> None:
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    output: list[str] = []
    runner.run(example, out=output.append, clear_globs=clear)
    assert not runner.failures, "".join(output)


def methods_with_arguments(kind: type) -> Iterator[tuple[str, Any]]:
    """The public methods that a class defines itself and that take more than ``self`` or ``cls``."""
    for name, method in vars(kind).items():
        function = method.__func__ if isinstance(method, classmethod | staticmethod) else method
        if name.startswith("_") or not inspect.isfunction(function):
            continue
        if len(inspect.signature(function).parameters) > (not isinstance(method, staticmethod)):
            yield name, getattr(kind, name)


def undocumented(name: str, member: Any, found: list[doctest.DocTest]) -> list[str]:
    """What has no docstring or no example: the name itself, or methods as ``Class.method``.

    The example of a class may show its methods. A method may inherit docstring and example from a base class.
    """
    shown = "".join(e.source for test in found for e in test.examples)
    missing = [] if inspect.getdoc(member) and shown else [name]
    if not inspect.isclass(member) or getattr(member, "_is_protocol", False):
        return missing
    for method, function in methods_with_arguments(member):
        texts = [getattr(getattr(kind, method, None), "__doc__", None) or "" for kind in member.__mro__]
        shown_itself = f".{method}(" in shown or any(">>> " in text for text in texts)
        if not inspect.getdoc(function) or not shown_itself:
            missing.append(f"{name}.{method}")
    return missing


# What a package and its room both export is tested once, with the names of the room.
MEMBERS = [
    pytest.param(*first, id=f"{first[0]}.{first[1]}")
    for first in {
        id(member): (room, name, member) for room in reversed(ROOMS) for name, member in exported(room)
    }.values()
][::-1]


def test_what_lacks_an_example_is_named():
    class Kind:
        """A class whose example shows one method.

        >>> Kind().shown(1)
        """

        def shown(self, number: int):
            """Shown above."""

        def silent(self, number: int):
            """Shown nowhere."""

        def bare(self):
            """Needs no example, as it takes no argument."""

    assert undocumented("Kind", Kind, examples("Kind", Kind, {})) == ["Kind.silent"]
    assert undocumented("silent", Kind.silent, []) == ["silent"]


@pytest.mark.parametrize(("room", "name", "member"), MEMBERS)
def test_what_a_room_exports_has_examples_that_run(room: str, name: str, member: Any, tmp_path: Path):
    found = examples(name, member, start_of(room))
    missing = {f"{room}.{one}" for one in undocumented(name, member, found)}
    own = f"{room}.{name}"
    assert missing == {one for one in WITHOUT_EXAMPLE if one == own or one.startswith(f"{own}.")}
    for number, example in enumerate(found):
        if example.name in NEEDS and find_spec(NEEDS[example.name]) is None:
            continue
        # Examples write files in the current folder.
        (folder := tmp_path / str(number)).mkdir()
        with contextlib.chdir(folder):
            run(example)


def test_every_name_of_the_package_is_exported_by_a_room():
    checked = {name for room in ROOMS for name, _ in exported(room)}
    # A room of modules, each of which needs an optional package.
    assert set(dir(nasbuild)) - checked == {"__version__", "integrations"}


def private_examples() -> Iterator[Any]:
    """Examples of functions that no room exports, module by module."""
    objects = [member for room in ROOMS for _, member in exported(room)]
    public = tuple(f"{inspect.unwrap(o).__module__}.{inspect.unwrap(o).__qualname__}" for o in objects)
    for path in sorted(SOURCE.rglob("*.py")):
        name = ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts).removesuffix(".__init__")
        if ">>> " not in path.read_text(encoding="utf-8") or name.removeprefix("nasbuild.") in ROOMS:
            continue
        for test in doctest.DocTestFinder().find(importlib.import_module(name), name):
            if test.examples and not any(
                test.name == one or test.name.startswith(f"{one}.") for one in public
            ):
                yield pytest.param(test, id=test.name)


@pytest.mark.parametrize("example", list(private_examples()))
def test_the_examples_of_private_functions_run(example: doctest.DocTest):
    run(example)
