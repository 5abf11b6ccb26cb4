"""The cards of a race and of the live demo."""

from __future__ import annotations

import re
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from nasbuild.optimize import LiveChoice, LossGap, Race, Racer
from nasbuild.report._live_card import draw_live, live_data
from nasbuild.report.data._race import race_data
from nasbuild.report.draw._race_plot import draw_race
from nasbuild.search import parse_goal
from nasbuild.table import load_builtin

TABLE = load_builtin("digits-macro")
TARGET = parse_goal(TABLE.space, ["loss"], (), TABLE.metrics).targets[0]
A, B, C = TABLE.architectures[:3]


def raced(**more):
    racers = (
        Racer(A, 0.42, 0.41, 0.02, (0.40, 0.38, 0.36)),
        Racer(B, 0.37, 0.39, 0.02, (0.45,)),
        Racer(C, 0.41, np.nan, np.nan),
    )
    return Race(racers, {}, **{"spent": 5, "failed": 1, "same": False, **more})


def test_race_data_has_every_repetition():
    data = race_data(raced(), TARGET, TABLE.space)
    first, second, third = data["racers"]
    assert (first["id"], first["readings"]) == (TABLE.ids[0], [0.40, 0.38, 0.36])
    assert first["mean"] == pytest.approx(0.38)
    assert first["error"] == pytest.approx(stats.sem([0.40, 0.38, 0.36]))
    assert (second["mean"], second["error"]) == (0.45, None)
    assert (third["mean"], third["predicted"]) == (0.41, None)
    assert data["health"] == {"level": "note", "text": "1 of 5 repetitions failed."}
    assert race_data(raced(failed=0), TARGET, TABLE.space)["health"]["level"] == "ok"
    same = race_data(raced(failed=0, same=True), TARGET, TABLE.space)["health"]
    assert same["level"] == "note"
    assert "this evaluator has no noise" in same["text"]


def test_a_race_plot_has_a_dot_per_repetition():
    picture = draw_race(race_data(raced(), TARGET, TABLE.space))["plot"]
    dots = {kind: re.findall(rf'd="([^"]*)" class="dot {kind}"', picture) for kind in ("shade1", "shade4")}
    assert [d.count("M") for d in dots["shade1"]] == [1, 1, 1]
    assert [d.count("M") for d in dots["shade4"]] == [3, 1]
    assert "mean is 0.38" in picture
    # The bar of the mean stands between the readings, to the left of the greatest.
    places = [float(x) for x in re.findall(r"M([\d.]+) ", dots["shade4"][0])]
    bar = re.search(r'd="M([\d.]+) [\d.]+H([\d.]+)M([\d.]+) [\d.]+V[\d.]+" class="mark"', picture)
    low, high, mean = map(float, bar.groups())
    assert mean == pytest.approx(np.mean(places), abs=0.1)
    assert high - mean == pytest.approx(stats.sem(places), abs=0.1) == pytest.approx(mean - low, abs=0.1)


@pytest.mark.parametrize(
    ("others", "level", "words"),
    [
        ((0.5, 0.6, 0.55), "ok", "The loop chose the better network, by 0.1500 ± 0.0000 nats over 3 fresh"),
        ((0.3, 0.38, 0.32), "warn", "Random search chose the better network, by 0.0667 ± 0.0088 nats"),
        (
            (0.45, 0.35, 0.41),
            "note",
            "No significant difference in 3 fresh trainings: the loop's loss is 0.0033",
        ),
    ],
)
def test_the_live_card_reports_only_significant_differences(others, level, words):
    built = LiveChoice("a", A, (0.42, 0.38), (0.35, 0.45, 0.4), 0.4, 5)
    drawn = LiveChoice("b", B, (0.4,), others, 0.4, 7)
    live = SimpleNamespace(
        built=built,
        drawn=drawn,
        gap=LossGap.between(built, drawn),
        trainings=5,
        losses=(0.5, 0.4, 0.45),
        random=(0.5, 0.4, 0.6, 0.3, 0.35),
    )
    data = live_data(live)
    assert data["health"]["level"] == level
    assert words in data["health"]["text"]
    assert (data["trainings"], data["explored"]) == (5, 3)
    assert data["choices"][0]["measured"] == pytest.approx(0.4)
    assert [row["trainings"] for row in data["choices"]] == [2, 1]
    assert data["best"] == {"the loop": [0.5, 0.4, 0.4], "random search": [0.5, 0.4, 0.4, 0.3, 0.3]}
    assert "Best measured loss over 5 trainings" in draw_live(data)["plot"]
