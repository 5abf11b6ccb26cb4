"""Cards of a fit on operator graphs: data are computed once and drawn separately."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from nasbuild.report._card import Card, Data, Section
from nasbuild.report._fit_cards import agreement_text, draw_labels, draw_table, next_steps, value_or_none
from nasbuild.report.data._explain import head_data
from nasbuild.report.data._fit_summary import setting_text, table_data
from nasbuild.report.data._glossary import glossary_data
from nasbuild.report.data._labels import labels_data, scatter_data
from nasbuild.report.data._next_steps import Place, shown_steps
from nasbuild.report.data._number_format import Scale
from nasbuild.report.draw._trust_plots import effect_dots, effect_limit, effect_name
from nasbuild.report.networks._graph_fit_data import (
    features_data,
    findings,
    networks_data,
    pieces_data,
    provenance_data,
    sizes_data,
    trust_data,
)
from nasbuild.report.networks._graph_tradeoff import draw_networks_tradeoff, networks_tradeoff
from nasbuild.report.networks._network_view import network_data
from nasbuild.report.networks._plots import EFFECTS, agreement_plot, curve_limit, effect_curve

if TYPE_CHECKING:
    from nasbuild.score.graphs import GraphFit, GraphTargetFit

_MAX_OPERATIONS = 30  # in a picture


class GraphTargetView:
    """Data and pictures of one target."""

    def __init__(self, fit: GraphFit, target_fit: GraphTargetFit, number: int, place: Place = None) -> None:
        self.fit, self.target_fit, self.place = fit, target_fit, place
        self.before = list[GraphTargetView]()
        self.key, self.sign = f"target-{number}", target_fit.target.sign

    @cached_property
    def labels(self) -> Data:
        return labels_data(self.fit, self.target_fit)

    @cached_property
    def trust(self) -> Data:
        return trust_data(self.target_fit)

    @cached_property
    def features(self) -> Data:
        return features_data(self.fit, self.target_fit)

    @cached_property
    def pieces(self) -> Data:
        return pieces_data(self.fit, self.target_fit)

    @cached_property
    def scale(self) -> Scale:
        return Scale.of(self.target_fit.labels.values, self.target_fit.target.unit)

    def cards(self) -> Iterator[Card]:
        for name, title, template, compute, draw in (
            ("operations", "Operations", "operations", lambda: self.features, self._draw_operations),
            (
                "attributes",
                "Attributes and sizes",
                "attributes",
                lambda: self.features,
                self._draw_attributes,
            ),
            (
                "pieces",
                "Recurring pieces",
                "pieces",
                lambda: self.pieces,
                lambda _: {"scale": EFFECTS},
            ),
            (
                "network",
                "Networks",
                "network",
                lambda: network_data(self.fit, self.target_fit),
                self._draw_network,
            ),
            ("trust", "Trust", "trust_graphs", lambda: self.trust, self._draw_trust),
            ("labels", "Labels", "labels", lambda: self.labels, self._draw_labels),
            ("next", "Next steps", "next", self.next, lambda _: {}),
        ):
            yield Card(f"{self.key}-{name}", title, f"{template}.html.j2", compute, draw)

    def verdict(self) -> Data:
        """Returns this target's part of the summary; parts whose own cards fail are None."""
        trust = value_or_none(lambda: self.trust)
        return {
            "trust": trust and {k: trust[k] for k in ("level", "verdict", "prediction", "baselines")},
            "findings": value_or_none(lambda: findings(self.trust, self.features, self.pieces)) or [],
            "best_label": value_or_none(lambda: self.labels["best"]),
        }

    def next(self) -> Data:
        """Returns the next steps of the other cards; a card that fails has none."""
        before = [step for view in self.before for step in view.steps]
        steps = shown_steps(self.steps, self.place, before)
        return {"steps": steps, "shown_above": bool(self.steps), "health": None, "next": []}

    @cached_property
    def steps(self) -> list[Data]:
        sources = (lambda: self.trust, lambda: self.labels, lambda: table_data(self.fit.table))
        return shown_steps(next_steps(sources), self.place)

    def _draw_labels(self, data: Data) -> Data:
        pair = scatter_data(self.fit, self.target_fit) or sizes_data(self.fit, self.target_fit)
        return draw_labels(data, pair, self.scale, self.target_fit.target.name)

    def _draw_trust(self, data: Data) -> Data:
        return {"bars": agreement_plot(data), "pair": agreement_text}

    def _draw_operations(self, data: Data) -> Data:
        feature = data["operations"]
        if feature is None:
            return {"pictures": [], "omitted": 0, "sign": self.sign, "scale": EFFECTS}
        choices, limit = feature["choices"], effect_limit([feature])
        omitted = max(len(choices) - _MAX_OPERATIONS, 0)
        if omitted:
            choices = [*choices[: _MAX_OPERATIONS // 2], *choices[-_MAX_OPERATIONS // 2 :]]
        half = -(-len(choices) // 2) if len(choices) > 8 else len(choices)
        parts = [part for part in (choices[:half], choices[half:]) if part]
        pictures = [effect_dots({**feature, "choices": part}, limit, self.sign, EFFECTS) for part in parts]
        return {"pictures": pictures, "omitted": omitted, "sign": self.sign, "scale": EFFECTS}

    def _draw_attributes(self, data: Data) -> Data:
        limit, sides = effect_limit(data["attributes"]), curve_limit(data["numbers"])
        return {
            # Sizes keep their order, so that a trend is visible.
            "attributes": [
                (f, effect_dots(_in_order(f), limit, self.sign, EFFECTS)) for f in data["attributes"]
            ],
            "curves": [(c, effect_curve(c, sides, self.sign)) for c in data["numbers"]],
            "scale": EFFECTS,
            "sign": self.sign,
            "effect_name": effect_name,
        }

    def _draw_network(self, _: Data) -> Data:
        return {"name": self.target_fit.target.name}


def _in_order(feature: Data) -> Data:
    place = {choice: i for i, choice in enumerate(feature["order"])}
    return {**feature, "choices": sorted(feature["choices"], key=lambda c: place[c["choice"]])}


def graph_sections(fit: GraphFit, place: Place = None) -> list[Section]:
    """Returns all sections of a fit on operator graphs in the order of the page."""
    views = [GraphTargetView(fit, target_fit, n + 1, place) for n, target_fit in enumerate(fit.targets)]
    for n, view in enumerate(views):
        view.before = views[:n]

    def summary() -> Data:
        targets = [{"key": v.key, **head_data(v.target_fit), **v.verdict()} for v in views]
        return {**networks_data(fit), "targets": targets, "health": None, "next": []}

    first = [
        Card(
            "summary",
            "Main results",
            "summary_graphs.html.j2",
            summary,
            lambda _: {"scales": [v.scale for v in views]},
        )
    ]
    if len({view.target_fit.target.name for view in views}) > 1:
        first.insert(
            0,
            Card(
                "tradeoff",
                "The trade-off",
                "tradeoff.html.j2",
                lambda: networks_tradeoff(fit),
                lambda data: draw_networks_tradeoff(fit, data),
            ),
        )
    last = (
        Card(
            "table",
            "The table",
            "table.html.j2",
            lambda: table_data(fit.table),
            lambda data: draw_table(fit.table, data),
        ),
        Card(
            "provenance",
            "Provenance",
            "provenance_graphs.html.j2",
            lambda: provenance_data(fit),
            lambda _: {"setting": setting_text},
        ),
        Card("words", "Words", "glossary.html.j2", glossary_data, lambda _: {}),
    )
    targets = [
        Section(
            v.key,
            v.target_fit.target.name,
            tuple(v.cards()),
            f"Target {n} of {len(views)}" if len(views) > 1 else "Target",
        )
        for n, v in enumerate(views, 1)
    ]
    return [
        Section("results", "Results", tuple(first)),
        *targets,
        Section("evidence", "Table and provenance", last),
    ]
