"""The page in a real browser: complete and without overflow on a screen, a phone and paper."""

from __future__ import annotations

import pytest
from page_checks import texts_outside

from nasbuild.report import write_report

WIDTHS = [1280, 760, 400]


@pytest.fixture(scope="module", params=["fitted", "additive"])
def reported_fit(request):
    """A fit of recipe paper, and one of the default recipe."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def place(reported_fit, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(reported_fit, path, top=4)
    return path


@pytest.fixture
def opened(visit, place):
    """Opens the page; whatever it logs, or asks of the network, fails the test."""
    return lambda width, **more: visit(place, width, **more)


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_overflows(opened, width):
    page = opened(width)
    page.evaluate("document.querySelectorAll('details').forEach((d) => (d.open = true))")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    wide = page.evaluate(
        """() => [...document.querySelectorAll('main svg, main p, main td, main figure, nav a')]
        .filter((e) => !e.closest('.scroll') && e.getBoundingClientRect().right > innerWidth + 1)
        .map((e) => e.outerHTML.slice(0, 80))"""
    )
    assert wide == []


@pytest.mark.parametrize("width", WIDTHS)
def test_every_card_is_visible(opened, reported_fit, width):
    page = opened(width)
    cards = page.query_selector_all("[data-card]")
    several = len(reported_fit.targets) > 1
    assert len(cards) == several + 1 + 6 * len(reported_fit.targets) + 3
    for card in cards:
        box = card.bounding_box()
        assert card.is_visible()
        assert box["height"] > 60
        assert box["width"] > width / 2
    for link in page.query_selector_all("nav a"):
        assert page.query_selector(link.get_attribute("href")) is not None


def test_texts_in_pictures_are_readable_on_a_phone(opened):
    page = opened(400)
    sizes = page.evaluate(
        "[...document.querySelectorAll('svg text')].map((t) => t.getBoundingClientRect().height)"
    )
    assert min(sizes) >= 8


def test_texts_in_pictures_stay_inside(opened):
    page = opened(1280)
    assert texts_outside(page) == []


def test_print_has_all_numbers_and_no_navigation(opened):
    page = opened(800)
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert not page.query_selector("nav").is_visible()
    assert all(d.get_attribute("open") is not None for d in page.query_selector_all("details"))
    assert page.evaluate("document.documentElement.scrollWidth") <= 800
    assert page.pdf(format="A4")[:5] == b"%PDF-"


def test_dark_colour_scheme(opened):
    page = opened(1280, color_scheme="dark")
    light = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    assert max(light) < 60
    colour = page.evaluate(
        "getComputedStyle(document.querySelector('svg.plot text')).fill.match(/\\d+/g).map(Number)"
    )
    assert min(colour) > 120
