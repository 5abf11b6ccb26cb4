"""Fixtures for all tests."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
import typer.main
from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers

from cli_samples import Done
from nasbuild.cli import main
from strategies import EXPLORE

# A slow processor, or a busy one, must not fail a test; the same examples are drawn everywhere. New and more ones are
# drawn with NASBUILD_EXPLORE=1, as often as one likes: what fails then becomes an `@example`.
settings.register_profile(
    "any processor",
    deadline=None,
    derandomize=not EXPLORE,
    max_examples=100 if EXPLORE else 50,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("any processor")
if not EXPLORE:
    # Otherwise constants of all modules that happen to be imported are drawn too, so examples depend on earlier tests.
    providers._get_local_constants = lambda: providers._local_constants

REPOSITORY = Path(__file__).parent.parent


def pytest_collection_finish() -> None:
    """Keeps the garbage collector from what stays to the end, imported modules and tests: a tenth of all time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


@pytest.fixture(scope="session")
def data_dir() -> Callable[[str], Path]:
    """Folder of a real labelled table, from ``NASBUILD_DATA`` or ``../shared/data``; skips where absent."""

    def folder(name: str) -> Path:
        base = Path(os.environ.get("NASBUILD_DATA", REPOSITORY.parent / "shared" / "data"))
        if not (base / name / "space.yaml").exists():
            pytest.skip(f"the table {name} is not at hand: set NASBUILD_DATA to the folder that holds it")
        return base / name

    return folder


@pytest.fixture(autouse=True, scope="session")
def _commands_once() -> Iterator[None]:
    """Reads the signatures of all commands once, not at each call: that takes longer than most commands."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typer.main, "get_command", cache(typer.main.get_command))
        yield


@pytest.fixture(scope="module")
def few_rounds() -> Iterator[None]:
    """LightGBM boosts for at most 100 rounds, not 600: for modules that test what is done with its trees."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nasbuild.score.baselines._boosted._ROUNDS", 100)
        yield


@pytest.fixture
def nasbuild(capsys, monkeypatch):
    """Runs the command line in this process, which is fast."""

    def call(*arguments: object) -> Done:
        monkeypatch.setattr(sys, "argv", ["nasbuild", *map(str, arguments)])
        try:
            main()
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        captured = capsys.readouterr()
        return Done(code, captured.out, captured.err)

    return call
