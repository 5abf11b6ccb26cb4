"""Pairs that interact, in the report: a list, and a map that stays readable with sixty stages."""

from __future__ import annotations

import numpy as np
import pytest
from page_checks import texts_outside

from nasbuild.predictor import AdditiveRecipe
from nasbuild.report import Scale, explain_data, write_report
from nasbuild.report.draw._pair_map import pair_map
from nasbuild.score import Fit, fit
from nasbuild.space import Architecture, changed_sample, space_from_dict
from nasbuild.table import Table

STAGES = 60
PLANTED = {(5, 47): 0.4, (2, 38): -0.5}


def made(changed) -> Architecture:
    return Architecture(tuple((("off" if u in changed else "on",),) for u in range(STAGES)))


@pytest.fixture(scope="module")
def planted() -> Fit:
    """60 single changes and 150 joint rows, in which two pairs interact."""
    stages = [{"name": f"block{n}", "depth": [1], "features": {"attn": ["on", "off"]}} for n in range(STAGES)]
    space = space_from_dict(
        {
            "name": "planted",
            "metrics": {"loss": {"direction": "minimize", "unit": "nats"}},
            "stages": stages,
            "reference": {"stages": [[{"attn": "on"}]] * STAGES},
        }
    )
    rows = [made([]), *(made([u]) for u in range(STAGES))]
    rows += changed_sample(space, made([]), 150, 0, changes=(2, 12))
    x = np.array([[layer[0] == "off" for (layer,) in row.modules] for row in rows], dtype=float)
    labels = 2 + x @ np.random.default_rng(0).lognormal(-2, 1, STAGES)
    labels += sum(size * x[:, u] * x[:, v] for (u, v), size in PLANTED.items())
    labels += 0.01 * np.random.default_rng(1).normal(size=len(rows)) * (x.sum(axis=1) > 1)
    table = Table(space, tuple(f"r{n}" for n in range(len(rows))), tuple(rows), {"loss": labels}, ())
    return fit(table, ["loss"], recipe=AdditiveRecipe(samples=2, folds=2), baselines=False)


@pytest.fixture(scope="module")
def pairs(planted):
    [target] = explain_data(planted)["targets"]
    return target["pairs"]


def test_named_pairs_are_sentences_in_the_unit(pairs):
    assert {tuple(one["stages"]) for one in pairs["named"]} == {
        (f"block{u}", f"block{v}") for u, v in PLANTED
    }
    for one in pairs["named"]:
        true = next(e for (u, v), e in PLANTED.items() if f"block{u}" in one["stages"])
        assert one["effect"] == pytest.approx(true, abs=4 * one["std"])
    first = pairs["named"][0]
    start = f"{first['first']} and {first['second']} together: "
    assert first["first"].endswith(".attn = off")
    assert pairs["sentences"][0].startswith(start)
    assert " nats beyond their sum" in pairs["sentences"][0]
    assert "compared with the reference" in pairs["sentences"][-1]


def test_no_pair_is_one_sentence(additive):
    [target] = explain_data(additive)["targets"]
    assert target["pairs"]["named"] == []
    [sentence] = target["pairs"]["sentences"]
    assert sentence.startswith("No ")


def test_the_map_has_a_frame_for_every_named_pair(pairs):
    names = [f"block{n}" for n in range(STAGES)]
    drawn = str(pair_map(pairs, names, -1, Scale(0, 2, "nats")))
    assert drawn.count('class="named"') == len(PLANTED)
    assert len(drawn) < 60_000
    nothing = {**pairs, "named": [], "map": [{**c, "effect": 0.0, "named": False} for c in pairs["map"]]}
    assert pair_map(nothing, names, -1, Scale(0, 2)) is None


@pytest.mark.parametrize("width", [1280, 400])
def test_the_map_is_readable_on_a_screen_and_a_phone(visit, planted, tmp_path, width):
    write_report(planted, tmp_path / "report.html", top=2)
    page = visit(tmp_path / "report.html", width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    sizes = page.evaluate(
        "[...document.querySelectorAll('svg.pair-map text')].map((t) => t.getBoundingClientRect().height)"
    )
    assert len(sizes) == 2 * STAGES // 10 + len(PLANTED)
    assert min(sizes) >= 8
    box = page.query_selector("svg.pair-map").bounding_box()
    assert 300 <= box["width"] <= 520
    assert texts_outside(page) == []
