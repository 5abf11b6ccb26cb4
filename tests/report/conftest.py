"""Runs for all tests of the report, each fitted once."""

from __future__ import annotations

import pytest
from hostile import COST, EQUATION, table

from nasbuild.predictor import recipe
from nasbuild.score import Run, learn


@pytest.fixture(scope="session")
def run() -> Run:
    """Two targets, one to be minimised; the second stage is searched."""
    tiny = recipe("paper", epochs=3, folds=2, repeats=1, width=8, learning_rate=1e-2)
    return learn(table(), [COST, EQUATION], recipe=tiny, max_modules=200, rivals=False)


@pytest.fixture(scope="session")
def additive() -> Run:
    """The default recipe, with other methods beside it."""
    return learn(table(), [COST], max_modules=200)


@pytest.fixture(scope="session")
def baseline() -> Run:
    """A method without hops and intervals."""
    return learn(table(), [EQUATION], recipe=recipe("marginal"), max_modules=200, rivals=False)
