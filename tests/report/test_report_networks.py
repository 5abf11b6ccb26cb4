"""The page of a fit on operator graphs: data of its cards, and that each card fails alone."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from hostile import EVIL
from test_report_page import Page

from nasbuild.ir import describe_node
from nasbuild.report import report_html
from nasbuild.report.draw._choice_colors import contrast, diverging, ink_on
from nasbuild.report.networks import drawn_network
from nasbuild.report.networks._graph_fit_data import (
    features_data,
    findings,
    pieces_data,
    sizes_data,
    trust_data,
)
from nasbuild.report.networks._network_selection import select_networks
from nasbuild.report.networks._network_view import network_data
from nasbuild.report.networks._plots import _marks, compact, curve_limit, effect_curve
from nasbuild.score.graphs import before, mine_pieces, node_scores

CARDS = ["operations", "attributes", "pieces", "network", "trust", "labels", "next"]


@pytest.fixture(scope="module")
def html(graph_fit) -> str:
    return report_html(graph_fit)


def test_cards_are_in_order_for_every_target(html):
    page = Page(html)
    targets = [f"target-{n}-{card}" for n in (1, 2) for card in CARDS]
    assert page.cards() == [
        (key, False) for key in ("tradeoff", "summary", *targets, "table", "provenance", "words")
    ]
    assert page.open == []


def test_nothing_is_loaded_and_names_are_text(html):
    page = Page(html)
    assert not re.search(r"""(src|href)=["'](?!#)""", html)
    assert "url(" not in html
    assert "@import" not in html
    assert len([tag for tag, _ in page.tags if tag == "script"]) == 1 + 2
    assert "alert('x')" not in html
    assert not {tag for tag, _ in page.tags} & {"b", "img", "iframe", "object", "embed"}
    assert EVIL in "".join(page.words)


def test_a_card_that_fails_leaves_the_rest_intact(graph_fit, monkeypatch):
    def fails(*_):
        raise ValueError("no picture")

    monkeypatch.setattr("nasbuild.report.networks._graph_cards.network_data", fails)
    html = report_html(graph_fit)
    assert html.count("no picture") == 2
    assert [key for key, failed in Page(html).cards() if failed] == ["target-1-network", "target-2-network"]


def test_a_card_that_others_depend_on_may_fail(graph_fit, monkeypatch):
    def fails(*_):
        raise ValueError("no trust")

    monkeypatch.setattr("nasbuild.report.networks._graph_cards.trust_data", fails)
    failed = [key for key, failed in Page(report_html(graph_fit)).cards() if failed]
    assert failed == ["target-1-trust", "target-2-trust"]


def test_networks_are_selected_by_label_and_by_prediction(graph_fit):
    target_fit = graph_fit.targets[1]
    labels = target_fit.labels.values
    predictions = np.random.default_rng(0).permutation(len(labels)).astype(float)
    chosen = select_networks(graph_fit, target_fit, predictions, 9)
    assert 6 <= len(chosen) <= 9
    roles = {role: position for position, found in chosen for role in found}
    # Less cost is better.
    assert labels[roles["best by label"]] == labels.min()
    assert labels[roles["worst by label"]] == labels.max()
    assert roles["best by prediction"] == predictions.argmin()
    assert roles["worst by prediction"] == predictions.argmax()
    shown = [labels[position] for position, _ in chosen]
    assert shown == sorted(shown)
    ranks = np.sort(labels)
    assert ranks[15] <= labels[roles["median by label"]] <= ranks[25]


def test_too_large_networks_are_omitted_with_a_note(graph_fit, monkeypatch):
    sizes = sorted(len(g) for g in graph_fit.table.graphs)
    monkeypatch.setattr("nasbuild.report.networks._network_selection.MAX_NODES", sizes[20])
    monkeypatch.setattr("nasbuild.report.networks._network_view.MAX_NODES", sizes[20])
    data = network_data(graph_fit, graph_fit.targets[0])
    assert max(len(n["x"]) for n in data["view"]["networks"]) <= sizes[20]
    large = sum(size > sizes[20] for size in sizes)
    assert f"{large} network" in data["health"]["text"]
    monkeypatch.setattr("nasbuild.report.networks._network_selection.MAX_NODES", 0)
    assert network_data(graph_fit, graph_fit.targets[0])["shown"] == 0
    assert "small enough to draw" in report_html(graph_fit)


