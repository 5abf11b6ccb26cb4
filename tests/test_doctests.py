"""Every exported function has an example in its docstring, and the example runs."""

from __future__ import annotations

import doctest
import importlib
import inspect

import pytest

ROOMS = ("space", "ir", "table")
NEEDS = {"from_torch": "torch", "onnx_inputs": "onnx", "read_onnx": "onnx"}
"""Functions whose example needs an optional package."""


def exported(room: str) -> list[tuple[str, object]]:
    """Names and objects of the functions and classes that a room exports."""
    module = importlib.import_module(f"nasbuild.{room}")
    members = ((name, getattr(module, name)) for name in module.__all__)
    return [
        (name, member) for name, member in members if inspect.isroutine(member) or inspect.isclass(member)
    ]


def examples(name: str, member: object) -> list[doctest.DocTest]:
    """The examples of an object, its methods included."""
    # Examples import what they use, as a reader would.
    found = doctest.DocTestFinder().find(member, name, module=False, globs={})
    return [example for example in found if example.examples]


MEMBERS = [
    pytest.param(name, member, id=f"{room}.{name}") for room in ROOMS for name, member in exported(room)
]


@pytest.mark.parametrize(("name", "member"), MEMBERS)
def test_exported_names_are_documented_with_examples_that_run(name: str, member: object):
    assert inspect.getdoc(member), f"{name} has no docstring"
    found = examples(name, member)
    assert found or inspect.isclass(member), f"{name} has no example"
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    output: list[str] = []
    for example in found:
        runner.run(example, out=output.append)
    assert not runner.failures, "".join(output)
