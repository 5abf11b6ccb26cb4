"""``shrink-model``: a language model made smaller, from its file to files of smaller models."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nasbuild.cli._optimize import REPORT, write_rounds
from nasbuild.cli._options import JsonOption, WorkersOption
from nasbuild.cli._output import Output, number
from nasbuild.cli._space import TypesOption, VaryOption, names

if TYPE_CHECKING:
    from nasbuild.api import ShrunkModel, SmallModel


def shrink_model(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="language model: GGUF file or Hugging Face folder")
    ],
    text: Annotated[
        list[str],
        typer.Option(
            "--text", help="text file, or a pattern of files; may be repeated. Half is kept for the test"
        ),
    ],
    budget: Annotated[
        list[str],
        typer.Option(
            "--budget",
            metavar="BOUND",
            help="bound on bytes, params, macs (a token) or kv_bytes: 'bytes <= 60e6'; several values are several budgets: "
            "'bytes <= 60e6 | 70e6'; may be repeated for other costs",
        ),
    ],
    out_folder: Annotated[Path, typer.Option("--out", help="folder of measurements, report and models")],
    vary: VaryOption = "attention,mlp",
    types: TypesOption = None,
    evaluations: Annotated[
        int, typer.Option("--evaluations", min=20, help="measurements on the text, for all budgets together")
    ] = 150,
    context: Annotated[int, typer.Option("--context", min=2, help="tokens of a window of text")] = 512,
    windows: Annotated[int, typer.Option("--windows", min=1, help="windows of text for learning")] = 4,
    test_windows: Annotated[
        int, typer.Option("--test-windows", min=2, help="windows of text for the test")
    ] = 16,
    workers: WorkersOption = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="seed of the loop and its fits")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Make a language model smaller: measure, learn, build, test on other text, write.

    The same command resumes a stopped one.
    """
    from nasbuild.api import shrink_model as run
    from nasbuild.optimize import FIT

    out = Output(as_json)
    found = out_folder / "found"

    out.line(
        f"{model.name}: {', '.join(names(vary))} vary; {evaluations:,} evaluations of the loss on {', '.join(text)}"
    )
    with out.progress(f"stopped: measurements are in {out_folder}; the same command resumes") as move:
        result = run(
            model,
            text,
            budget,
            out=out_folder,
            vary=names(vary),
            types=names(types),
            evaluations=evaluations,
            context=context,
            windows=windows,
            test_windows=test_windows,
            workers=workers,
            seed=seed,
            progress=move,
            on_round=lambda state: write_rounds(state, found, found / FIT),
        )
    _print(out, result)
    for one in result.best:
        if one.model is not None:
            out.line(f"written: {one.model}")
        for note in one.notes:
            out.line(f"note: {one.where}: {note}", "yellow")
    out.line(
        f"what each part is worth: nasbuild explain {shlex.quote(str(found / FIT))}, or {found / REPORT}"
    )
    unchanged = {**result.costs, "loss": result.loss, "test_loss": result.test_loss}
    out.json(
        {
            "out": str(out_folder),
            "evaluated": len(result.state.evaluated.architectures),
            "unchanged": {key: value if value == value else None for key, value in unchanged.items()},
            "models": [asdict(one) for one in result.best],
        }
    )


def _print(out: Output, result: ShrunkModel) -> None:
    out.line("\nthe best measured within each budget, in nats a token", "bold")
    size, params = result.costs["bytes"], result.costs["params"]
    first = [
        "unchanged",
        f"{size:,.0f}",
        f"{params / 1e6:.1f}",
        number(result.loss),
        "",
        number(result.test_loss),
        "",
    ]
    header = ["budget", "bytes", "params [M]", "loss", "predicted", "on other text", "above unchanged"]
    out.table(header, [first, *(_row(one) for one in result.best)], right=range(1, len(header)))
    out.line(
        "the loss chose each model; the loss on other text, which no model was chosen by, is the one to expect"
    )


def _row(one: SmallModel) -> list[str]:
    if one.costs is None or one.loss is None or one.test_loss is None or one.test_change is None:
        return [one.where, "none measured", *[""] * 5]
    predicted = (
        "" if one.predicted is None or one.std is None else f"{number(one.predicted)} ± {number(one.std)}"
    )
    error = "" if one.test_error is None else f" ± {one.test_error:.3f}"
    return [
        one.where,
        f"{one.costs['bytes']:,.0f}",
        f"{one.costs['params'] / 1e6:.1f}",
        number(one.loss),
        predicted,
        number(one.test_loss),
        f"{one.test_change:+.3f}{error}",
    ]
