"""Built architectures as a table on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nasbuild.cli._output import Output, number

if TYPE_CHECKING:
    from nasbuild.score import Fit, TargetFit


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
