"""``equations``: equations that aim at parts of the predicted Pareto front."""

from __future__ import annotations

from typing import Annotated

import typer

from nasbuild.cli._options import FitArgument, JsonOption
from nasbuild.cli._output import Output, number


def equations(
    fit: FitArgument,
    n: Annotated[int, typer.Option("--n", min=1, help="number of equations")] = 4,
    target: Annotated[
        list[str] | None, typer.Option("--target", help="targets of the fit; default: all")
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            "--where",
            metavar="BOUND",
            help="'latency <= 6': only equations whose best architecture meets this bound",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Propose equations along the Pareto front. Each aims at a part of it; shows what it would build."""
    from nasbuild.builder import propose_equations, read_bounds
    from nasbuild.score import load_fit
    from nasbuild.space import architecture_id, to_dict

    out = Output(as_json)
    loaded = load_fit(fit, "space")
    names, found = propose_equations(loaded, n, targets=target or (), bounds=read_bounds(where or ()))
    rows = [
        {
            "equation": one.text,
            "id": architecture_id(loaded.space, one.architecture),
            "arch": to_dict(loaded.space, one.architecture),
            "expected": {
                name: {"prediction": float(value), "std": float(std)}
                for name, value, std in zip(names, one.prediction, one.std, strict=True)
            },
        }
        for one in found
    ]
    out.line(
        "each equation aims at another part of the predicted front; its best architecture, with predictions y'"
    )
    out.table(
        ["equation to maximise", *names, "architecture"],
        [
            [
                row["equation"],
                *(f"{number(e['prediction'])} ± {number(e['std'])}" for e in row["expected"].values()),
                row["id"],
            ]
            for row in rows
        ],
        right=range(1, len(names) + 1),
    )
    options = " ".join(f'--target "{row["equation"]}"' for row in rows)
    out.line(f"to fit scores for them: nasbuild fit ... {options}")
    out.json({"targets": list(names), "equations": rows})
