"""Fixtures of the loop tests."""

from __future__ import annotations

import pytest
from optimize_samples import NAME, space

from nasbuild.evaluate import Spec, Store
from nasbuild.optimize import SearchFolder, optimize
from nasbuild.predictor import recipe
from nasbuild.search import parse_goal


@pytest.fixture
def loop(tmp_path):
    """Runs a loop in a folder of the test, with a store that several may share."""
    stores = []

    def run_loop(
        settings,
        *,
        function="value",
        targets=("loss",),
        bounds=(),
        out="out",
        store="store.db",
        of=None,
        **more,
    ):
        # Ridge regression fits in no time; the default is tested where it matters.
        kind = recipe(more.pop("recipe", "ridge"))
        spec = Spec(NAME + function, of or space(), settings.seed)
        goal = parse_goal(spec.space, targets, bounds, spec.load().metrics, sweeps=True)
        stores.append(Store(tmp_path / store, spec.space, spec.name, seed=spec.seed))
        return optimize(tmp_path / out, spec, goal, settings, stores[-1], recipe=kind, **more)

    yield run_loop
    for store in stores:
        store.close()


@pytest.fixture
def search_in(tmp_path, monkeypatch):
    """Searches in a folder, with its own store; what was evaluated is noted in a file of the test."""
    monkeypatch.setenv("NOTES", str(tmp_path / "notes"))

    def run_search(
        settings, folder, *, function="hashed", of=None, targets=("loss", "cost"), bounds=(), **more
    ):
        spec = Spec(NAME + function, of or space((1, 2, 3), 3), settings.seed, more.pop("limit", None))
        goal = parse_goal(spec.space, targets, bounds, spec.load().metrics)
        place = SearchFolder(folder, spec.space, spec, goal, settings)
        store = Store(more.pop("store", place.store), spec.space, spec.name, seed=spec.seed)
        try:
            return place.run(store, **more)[0]
        finally:
            store.close()

    return run_search
