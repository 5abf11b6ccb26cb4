"""Data and drawings of the cards of one target of a fit in a space."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from nasbuild.report._card import Card, Data
from nasbuild.report.data._architecture_rows import ArchitectureRows
from nasbuild.report.data._built import built_data
from nasbuild.report.data._exact_targets import known_text
from nasbuild.report.data._explain import findings
from nasbuild.report.data._features import effect_scale, features_data, stage_effects
from nasbuild.report.data._fit_summary import table_data
from nasbuild.report.data._labels import labels_data, scatter_data
from nasbuild.report.data._modules import modules_data, tied_modules_text, ties_text, without_ties
from nasbuild.report.data._next_steps import Place, shown_steps
from nasbuild.report.data._number_format import Scale, correlation
from nasbuild.report.data._pairs import pairs_data
from nasbuild.report.data._recipe_kind import kind_of
from nasbuild.report.data._trust import trust_data
from nasbuild.report.draw._architecture_rows import draw_rows
from nasbuild.report.draw._choice_colors import Palette
from nasbuild.report.draw._heat_table import MANY_STAGES, blocks_of_stages, heat, stage_map
from nasbuild.report.draw._label_plots import built_plot, histogram, scatter
from nasbuild.report.draw._module_chains import Chain, draw_legend, draw_modules
from nasbuild.report.draw._pair_map import pair_map
from nasbuild.report.draw._trust_plots import agreement_bars, effect_dots, effect_limit, effect_name
from nasbuild.space import ABSENT, as_choice

if TYPE_CHECKING:
    from nasbuild.score import Fit, TargetFit
    from nasbuild.space import Module
    from nasbuild.table import GraphTable, Table


class TargetView:
    """Data and pictures of one target; data are computed on first use."""

    def __init__(
        self,
        fit: Fit,
        target_fit: TargetFit,
        number: int,
        top: int,
        palette: Palette,
        rows: ArchitectureRows,
        place: Place = None,
    ) -> None:
        self.fit, self.target_fit, self.number, self.top, self.palette = fit, target_fit, number, top, palette
        self.rows = rows
        self.place, self.before = place, list[TargetView]()
        self.key = f"target-{number}"
        self.sign = target_fit.target.sign

    @cached_property
    def labels(self) -> Data:
        return labels_data(self.fit, self.target_fit)

    @cached_property
    def trust(self) -> Data:
        return trust_data(self.fit, self.target_fit)

    @cached_property
    def features(self) -> Data:
        return features_data(self.fit, self.target_fit)

    @cached_property
    def modules(self) -> Data:
        found = modules_data(self.fit, self.target_fit)
        # Ties come from noisy labels, which a known target does not need.
        return without_ties(found) if self.known else found

    @cached_property
    def pairs(self) -> Data | None:
        """Interactions of pairs of choices; None where the recipe separates none, or nothing is reliable or learned."""
        if self.known or self.trust["level"] == "none":
            return None
        return pairs_data(self.fit, self.target_fit)

    @cached_property
    def known(self) -> str:
        """Sentence that the target is known exactly, else empty; such a target has no advice and no built architectures."""
        return value_or_none(lambda: known_text(self.fit, self.target_fit)) or ""

    @cached_property
    def built(self) -> Data:
        return built_data(self.fit, self.target_fit, self.top, self.rows)

    @cached_property
    def scale(self) -> Scale:
        return Scale.of(self.target_fit.labels.values, self.target_fit.target.unit)

    def card(self, name: str) -> Card | None:
        """Returns a card of this target: labels, trust, features, modules, built or next.

        None for what an exactly known target does not have.
        """
        if self.known and name in ("built", "next"):
            return None
        alone, title, compute, draw = {
            "labels": ("Labels", "Labels of {}", lambda: self.labels, self._draw_labels),
            "trust": ("Trust", "Trust in {}", lambda: self.trust, self._draw_trust),
            "features": ("Features", "Features for {}", lambda: self.features, self._draw_features),
            "modules": ("Modules by stage", "Modules for {}", lambda: self.modules, self._draw_modules),
            "built": ("Built architectures", "Built for {}", lambda: self.built, self._draw_built),
            "next": ("Next steps", "Next steps for {}", self.next, lambda _: {}),
        }[name]
        heading = alone if len(self.fit.targets) == 1 else title.format(self.target_fit.target.name)
        return Card(f"{self.key}-{name}", heading, f"{name}.html.j2", compute, draw)

    def verdict(self) -> Data:
        """Returns this target's part of the summary; parts whose own cards fail are None."""
        trust = value_or_none(lambda: self.trust)
        built = None if self.known else value_or_none(lambda: self.built["built"][0])
        return {
            "trust": trust and {k: trust[k] for k in ("level", "verdict", "prediction", "modules")},
            "findings": [self.known] * bool(self.known)
            + (value_or_none(lambda: findings(self.trust, self.features, self.modules)) or []),
            "best_label": value_or_none(lambda: self.labels["best"]),
            "built": built and {k: built[k] for k in ("id", "prediction", "std", "in_table", "label")},
        }

    def next(self) -> Data:
        """Returns the next steps of the other cards, most urgent first; a card that fails has none.

        Steps that an earlier target shows are not repeated.
        """
        before = [step for view in self.before for step in view.steps]
        steps = shown_steps(self.steps, self.place, before)
        return {"steps": steps, "shown_above": bool(self.steps), "health": None, "next": []}

    @cached_property
    def steps(self) -> list[Data]:
        """All next steps for this target; none if it is known exactly."""
        if self.known:
            return []
        sources = (
            lambda: self.trust,
            lambda: self.built,
            lambda: self.modules,
            lambda: self.features,
            lambda: self.labels,
            lambda: table_data(self.fit.table),
        )
        return shown_steps(next_steps(sources), self.place)

    def _draw_labels(self, data: Data) -> Data:
        return draw_labels(
            data, scatter_data(self.fit, self.target_fit), self.scale, self.target_fit.target.name
        )

    def _draw_trust(self, data: Data) -> Data:
        return {"bars": agreement_bars(data), "pair": agreement_text}

    def _draw_features(self, data: Data) -> Data:
        scale, groups = effect_scale(data["features"], data["measure"], data["unit"]), []
        for positions in (False, True):
            found = [f for f in data["features"] if (f["kind"] != "feature") == positions]
            # Positions have their own axis, as their effects are often far larger.
            limit = effect_limit(found)
            groups.append([(f, effect_dots(f, limit, self.sign, scale)) for f in found])
        table = heat(stage_effects(data["features"]), self.sign, scale)
        pairs = value_or_none(lambda: self.pairs)
        names = [stage.name for stage in self.fit.space.stages]
        return {
            "groups": groups,
            "effect_name": effect_name,
            "kind": kind_of(self.fit),
            "members": self.target_fit.scorer.members,
            "sign": self.sign,
            "scale": scale,
            "pairs": pairs,
            "pair_map": pair_map(pairs, names, self.sign, scale) if pairs else None,
            "heat": table,
            "blocks": blocks_of_stages(table)
            if table["features"] and len(table["stages"]) > MANY_STAGES
            else [],
        }

    def _draw_modules(self, data: Data) -> Data:
        space, pictured = self.fit.space, []
        texts = {"kind": kind_of(self.fit), "ties_text": ties_text, "tied_text": tied_modules_text}
        if len(data["stages"]) > MANY_STAGES:
            scores = [row["score"] for stage in data["stages"] for row in (*stage["best"], *stage["worst"])]
            spans = Scale.of([stage["span"] for stage in data["stages"]], self.scale.unit)
            return {
                "map": stage_map(data["stages"], spans),
                "scale": Scale.of(scores, self.scale.unit),
                **texts,
            }
        for stage in data["stages"]:
            # One scale per stage, precise enough to show differences between neighbours in rank.
            rows = [*stage["best"], *stage["worst"]]
            scale = Scale.of([*(r["score"] for r in rows), *self.target_fit.labels.values], self.scale.unit)
            names = [f.name for f in space.stages[stage["stage"]].features]
            pictures = []
            for heading, key in (("Best", "best"), ("Worst", "worst")):
                chains = [_chain(names, row, scale) for row in stage[key]]
                if chains:
                    pictures.append(
                        draw_modules(
                            space, stage["stage"], chains, heading=heading, palette=self.palette, alone=False
                        )
                    )
            pictured.append({"pictures": pictures, "scale": scale})
        # One picture per feature, so that they flow into as many columns as fit.
        legends = [
            draw_legend(space, features=[name], palette=self.palette, alone=False)
            for name in self.palette.features
        ]
        return {
            "map": [],
            "drawn": pictured,
            "legends": legends,
            "scale": self.scale,
            **texts,
        }

    def _draw_built(self, data: Data) -> Data:
        # Only scores of neural networks have their own unit.
        sums = Scale.of([row["score"] for row in data["built"]]) if data["kind"] == "network" else self.scale
        rows = [{**row, "sum_text": sums.plain(row["score"])} for row in data["built"]]
        data["built"] = rows
        return {
            "drawn": draw_rows(self.fit, data["columns"], rows, self.palette),
            "scale": self.scale,
            "plot": built_plot(data, self.labels, self.target_fit.target.name, self.scale),
            "stages": len(self.fit.space.stages),
        }


