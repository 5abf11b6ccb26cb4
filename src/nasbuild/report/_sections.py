"""Assembles the cards of a fit into the sections of the page."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from nasbuild.report._card import Card, Section
from nasbuild.report._live_card import draw_live, live_data
from nasbuild.report._whole_fit_cards import FitView
from nasbuild.report.data._fit_summary import provenance_data, setting_text
from nasbuild.report.data._glossary import glossary_data
from nasbuild.report.data._next_steps import Place
from nasbuild.report.data._race import race_data
from nasbuild.report.data._rounds import rounds_data
from nasbuild.report.data._tradeoff import has_tradeoff
from nasbuild.report.draw._race_plot import draw_race
from nasbuild.report.draw._round_plots import draw_rounds

if TYPE_CHECKING:
    from nasbuild.optimize import Evaluations, LiveResult, Race
    from nasbuild.score import Fit


def sections(
    fit: Fit,
    top: int,
    evaluated: Evaluations | None = None,
    race: Race | None = None,
    live: LiveResult | None = None,
    place: Place = None,
) -> list[Section]:
    """Returns all sections of a fit in the order of the page: the answer, what matters, modules, trust and data."""
    view = FitView(fit, top, place)
    built = _cards(view, "built")
    answer = list[Card]()
    if evaluated is not None:
        measured = partial(view.measured, evaluated)
        answer.append(Card("measured", "Best measured", "measured.html.j2", measured, view.draw_measured))
    if has_tradeoff(fit):
        answer.append(
            Card("tradeoff", "The trade-off", "tradeoff.html.j2", view.tradeoff, view.draw_tradeoff)
        )
    elif built:
        answer.append(built.pop(0))
    answer.append(Card("summary", "Main results", "summary.html.j2", view.summary, view.draw_summary))
    if live is not None:
        answer.append(
            Card("live", "Comparison with random search", "live.html.j2", lambda: live_data(live), draw_live)
        )
    if evaluated is not None:
        answer.append(
            Card("rounds", "Rounds", "rounds.html.j2", lambda: rounds_data(evaluated, fit.space), draw_rounds)
        )
    if evaluated is not None and race is not None:
        target = evaluated.goal.targets[0]
        answer.append(
            Card("race", "The race", "race.html.j2", lambda: race_data(race, target, fit.space), draw_race)
        )
    answer += [*built, *_cards(view, "next")]
    evidence = [
        *_cards(view, "trust"),
        *_cards(view, "labels"),
        Card("table", "The table", "table.html.j2", lambda: view.table, view.draw_table),
        Card(
            "provenance",
            "Provenance",
            "provenance.html.j2",
            lambda: provenance_data(fit),
            lambda _: {"setting": setting_text},
        ),
        Card("words", "Words", "glossary.html.j2", glossary_data, lambda _: {}),
    ]
    return [
        Section("results", "Results", tuple(answer)),
        Section("what-matters", "What matters", tuple(_cards(view, "features"))),
        Section("module-scores", "Modules", tuple(_cards(view, "modules"))),
        Section("evidence", "Trust and data", tuple(evidence)),
    ]


def _cards(view: FitView, name: str) -> list[Card]:
    """Returns the card of that name of each target that has one."""
    return [card for target in view.targets if (card := target.card(name)) is not None]
