"""Assembles the cards of a fit into the sections of the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nasbuild.report._card import Card, Section
from nasbuild.report._fit_cards import FitView
from nasbuild.report._live_card import draw_live, live_data
from nasbuild.report.data._fit_summary import provenance_data, setting_text
from nasbuild.report.data._next_steps import Place
from nasbuild.report.data._race import race_data
from nasbuild.report.data._rounds import rounds_data
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
    """Returns all sections of a fit in the order of the page."""
    view = FitView(fit, top, place)
    first = (
        Card("summary", "Main results", "summary.html.j2", view.summary, view.draw_summary),
        Card("table", "The table", "table.html.j2", lambda: view.table, view.draw_table),
    )
    loop_cards = []
    if live is not None:
        loop_cards.append(
            Card("live", "Comparison with random search", "live.html.j2", lambda: live_data(live), draw_live)
        )
    if evaluated is not None:
        loop_cards.append(
            Card("rounds", "Rounds", "rounds.html.j2", lambda: rounds_data(evaluated, fit.space), draw_rounds)
        )
    if evaluated is not None and race is not None:
        target = evaluated.goal.targets[0]
        loop_cards.append(
            Card("race", "The race", "race.html.j2", lambda: race_data(race, target, fit.space), draw_race)
        )
    first = (first[0], *loop_cards, *first[1:])
    last = (
        Card(
            "provenance",
            "Provenance",
            "provenance.html.j2",
            lambda: provenance_data(fit),
            lambda _: {"setting": setting_text},
        ),
    )
    targets = [Section(t.key, t.target_fit.target.name, tuple(t.cards())) for t in view.targets]
    return [Section("fit", "", first), *targets, Section("fit-provenance", "", last)]
