"""The page: escaped, self-contained, and complete even if a card fails."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hostile import EQUATION, EVIL

from nasbuild.errors import NasbuildError, OutputError
from nasbuild.report import report_html, write_report
from nasbuild.report.draw._choice_colors import contrast

CARDS = ["built", "next", "features", "modules", "trust", "labels"]


class Page(HTMLParser):
    """Tags, attributes, and the texts and cards between them."""

    VOID = ("meta", "br", "img", "link", "input")

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag not in ("p", "li"):
            while self.open and self.open[-1] in ("p", "li"):
                self.open.pop()
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    def cards(self) -> list[tuple[str, bool]]:
        """Key of each card, and whether it failed."""
        return [(a["id"], "failed" in a["class"].split()) for _, a in self.tags if "data-card" in a]


@pytest.fixture(scope="module")
def html(fitted) -> str:
    return report_html(fitted, top=4)


@pytest.fixture(scope="module")
def page(html) -> Page:
    return Page(html)


def test_cards_are_in_order_for_every_target(page):
    targets = [f"target-{n}-{card}" for card in CARDS for n in (1, 2)]
    keys = ("tradeoff", "summary", *targets, "table", "provenance", "words")
    assert page.cards() == [(key, False) for key in keys]
    assert page.open == []


def test_names_from_the_user_are_escaped(page, html):
    scripts = [i for i, (tag, _) in enumerate(page.tags) if tag == "script"]
    assert len(scripts) == 1
    assert not {tag for tag, _ in page.tags} & {"b", "i", "img", "iframe", "object", "embed"}
    assert "alert('x')" not in html
    assert EVIL in "".join(page.words)
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)


def test_nothing_is_loaded_from_outside(page, html):
    assert not re.search(r"https?:|//[a-z]|@import|url\(", html)
    for _, attributes in page.tags:
        assert "src" not in attributes
        assert attributes.get("href", "#").startswith("#")


def test_links_have_targets_and_anchors_are_unique(page):
    ids = [a["id"] for _, a in page.tags if "id" in a]
    assert len(set(ids)) == len(ids)
    assert {a["href"][1:] for tag, a in page.tags if tag == "a"} <= set(ids)
    assert {a["aria-labelledby"] for _, a in page.tags if "aria-labelledby" in a} <= set(ids)


def test_every_picture_and_table_has_a_description(page):
    pictures = [a for tag, a in page.tags if tag == "svg"]
    assert len(pictures) > 30
    assert all(a["role"] == "img" and a["aria-label"].strip() for a in pictures)
    assert all("scope" in a for tag, a in page.tags if tag == "th")


def test_the_page_states_units_and_searched_stages(page):
    words = " ".join(" ".join(page.words).split())
    assert "is not in the unit of the labels" in words
    assert "200 of 584 modules scored" in words
    assert words.count("× 10⁶ <b>ms</b>") > 2


def test_built_architectures_with_unseen_choices_are_marked(fitted):
    """They are built only on demand."""
    assert "Few labels: " in report_html(fitted.with_unseen(), top=4)


def test_the_same_fit_gives_the_same_page(fitted, html):
    assert report_html(fitted, top=4) == html


def test_a_card_fails_alone(fitted, monkeypatch):
    def broken(*_):
        raise ValueError(f"broken {EVIL}")

    monkeypatch.setattr("nasbuild.report._fit_cards.features_data", broken)
    monkeypatch.setattr("nasbuild.report._fit_cards.draw_legend", broken)
    page = Page(report_html(fitted, top=2))
    failed = {key for key, bad in page.cards() if bad}
    assert failed == {f"target-{n}-{card}" for n in (1, 2) for card in ("features", "modules")}
    assert f"ValueError: broken {EVIL}" in "".join(page.words)
    assert len(page.cards()) == 2 + 2 * len(CARDS) + 3


@pytest.mark.parametrize("what", ["trust_data", "labels_data", "modules_data", "built_data"])
def test_summary_and_next_steps_survive_failures_of_other_cards(fitted, monkeypatch, what):
    def broken(*_):
        raise RuntimeError("broken")

    monkeypatch.setattr(f"nasbuild.report._fit_cards.{what}", broken)
    page = Page(report_html(fitted, top=2))
    kept = {"summary", "table", "provenance", "target-1-next", "target-2-features"}
    assert kept <= {key for key, bad in page.cards() if not bad}
    assert f"target-1-{what.removesuffix('_data')}" in {key for key, bad in page.cards() if bad}


def test_a_single_target(fitted):
    page = Page(report_html(replace(fitted, targets=fitted.targets[1:]), top=1))
    own = [f"target-1-{card}" for card in CARDS]
    assert [key for key, _ in page.cards()] == [own[0], "summary", *own[1:], "table", "provenance", "words"]
    assert EQUATION in "".join(page.words)


def test_top_may_exceed_the_size_of_the_space(fitted):
    page = Page(report_html(replace(fitted, targets=fitted.targets[:1]), top=150))
    assert not any(bad for _, bad in page.cards())


def test_a_lone_surrogate_does_not_stop_the_page(fitted, tmp_path):
    ids = ("\ud800", *fitted.table.ids[1:])
    write_report(replace(fitted, table=replace(fitted.table, ids=ids)), tmp_path / "r.html", top=1)
    assert (tmp_path / "r.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_writing_is_atomic(fitted, html, tmp_path):
    path = tmp_path / "report.html"
    write_report(fitted, path, top=4)
    assert path.read_text(encoding="utf-8") == html
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]
    with pytest.raises(OutputError):
        write_report(fitted, tmp_path / "report.html" / "under-a-file.html", top=1)


def test_top_zero_is_refused(fitted):
    with pytest.raises(NasbuildError, match="1 or more"):
        report_html(fitted, top=0)


def test_the_room_imports_no_heavy_library():
    code = "import sys, nasbuild.report; print(sorted({'torch', 'matplotlib', 'jinja2'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_texts_have_enough_contrast(html, scheme):
    found = re.findall(r":root \{(.*?)\}", html, re.DOTALL)[scheme]
    colour = dict(re.findall(r"--([\w-]+): (#\w{6});", found))
    grounds = [("paper", ("ink", "quiet", "accent")), ("card", ("ink", "quiet", "accent", "warn"))]
    grounds += [(f"{level}-soft", (level,)) for level in ("ok", "note", "warn", "bad")]
    grounds += [(f"{way}{step}", ("ink",)) for way in ("up", "down") for step in (1, 2, 3, 4)]
    for ground, texts in grounds:
        for text in texts:
            assert contrast(colour[ground], colour[text]) >= 4.5, (ground, text)
