"""Fits for all tests of the report, each made once, and a browser."""

from __future__ import annotations

import shutil

import pytest
from hostile import COST, EQUATION, networks, sixty_stages, table

from nasbuild.predictor import OperatorRecipe, recipe
from nasbuild.score import Fit, fit
from nasbuild.score.graphs import GraphFit, fit_graphs

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def fitted() -> Fit:
    """Recipe paper with two targets, one to minimise; the second stage is searched."""
    tiny = recipe("paper", epochs=3, folds=2, repeats=1, width=8, learning_rate=1e-2)
    return fit(table(), [COST, EQUATION], recipe=tiny, max_modules=200, baselines=False)


@pytest.fixture(scope="session")
def additive() -> Fit:
    """The default recipe, with baselines; few rounds of LightGBM, as their number changes no page."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nasbuild.score.baselines._boosted._ROUNDS", 100)
        return fit(table(), [COST], max_modules=200)


@pytest.fixture(scope="session")
def baseline() -> Fit:
    """A recipe without hops and intervals."""
    return fit(table(), [EQUATION], recipe=recipe("marginal"), max_modules=200, baselines=False)


@pytest.fixture(scope="session")
def sixty() -> Fit:
    """60 stages of four modules each; two targets, so that there is a trade-off."""
    return fit(sixty_stages(), ["loss", "size"], recipe=recipe("ridge"), baselines=False)


@pytest.fixture(scope="session")
def graph_fit() -> GraphFit:
    """A fit on operator graphs with two targets, one to minimise; names contain markup."""
    small = OperatorRecipe(epochs=8, feature_epochs=8, width=8, hops=2, few=0, members=2, learning_rate=1e-2)
    return fit_graphs(networks(), ["acc", "cost"], recipe=small)


@pytest.fixture(scope="session")
def browser():
    """Chromium; skips where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        pytest.skip("there is no chromium on this machine")
    with playwright.sync_playwright() as running:
        chromium = running.chromium.launch(executable_path=path, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser):
    """Opens a page from a file; any log message or network request fails the test."""
    pages, complaints = [], []

    def visiting(place, width: int, **more):
        # Without motion a page stands still when it has scrolled: what is clicked next is where it was found.
        page = browser.new_page(viewport={"width": width, "height": 900}, reduced_motion="reduce", **more)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: (complaints.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda r: None if r.url == place.as_uri() else complaints.append(r.url))
        page.goto(place.as_uri())
        pages.append(page)
        return page

    yield visiting
    for page in pages:
        page.close()
    assert complaints == []