def test_the_view_has_scores_of_every_hop_and_facts_of_nodes(graph_fit):
    target_fit = graph_fit.targets[0]
    view = network_data(graph_fit, target_fit)["view"]
    for shown in view["networks"]:
        row = next(i for i, g in enumerate(graph_fit.table.graphs) if g.name == shown["name"])
        graph, start = graph_fit.table.graphs[row], graph_fit.graphs.offsets[row]
        assert shown["texts"] == [describe_node(graph, n) for n in range(len(graph))]
        assert shown["names"] == graph.labels.tolist()
        assert shown["edges"] == graph.edges.tolist()
        for m in range(target_fit.ensemble.hops + 1):
            scores = node_scores(target_fit.ensemble, graph_fit.graphs, m)
            expected = scores.value[start : start + len(graph)]
            assert shown["scores"][m] == pytest.approx(expected, abs=0.0051)
            assert shown["spreads"][m] == pytest.approx(scores.std[start : start + len(graph)], abs=0.0051)
        conv = graph.ops.index("Conv")
        size = graph.kernel[conv, 2]
        assert shown["facts"]["kernel"][conv] == f"{size} × {size}"
        assert shown["shapes"][shown["after"][conv]] == "1 × 16 × 8 × 8"
        assert not shown["facts"]["kernel"][graph.ops.index("Relu") if "Relu" in graph.ops else 1]
    assert json.loads(json.dumps(view)) == json.loads(json.dumps(view, allow_nan=False))


@pytest.mark.parametrize("dark", [False, True])
def test_texts_are_readable_on_every_colour(dark):
    colours = diverging(17, dark=dark)
    assert len(set(colours)) == 17
    assert min(contrast(ink_on(c), c) for c in colours) >= 4.5
    # The middle is neutral.
    middle = [int(colours[8][i : i + 2], 16) for i in (1, 3, 5)]
    assert max(middle) - min(middle) < 6


def test_long_operations_are_shortened_in_the_picture_only(graph_fit):
    graph = graph_fit.table.graphs[0]
    long = "com.example::" + "Operation" * 12
    shown = drawn_network(replace(graph, vocabulary=("Add", long, "HardSwish", "Relu")))
    node = graph.ops.index("Conv")
    assert shown["texts"][node].startswith(long)
    assert "…" in shown["shown"][node]
    assert max(shown["widths"]) <= 176


def test_labels_are_plotted_over_the_size_of_networks(graph_fit):
    target_fit = graph_fit.targets[0]
    data = sizes_data(graph_fit, target_fit)
    assert [a["name"] for a in data["axes"]] == ["MACs", "acc"]
    assert data["axes"][0]["values"] == [float(g.macs.sum()) for g in graph_fit.table.graphs]
    assert data["axes"][1]["values"] == target_fit.labels.values.tolist()


def test_trust_has_baselines(graph_fit):
    target_fit = graph_fit.targets[0]
    data = trust_data(target_fit)
    assert data["verdict"] == target_fit.trust.verdict == data["health"]["text"]
    assert [h["mean"] for h in data["hops"]] == [a.mean for a in target_fit.trust.hops]
    assert [r["name"] for r in data["baselines"]] == ["ridge", "lightgbm"]
    advice = " ".join(step["text"] for step in data["next"])
    assert ("orders unseen networks better" in advice) == (target_fit.trust.better is not None)


