"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nasbuild.errors import NasbuildError


def _positive(limit: float | None) -> float | None:
    if limit is not None and not limit > 0:
        raise NasbuildError(f"the limit is {limit:g} s", where="--limit", allowed="numbers above 0")
    return limit


SpaceOption = Annotated[str, typer.Option("--space", help="space.yaml, or the name of a built-in space")]
SpaceOrGraphsOption = Annotated[
    str | None, typer.Option("--space", help="space.yaml, or the name of a built-in space")
]
GraphsOption = Annotated[
    Path | None,
    typer.Option(
        "--graphs",
        help="instead of a space: networks, made by nasbuild import; then --data has id and metrics",
    ),
]
DataOption = Annotated[
    str,
    typer.Option(
        "--data",
        help="table: .jsonl[.gz], .json, .csv, .tsv, .parquet, .yaml, - for JSON Lines on standard input, or a built-in one",
    ),
]
MergeOption = Annotated[
    str | None,
    typer.Option("--merge", metavar="STAGE", help="join this stage and the one after it into one"),
]
CostsOption = Annotated[
    str | None,
    typer.Option(
        "--costs", help="costs.csv: what choices cost; columns stage, layer, feature, choice, cost, value"
    ),
]
FixOption = Annotated[
    list[str] | None,
    typer.Option(
        "--fix",
        metavar="PART",
        help="'stage3.depth = 2', 'block0.*.attn = on', 'stage1.0.kernel in 3, 5', 'globals.resolution = 192': hold a "
        "part fixed; may be repeated",
    ),
]
SkipOption = Annotated[bool, typer.Option("--skip-bad", help="leave bad rows out and list them")]
JsonOption = Annotated[bool, typer.Option("--json", help="print JSON, for machines (docs/json.md)")]
OutOption = Annotated[
    Path,
    typer.Option(
        "--out",
        help="file to write; its ending tells the form: .jsonl[.gz], .json, .csv[.gz], .tsv, .parquet, .yaml",
    ),
]
FitArgument = Annotated[Path, typer.Argument(metavar="RUN", help="run folder, made by nasbuild fit")]
TargetOption = Annotated[
    str | None, typer.Option("--target", help="one of the run's targets; the first if not given")
]
EvaluatorOption = Annotated[
    str,
    typer.Option(
        "--evaluator",
        help="FILE.py:FUNCTION or MODULE:FUNCTION (a dict of metrics of an architecture); 'command:PROGRAM ARGUMENTS'; "
        "costs:NETWORK or latency:NETWORK[,OPTION=VALUE ...], where NETWORK is digits or FILE.py:FUNCTION@1x3x224x224 "
        "(a torch module of an architecture, and the shape of its input); digits (trains); or a table to look up in",
    ),
]
StoreOption = Annotated[
    str,
    typer.Option("--store", metavar="URL", help="file (SQLite) or postgresql+psycopg://USER@HOST/DATABASE"),
]
WorkersOption = Annotated[
    int | None,
    typer.Option(
        "--workers", min=1, help="processes that evaluate, and may die of it; this one if not given"
    ),
]
LimitOption = Annotated[
    float | None,
    typer.Option(
        "--limit",
        metavar="SECONDS",
        callback=_positive,
        help="that an evaluation may take; then it has failed, and all that it started is ended",
    ),
]
RetryOption = Annotated[bool, typer.Option("--retry-failed", help="evaluate those that failed once more")]
AgainOption = Annotated[
    bool,
    typer.Option("--again", help="evaluate once more what the evaluator told before its code was changed"),
]
SalvageOption = Annotated[
    str | None,
    typer.Option(
        "--salvage", metavar="URL", help="first take over all sound rows of this damaged store into --store"
    ),
]
