"""All that a run tells, as plain data: what the report draws and what ``nasbuild explain`` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nasbuild.report._color import choice_text
from nasbuild.report._data_features import features_data
from nasbuild.report._data_labels import labels_data
from nasbuild.report._data_modules import modules_data
from nasbuild.report._data_run import made_data, space_data, table_data
from nasbuild.report._data_trust import trust_data
from nasbuild.report._numbers import correlation

if TYPE_CHECKING:
    from nasbuild.score import Learnt, Run


def explain_data(run: Run, *, modules: int = 3) -> dict[str, Any]:
    """What was learnt, as JSON data.

    Parameters
    ----------
    modules
        How many of the best and of the worst modules of each stage.

    Returns
    -------
    ``space``, ``table`` and ``made`` of the run, and ``targets``: for each its ``target``,
    ``direction`` and ``unit``, its ``labels``, ``trust``, ``features`` and ``stages``, the
    ``findings`` in sentences and the ``next`` steps. Scores are in the target's unit. Choices and
    modules stand best first by the target's direction.
    """
    table = table_data(run.table)
    return {
        "space": space_data(run.space),
        "table": table,
        "targets": [_target(run, learnt, table["next"], modules) for learnt in run.learnt],
        "made": made_data(run),
    }


def head_data(learnt: Learnt) -> dict[str, Any]:
    """Name, direction and unit of a target."""
    target = learnt.target
    return {
        "target": target.name,
        "direction": "maximize" if target.sign > 0 else "minimize",
        "unit": target.unit,
    }


def _target(run: Run, learnt: Learnt, advice: list[dict], modules: int) -> dict[str, Any]:
    labels, trust = labels_data(run, learnt), trust_data(run, learnt)
    features, stages = features_data(run, learnt), modules_data(run, learnt, modules)
    steps = [*trust["next"], *stages["next"], *features["next"], *labels["next"], *advice]
    return {
        **head_data(learnt),
        "labels": labels,
        "trust": trust,
        "features": features["features"],
        "stages": stages["stages"],
        "findings": findings(trust, features, stages),
        "next": steps,
    }


def findings(trust: dict[str, Any], features: dict[str, Any], modules: dict[str, Any]) -> list[str]:
    """What was learnt about features and stages, in sentences; nothing where nothing can be believed."""
    if trust["level"] == "none":
        return []
    found = []
    own = [f for f in features["features"] if f["kind"] == "feature"]
    if own:
        first = own[0]
        best, worst = (choice_text(first["choices"][i]["choice"]) for i in (0, -1))
        text = f"The feature that matters most is {first['feature']}: best is {best}, worst {worst}"
        text += f"; then {', '.join(f['feature'] for f in own[1:3])}" if own[1:] else ""
        found.append(
            f"{text} (features alone order unseen architectures with SRCC {correlation(features['hop_0'])})."
        )
    stages = sorted(modules["stages"], key=lambda s: -s["span"])
    if len(stages) > 1:
        found.append(
            f"The modules of {stages[0]['name']} differ most in score, those of {stages[-1]['name']} least."
        )
    return found