def draw_labels(data: Data, pair: Data | None, scale: Scale, name: str) -> Data:
    """Returns the histogram of labels, and a scatter plot if there is a pair of quantities."""
    return {
        "scale": scale,
        "histogram": histogram(data, name, scale),
        "pair": pair,
        "scatter": scatter(pair, scale, name) if pair else None,
    }


def agreement_text(agreement: Data) -> str:
    """Formats the mean and standard deviation of a correlation."""
    return f"{correlation(agreement['mean'])} ± {correlation(agreement['std'])}"


def draw_table(table: Table | GraphTable, data: Data) -> Data:
    """Returns a scale for every metric of a table."""
    return {"scales": [Scale.of(table.columns[m["name"]].tolist(), m["unit"]) for m in data["metrics"]]}


def next_steps(sources: Sequence[Callable[[], Data]]) -> list[Data]:
    """Collects the next steps of other cards; a card that fails has none."""
    return [step for source in sources for step in (value_or_none(source) or {"next": ()})["next"]]


def value_or_none(source: Callable[[], Any]) -> Any:
    """Returns the data of another card; None if it fails, since that card shows the error itself."""
    try:
        return source()
    except Exception:
        return None


def _chain(features: list[str], row: Data, scale: Scale) -> Chain:
    layers = (tuple(as_choice(layer.get(name, ABSENT)) for name in features) for layer in row["module"])
    module = cast("Module", tuple(layers))
    note = f"few labels: {', '.join(row['rarely_labelled'])}" if row["rarely_labelled"] else ""
    return Chain(module, scale.pair(row["score"], row["std"]), note)
