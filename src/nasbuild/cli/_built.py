"""Built architectures as rows of a file and as a table on the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nasbuild.cli._output import Output, number

if TYPE_CHECKING:
    from nasbuild.builder import Built
    from nasbuild.score import Fit, TargetFit


def built_rows(
    fit: Fit, target_fit: TargetFit, built: Sequence[Built], also: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """Built architectures as rows of ``archs.jsonl``, with scores; ``metrics`` holds known labels.

    ``expected`` holds what is predicted of other targets, named in ``also``, or known exactly.
    """
    from nasbuild.builder import expected
    from nasbuild.space import architecture_id, to_dict

    told: list[dict[str, Any]] = [{} for _ in built]
    for name in dict.fromkeys(also):
        value, std = expected(fit, name, [one.architecture for one in built])
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


def print_built(
    out: Output, fit: Fit, target_fit: TargetFit, rows: list[dict[str, Any]], title: str, most: int = 20
) -> None:
    """Prints built architectures, best first; scores of neural networks don't sum to the target's unit."""
    from nasbuild.predictor import recipe_kind

    unit = f" [{target_fit.target.unit}]" if target_fit.target.unit else ""
    what = "predictions are y'" if recipe_kind(fit.recipe) == "network" else "scores and predictions y'"
    out.line(f"{title}; {what}{unit}")
    table = [
        [
            n,
            row["id"],
            number(row["score"]),
            f"{number(row['prediction'])} ± {number(row['std'])}",
            *(
                f"{number(b['prediction'])} ± {number(b['std'])}" if b["std"] else f"{b['prediction']:g}"
                for b in row.get("expected", {}).values()
            ),
            "in the table" if row["metrics"] else "extrapolates" if row["extrapolates"] else "",
        ]
        for n, row in enumerate(rows[:most], 1)
    ]
    expected = list(rows[0].get("expected", {})) if rows else []
    header = ["", "architecture", "score", "prediction", *expected, ""]
    out.table(header, table, right=[0, *range(2, len(header) - 1)])
    if len(rows) > most:
        out.line(f"... and {len(rows) - most:,} more")
