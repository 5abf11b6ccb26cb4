"""Plain data about built architectures: the best by summed module scores, held against the labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nasbuild.report.data._features import Guesses
from nasbuild.report.data._health import DOUBT, OF_TRUST, health
from nasbuild.report.data._recipe_kind import kind_of
from nasbuild.space import architecture_id, to_dict

if TYPE_CHECKING:
    from nasbuild.score import Fit, TargetFit

_LEAST = 0.75  # share of the labels that the best built one is expected to pass


def built_data(fit: Fit, target_fit: TargetFit, top: int) -> dict[str, Any]:
    """The best architectures by summed module scores, with predictions, and labels where there are any."""
    from nasbuild.builder import build, buildable

    built = build(target_fit, top)
    label_of = dict(zip(target_fit.labels.rows.tolist(), target_fit.labels.values.tolist(), strict=True))
    rows, guesses = [], Guesses(fit, target_fit)
    for n, b in enumerate(built):
        row = fit.table.row_of.get(b.architecture)
        rows.append(
            {
                "rank": n + 1,
                "id": architecture_id(fit.space, b.architecture),
                "arch": to_dict(fit.space, b.architecture),
                "score": b.score,
                "shares": list(b.shares),
                "prediction": b.prediction,
                "std": b.std,
                "extrapolates": b.extrapolates,
                "in_table": None if row is None else fit.table.ids[row],
                "label": None if row is None else label_of.get(row),
                "guesses": [g for u, module in enumerate(b.architecture) for g in guesses.of(u, module)],
            }
        )
    sign, values = target_fit.target.sign, target_fit.labels.values
    best = float(values[int(np.argmax(sign * values))])
    beyond = sum(sign * r["prediction"] > sign * best for r in rows)
    passed = float(np.mean(sign * rows[0]["prediction"] > sign * values))
    new = [r for r in rows if r["in_table"] is None]
    found = []
    if target_fit.trust.level in DOUBT:
        found.append(
            (
                OF_TRUST[target_fit.trust.level],
                f"the module scores behind this order {DOUBT[target_fit.trust.level]}",
            )
        )
    guessed = sum(bool(r["guesses"]) for r in rows)
    if guessed:
        found.append(
            ("warn", f"{guessed} of {len(rows)} have something that hardly any label tells of, see the table")
        )
    advice = []
    if new:
        ranks = ", ".join(str(r["rank"]) for r in new[:3])
        text = (
            f"Evaluate the first built architectures that have no label yet (rank {ranks}), "
            "add them to the table and fit again."
        )
        advice.append({"kind": "evaluate", "text": text, "ids": [r["id"] for r in new[:3]]})
    if passed < _LEAST:
        found.append(("warn", f"the first one is predicted better than only {passed:.0%} of the labels"))
        text = (
            "Summed module scores and predictions contradict each other: the first built architecture is "
            f"predicted better than only {passed:.0%} of the labels. Find out which of them is right "
            "before building more."
        )
        advice.insert(0, {"kind": "contradiction", "text": text})
    fine = (
        f"{len(new)} of {len(rows)} are not in the table yet; "
        f"{beyond} of {len(rows)} are predicted beyond the best label"
    )
    if passed < 1:
        fine += f", the first better than {passed:.0%} of the labels"
    return {
        "kind": kind_of(fit),
        "built": rows,
        "best_label": best,
        "beyond": int(beyond),
        "better_than": passed,
        "new": len(new),
        "buildable": buildable(target_fit),
        "health": health(found, fine),
        "next": advice,
    }