def test_operations_are_sorted_best_first_and_sizes_keep_their_order(graph_fit):
    for target_fit in graph_fit.targets:
        data = features_data(graph_fit, target_fit)
        effects = [target_fit.target.sign * c["effect"] for c in data["operations"]["choices"]]
        assert effects == sorted(effects, reverse=True)
        assert {f["feature"] for f in data["attributes"]} == {"kernel", "grouping"}
        assert next(f for f in data["attributes"] if f["feature"] == "kernel")["order"] == ["3x3", "5x5"]
        assert {c["feature"] for c in data["numbers"]} <= {"macs", "parameters"}
        assert all(c["absent"] is not None for c in data["numbers"])


def test_pieces_equal_the_mined_ones(graph_fit):
    for target_fit in graph_fit.targets:
        data = pieces_data(graph_fit, target_fit)
        mined = mine_pieces(graph_fit.table.graphs, node_scores(target_fit.ensemble, graph_fit.graphs, 2))
        assert data["count"] == len(mined)
        first = max(mined, key=lambda p: target_fit.target.sign * p.score)
        assert data["best"][0]["piece"] == first.text
        assert data["best"][0]["networks"] == first.networks


def test_there_are_findings_only_for_a_reliable_fit(graph_fit):
    target_fit = graph_fit.targets[0]
    parts = features_data(graph_fit, target_fit), pieces_data(graph_fit, target_fit)
    trust = trust_data(target_fit)
    assert findings({**trust, "level": "none"}, *parts) == []
    sentences = findings({**trust, "level": "high"}, *parts)
    assert any("operation" in sentence.lower() for sentence in sentences)


CURVE = {
    "name": "channels out",
    "values": [8, 64, 512],
    "effect": [-1.0, 0.5, 1.5],
    "effect_std": [0.5, 0.25, 0.5],
    "member_effects": [[-1.5, 0.25, 1.0], [-0.5, 0.75, 9.0]],
    "counts": [1, 4, 0],
    "absent": (0.25, 0.125, 9),
}


def test_a_curve_stays_within_its_plot_and_counts_nodes():
    limit = curve_limit([CURVE])
    assert limit == pytest.approx(2.0 * 1.05)
    svg = str(effect_curve(CURVE, limit, 1))
    heights = [float(y) for d in re.findall(r' d="M([^"]*)"', svg) for y in re.findall(r" (-?[\d.]+)", d)]
    assert 28 <= min(heights) <= max(heights) <= 158
    assert "64: 4 nodes" in svg
    assert "none: 9 nodes" in svg
    # Ten times as many nodes are a bar of root ten times the height; no node, no bar.
    tall = [float(h) for h in re.findall(r'height="([\d.]+)"', svg)[1:]]
    assert tall[1] == pytest.approx(16 * (4 / 9) ** 0.5, abs=0.02)
    assert len(tall) == 3
    assert "↑ better" in svg
    assert "↓ better" in str(effect_curve(CURVE, limit, -1))


@pytest.mark.parametrize(
    "values", [[1.0, 7.0], [3.0, 900.0], [16.0, 3e9], [100.0, 130.0], [5.0, 12.0, 13.0, 14.0, 20.0]]
)
def test_marks_are_few_and_within_the_axis(values):
    marks = _marks(values)
    assert 1 <= len(marks) <= 7
    assert values[0] * 0.999 <= min(marks) <= max(marks) <= values[-1] * 1.001


def test_counts_are_short():
    assert [compact(v) for v in (1, 999, 1000, 1536, 999_999, 2.5e6, 3e9)] == [
        "1", "999", "1 k", "1.54 k", "1 M", "2.5 M", "3 G",
    ]  # fmt: skip


def test_the_receptive_field_of_a_node_equals_a_backward_search(graph_fit):
    graph = graph_fit.table.graphs[3]
    power = np.eye(len(graph), dtype=int)
    adjacency = power.copy()
    adjacency[graph.edges[1], graph.edges[0]] = 1
    for hop in range(4):
        for node in range(len(graph)):
            assert before(graph, node, hop) == tuple(np.flatnonzero(power[node]))
        power = (power @ adjacency > 0).astype(int)
