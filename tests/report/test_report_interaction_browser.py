"""What a reader does on the page: sort, filter, copy, point at things, read 60 stages on a phone."""

from __future__ import annotations

import json

import pytest

from nasbuild.predictor import recipe
from nasbuild.report import report_html, write_report
from nasbuild.report.data._glossary import TERMS
from nasbuild.score import fit
from nasbuild.space import parse_architecture
from nasbuild.table import load_builtin

MOST_BYTES = 700_000


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    table = load_builtin("digits-macro").select(range(0, 1728, 40))
    path = tmp_path_factory.mktemp("digits") / "report.html"
    write_report(fit(table, ["loss", "macs"], recipe=recipe("ridge"), baselines=False), path, top=6)
    return path


@pytest.fixture(scope="module")
def deep_place(sixty, tmp_path_factory):
    path = tmp_path_factory.mktemp("sixty") / "report.html"
    write_report(sixty, path, top=6)
    return path


def rows(page, card: str = "#tradeoff"):
    return [row for row in page.query_selector_all(f"{card} tbody tr") if row.is_visible()]


def column(page, name: str) -> list[float]:
    """Values of a column in the order of the visible rows."""
    return page.evaluate(
        """(name) => {
        const n = [...document.querySelectorAll('#tradeoff thead th')].findIndex((th) => th.dataset.name === name);
        return [...document.querySelectorAll('#tradeoff tbody tr')]
          .filter((row) => row.offsetParent).map((row) => Number(row.children[n].dataset.value));
        }""",
        name,
    )


@pytest.mark.parametrize("name", ["loss", "macs"])
def test_a_click_on_a_heading_sorts_best_first_then_worst_first(visit, place, name):
    page = visit(place, 1280)
    before = column(page, name)
    button = page.query_selector(f'#tradeoff th[data-name="{name}"] button')
    for order in (sorted(before), sorted(before, reverse=True), sorted(before)):
        button.click()
        assert column(page, name) == order
    assert page.query_selector(f'#tradeoff th[data-name="{name}"]').get_attribute("aria-sort") == "ascending"


def test_a_phone_sorts_by_a_list(visit, place):
    page = visit(place, 400)
    page.select_option(
        "#tradeoff .sorting select",
        label=page.query_selector('#tradeoff th[data-name="macs"]').text_content(),
    )
    assert column(page, "macs") == sorted(column(page, "macs"))


def test_filter_by_words_and_by_values(visit, place):
    page = visit(place, 1280)
    every, losses = len(rows(page)), column(page, "loss")
    search = page.query_selector("#tradeoff input[type=search]")
    search.fill("measured front")
    assert all("measured front" in row.text_content() for row in rows(page))
    limit = sorted(losses)[len(losses) // 2]
    for text, holds in ((f"loss < {limit}", lambda v: v < limit), (f"LOSS >= {limit}", lambda v: v >= limit)):
        search.fill(text)
        assert sorted(column(page, "loss")) == sorted(v for v in losses if holds(v))
    assert page.text_content("#tradeoff output") == f"{len(rows(page))} of {every}"
    hidden = page.query_selector_all("#tradeoff svg .out")
    assert len(hidden) == every - len(rows(page))
    search.fill("no such thing")
    assert rows(page) == []
    search.fill("")
    assert len(rows(page)) == every


def test_a_row_is_copied_as_a_line_of_a_table(visit, place):
    page = visit(place, 1280)
    page.evaluate("navigator.clipboard.writeText = async (text) => { window.copied = text; }")
    page.query_selector("#tradeoff tbody tr:nth-child(2) [data-copy]").click()
    page.wait_for_function("window.copied")
    line = json.loads(page.evaluate("window.copied"))
    parse_architecture(load_builtin("digits-macro").space, line["arch"])
    assert set(line["expected"]) >= {"loss", "macs"}
    # The button changes when the browser has written, which takes a moment.
    page.wait_for_selector("#tradeoff tbody tr:nth-child(2) [data-copy]:text-is('Copied')")


def test_pointing_links_dot_row_and_architecture(visit, place):
    page = visit(place, 1280)
    dots = page.query_selector_all("#tradeoff svg [data-row]")
    assert len(dots) == len(rows(page))
    dot = page.query_selector('#tradeoff svg [data-row="3"]')
    dot.dispatch_event("pointerover")
    lit = page.query_selector_all("#tradeoff .lit")
    assert {one.get_attribute("data-row") for one in lit} == {"3"}
    assert len(lit) == 2
    panel = page.query_selector("#tradeoff .look")
    assert "No. 4" in panel.text_content()
    assert panel.query_selector("svg") is not None
    page.query_selector('#tradeoff tr[data-row="5"]').focus()
    assert {one.get_attribute("data-row") for one in page.query_selector_all("#tradeoff .lit")} == {"5"}
    assert "No. 6" in panel.text_content()
    dot.dispatch_event("click")
    assert page.evaluate("document.activeElement.dataset.row") == "3"


def test_terms_are_explained_by_pointer_and_by_keyboard(visit, place):
    page = visit(place, 400)
    term = page.query_selector("#tradeoff .term")
    assert term.get_attribute("title") == TERMS["built"]
    assert page.evaluate("(t) => getComputedStyle(t, '::after').content", term) == "none"
    term.focus()
    assert page.evaluate("(t) => getComputedStyle(t, '::after').content", term).strip('"') == TERMS["built"]
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    assert {one.text_content() for one in page.query_selector_all("dfn")} == set(TERMS)


def test_the_page_is_complete_without_its_script(visit, place):
    page = visit(place, 1280, java_script_enabled=False)
    assert len(rows(page)) > 6
    assert not any(button.is_visible() for button in page.query_selector_all("[data-copy]"))


@pytest.mark.parametrize("width", [1280, 400])
def test_sixty_stages_fit_on_a_page(visit, deep_place, width):
    page = visit(deep_place, width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.evaluate("document.querySelectorAll('details').forEach((d) => (d.open = true))")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for card in ("#target-1-modules", "#target-1-features"):
        wide = page.evaluate(
            """(card) => [...document.querySelectorAll(card + ' *')]
            .filter((e) => !e.closest('.scroll') && e.getBoundingClientRect().right > innerWidth + 1).length""",
            card,
        )
        assert wide == 0
    stages = page.query_selector_all("#target-1-modules .stage-row")
    assert len(stages) == 60
    assert len(page.query_selector_all("#target-1-modules .stage-strip li")) == 60
    assert all(one.bounding_box()["height"] < 400 for one in stages[:3])
    sizes = page.evaluate(
        "[...document.querySelectorAll('.stage-row *, .stage-strip li, .compact th')].map((e) => parseFloat(getComputedStyle(e).fontSize))"
    )
    assert min(sizes) >= 11


def test_sixty_stages_are_a_small_page_that_says_what_differs(sixty):
    html = report_html(sixty, top=6)
    assert len(html.encode()) < MOST_BYTES
    assert "The <strong>reference</strong> itself." in html or "stages differ" in html
    assert "from which the rows of the table differ least" in html
    assert 'class="card failed"' not in html
