"""Renders the cards to one HTML file that loads nothing from outside."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING, Any, cast

from nasbuild._atomic_write import write_text
from nasbuild._file_formats import REPORTS, file_format
from nasbuild._version import __version__
from nasbuild.errors import NasbuildError
from nasbuild.report._card import Card, Section
from nasbuild.report._pdf import find_browser, write_pdf
from nasbuild.report._sections import sections
from nasbuild.report.data import _number_format
from nasbuild.report.data._choice_text import choice_text
from nasbuild.report.data._glossary import TERMS
from nasbuild.report.data._health import sentence
from nasbuild.report.data._next_steps import Place
from nasbuild.report.networks import graph_sections

if TYPE_CHECKING:
    from jinja2 import Environment

    from nasbuild.optimize import Evaluations, LiveResult, Race
    from nasbuild.score import Fit
    from nasbuild.score.graphs import GraphFit


def report_html(
    fit: Fit | GraphFit,
    *,
    top: int = 10,
    evaluated: Evaluations | None = None,
    race: Race | None = None,
    live: LiveResult | None = None,
    place: Place = None,
) -> str:
    """Returns one self-contained HTML page about a fit, in a space or on operator graphs.

    A card that fails shows its error; the rest of the page is complete.

    Parameters
    ----------
    top
        Number of architectures to build for each target of a fit in a space.
    evaluated
        For the closed loop: adds its rounds.
    race
        For the closed loop: adds the repeated evaluations of the most promising.
    live
        For the live demo: adds the comparison with random search.
    place
        Path of the fit folder, for the commands of next steps.

    Raises
    ------
    NasbuildError
        If ``top`` is below 1.

    Examples
    --------
    >>> from nasbuild.report import report_html
    >>> page = report_html(fit, top=3)
    >>> page.startswith("<!doctype html>") and "acc" in page
    True
    """
    if top < 1:
        raise NasbuildError(f"the number of architectures is {top}", allowed="1 or more")
    from nasbuild.predictor import one_thread  # loads torch, which takes seconds
    from nasbuild.table import GraphTable

    with one_thread():
        if isinstance(fit.table, GraphTable):
            found = graph_sections(cast("GraphFit", fit), place)
            title, scripts = f"{len(fit.table):,} networks", ("report.js", "network.js")
        else:
            space = cast("Fit", fit)
            found = sections(space, top, evaluated, race, live, place)
            title, scripts = space.space.name, ("report.js",)
        return _page(found, title, scripts)


def _page(found: list[Section], title: str, scripts: tuple[str, ...]) -> str:
    from markupsafe import Markup

    environment = _environment()
    parts = [
        {
            "key": section.key,
            "name": section.name,
            "eyebrow": section.eyebrow,
            "cards": [
                {"key": c.key, "title": c.title, "html": _render(environment, c)} for c in section.cards
            ],
        }
        for section in found
    ]
    page = environment.get_template("page.html.j2").render(
        title=title,
        sections=parts,
        style=Markup(environment.get_template("style.css.j2").render()),
        script=Markup("\n".join(environment.get_template(name).render() for name in scripts)),
        version=__version__,
    )
    # A lone surrogate in a name can't be encoded; it becomes a question mark.
    return page.encode("utf-8", "replace").decode()


def write_report(
    fit: Fit | GraphFit,
    path: str | os.PathLike[str],
    *,
    top: int = 10,
    evaluated: Evaluations | None = None,
    race: Race | None = None,
    live: LiveResult | None = None,
    place: Place = None,
) -> None:
    """Writes the page of `report_html` to a file atomically: HTML, or PDF if a browser is installed.

    Raises
    ------
    OutputError
        If the name has another ending, no browser is there for PDF, or the file can't be written.

    Examples
    --------
    >>> from nasbuild.report import write_report
    >>> from pathlib import Path
    >>> write_report(fit, "report.html", top=3)
    >>> "acc" in Path("report.html").read_text(encoding="utf-8")
    True
    """
    form = file_format(path, REPORTS, "a report")
    if form == ".pdf":
        # Fail before the work.
        find_browser(path)
    html = report_html(fit, top=top, evaluated=evaluated, race=race, live=live, place=place)
    if form == ".pdf":
        write_pdf(html, path)
    else:
        write_text(path, html)


def _render(environment: Environment, card: Card) -> Any:
    from markupsafe import Markup

    try:
        data = card.compute()
        html = environment.get_template(card.template).render(card=card, data=data, **card.draw(data))
    except Exception as error:
        html = environment.get_template("failed.html.j2").render(
            card=card, kind=type(error).__name__, text=str(error)
        )
    return Markup(html)


@functools.cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("nasbuild.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "count": _number_format.count,
        "correlation": _number_format.correlation,
        "choice": choice_text,
        "shorten": shorten,
        "sentence": sentence,
    }
    # Sorted keys would change the order that a person reads.
    environment.policies["json.dumps_kwargs"] = {"sort_keys": False, "separators": (",", ":")}
    environment.globals |= {"plural": _number_format.plural, "term": term}
    return environment


def term(name: str, text: str = "") -> Any:
    """Returns a term of the glossary, explained when one points at it or reaches it by keyboard."""
    from markupsafe import Markup

    return Markup('<abbr class="term" tabindex="0" title="{}">{}</abbr>').format(TERMS[name], text or name)


def shorten(text: str, most: int = 84) -> str:
    """Shortens a long id by omitting its middle."""
    if len(text) <= most:
        return text
    tail = most // 4
    return f"{text[: most - tail - 1]}…{text[-tail:]}"
