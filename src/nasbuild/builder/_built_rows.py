"""Built architectures as rows of plain data, for files and frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nasbuild.builder._topk import Built
from nasbuild.builder._within_bounds import expected_values
from nasbuild.score import Fit, TargetFit
from nasbuild.space import architecture_id, to_dict


def built_rows(
    fit: Fit, target_fit: TargetFit, built: Sequence[Built], also: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """Built architectures as rows of ``archs.jsonl``, with scores; ``metrics`` holds known labels.

    ``expected`` holds what is predicted of other targets, named in ``also``, or known exactly.
    """
    told: list[dict[str, Any]] = [{} for _ in built]
    for name in dict.fromkeys(also):
        value, std = expected_values(fit, name, [one.architecture for one in built])
        for n, row in enumerate(told):
            row[name] = {"prediction": float(value[n]), "std": float(std[n])}
    rows = []
    for one, more in zip(built, told, strict=True):
        known = fit.table.row_of.get(one.architecture)
        values = {} if known is None else {m: float(v[known]) for m, v in fit.table.columns.items()}
        rows.append(
            {
                "id": architecture_id(fit.space, one.architecture) if known is None else fit.table.ids[known],
                "arch": to_dict(fit.space, one.architecture),
                "metrics": {m: v if v == v else None for m, v in values.items()},
                "target": target_fit.target.name,
                "score": one.score,
                "shares": list(one.shares),
                "prediction": one.prediction,
                "std": one.std,
                "extrapolates": one.extrapolates,
                **({"expected": more} if also else {}),
            }
        )
    return rows
