"""The examples in docstrings of the rooms ``predictor`` and ``score`` give what they show."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import nasbuild.predictor
import nasbuild.score

MODULES = [
    module.name
    for room in (nasbuild.predictor, nasbuild.score)
    for module in pkgutil.walk_packages(room.__path__, f"{room.__name__}.")
    if not module.ispkg
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_a_module(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0
