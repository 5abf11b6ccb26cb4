"""The card of the rounds of the closed loop."""

from __future__ import annotations

import re

import numpy as np

from nasbuild.optimize import BUILT, RANDOM, Candidate, RoundPlan
from nasbuild.optimize._round_summary import gather_rounds
from nasbuild.predictor import recipe
from nasbuild.report import report_html
from nasbuild.report.data._rounds import rounds_data
from nasbuild.score import fit
from nasbuild.search import parse_goal
from nasbuild.table import load_builtin

TABLE = load_builtin("digits-macro").select(range(0, 1728, 50))


def evaluated(targets, note=""):
    goal = parse_goal(TABLE.space, targets, (), TABLE.metrics)
    some = [Candidate(a, RANDOM) for a in TABLE.architectures[:20]]
    more = [Candidate(a, BUILT) for a in TABLE.architectures[20:30]]
    nothing = np.full((20, len(targets)), np.nan)
    predicted = np.linspace(0.4, 0.5, 10 * len(targets)).reshape(10, -1)
    rounds = [
        RoundPlan(tuple(some), nothing, nothing),
        RoundPlan(tuple(more), predicted, predicted / 10, note),
    ]
    metrics = {
        a: {
            "loss": float(TABLE.columns["loss"][i]) if i != 4 else None,
            "macs": float(TABLE.columns["macs"][i]),
        }
        for i, a in enumerate(TABLE.architectures[:30])
    }
    return gather_rounds(goal, rounds, metrics, TABLE.space)


def test_rounds_data():
    data = rounds_data(evaluated(["loss"]), TABLE.space)
    (target,) = data["targets"]
    loss = [v if i != 4 else None for i, v in enumerate(TABLE.columns["loss"][:30].tolist())]
    assert target["values"] == loss
    known = [v for v in loss if v is not None]
    assert target["best"][0] == loss[0]
    assert target["best"][4] == min(loss[:4])
    assert target["best"][-1] == min(known)
    assert target["best_round"] == (0 if min(known) in loss[:20] else 1)
    assert target["predicted"][:20] == [None] * 20
    assert data["starts"] == [0, 20]
    assert data["health"] == {"level": "note", "text": "1 of 30 evaluations failed."}


def test_only_the_page_of_a_loop_has_a_card_of_rounds():
    fitted = fit(TABLE, ["loss", "macs"], recipe=recipe("ridge"), baselines=False)
    page = report_html(fitted, evaluated=evaluated(["loss", "macs"], "only <2> rows"))
    assert len(re.findall('id="rounds"', page)) == 1
    assert "round 1 is random: only &lt;2&gt; rows" in page
    assert "Hypervolume</th>" in page
    assert page.count("evaluations in order, with the best so far as a line") == 2
    assert 'class="card failed"' not in page
    assert "Traceback" not in page
    assert 'id="rounds"' not in report_html(fitted)
