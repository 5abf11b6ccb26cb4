"""Plain data about the best architectures by summed module scores, compared with the labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nasbuild.report.data._architecture_rows import ArchitectureRows
from nasbuild.report.data._features import RarelyLabelled
from nasbuild.report.data._health import DOUBT, OF_TRUST, extrapolating, health
from nasbuild.report.data._number_format import percent
from nasbuild.report.data._recipe_kind import kind_of

if TYPE_CHECKING:
    from nasbuild.score import Fit, TargetFit

_EXPECTED = 0.75  # share of the labels that the first architecture should be predicted to exceed


def built_data(
    fit: Fit, target_fit: TargetFit, top: int, every: ArchitectureRows | None = None
) -> dict[str, Any]:
    """Returns the best architectures by summed module scores, with predictions, and labels if known.

    ``every`` makes the rows, with every target and cost; share it between cards of one page.
    """
    from nasbuild.builder import build, count_buildable

    built = build(target_fit, top)
    label_of = dict(zip(target_fit.labels.rows.tolist(), target_fit.labels.values.tolist(), strict=True))
    every = every or ArchitectureRows(fit)
    rows, rare = [], RarelyLabelled(fit, target_fit)
    own = every.rows([b.architecture for b in built], selected=len(built), by=[target_fit.target.name])
    for n, (b, known) in enumerate(zip(built, own, strict=True)):
        row = fit.table.row_of.get(b.architecture)
        rows.append(
            {
                **known,
                "kind": "built",
                "rank": n + 1,
                "score": b.score,
                "shares": list(b.shares),
                "prediction": b.prediction,
                "std": b.std,
                "extrapolates": b.extrapolates,
                "label": None if row is None else label_of.get(row),
                "rarely_labelled": [r for u, module in enumerate(b.architecture) for r in rare.of(u, module)],
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
    uncertain = sum(bool(r["rarely_labelled"]) for r in rows)
    if uncertain:
        found.append(("warn", f"{uncertain} of {len(rows)} have parts with few or no labels, see the table"))
    found += extrapolating(rows)
    advice = []
    if new:
        ranks = ", ".join(str(r["rank"]) for r in new[:3])
        text = (
            f"Evaluate the first built architectures without a label (rank {ranks}), "
            "add them to the table and fit again."
        )
        advice.append({"kind": "evaluate", "text": text, "ids": [r["id"] for r in new[:3]]})
    if passed < _EXPECTED:
        found.append(("warn", f"the first one is predicted to exceed only {percent(passed)} of the labels"))
        text = (
            "Summed module scores and predictions disagree: the first built architecture is "
            f"predicted to exceed only {percent(passed)} of the labels. Evaluate it to find out which is right "
            "before building more."
        )
        advice.insert(0, {"kind": "contradiction", "text": text})
    fine = (
        f"{len(new)} of {len(rows)} are not in the table; "
        f"{beyond} of {len(rows)} are predicted better than the best label"
    )
    if passed < 1:
        fine += f", the first better than {percent(passed)} of the labels"
    return {
        "kind": kind_of(fit),
        "built": rows,
        "columns": every.columns,
        "reference": {"id": every.reference.id, "text": every.reference.text},
        "near": sum(abs(r["prediction"] - rows[0]["prediction"]) <= rows[0]["std"] for r in rows),
        "best_label": best,
        "beyond": int(beyond),
        "better_than": passed,
        "new": len(new),
        "buildable": count_buildable(target_fit),
        "health": health(found, fine),
        "next": advice,
    }
