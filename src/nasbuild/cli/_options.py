"""Arguments and options that several commands share."""

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
    str | None,
    typer.Option(
        "--space",
        help="space.yaml, or the name of a built-in space; default: inferred from --data, as nasbuild init does",
    ),
]
GraphsOption = Annotated[
    Path | None,
    typer.Option(
        "--graphs",
        help="networks from nasbuild import, in place of --space; --data then holds ids and metrics",
    ),
]
DataOption = Annotated[
    list[str],
    typer.Option(
        "--data",
        help="table of evaluated architectures: .jsonl[.gz], .json, .csv[.gz], .tsv, .xlsx, .parquet, .yaml, a storage of "
        "Optuna (sqlite:///FILE, journal .log), - for JSON Lines on standard input, the name of a built-in table, or a fit "
        "folder; may be repeated: tables are joined by architecture, or by id where one has no architectures",
    ),
]
MergeOption = Annotated[
    str | None,
    typer.Option("--merge", metavar="STAGE", help="merge this stage with the next one"),
]
CostsOption = Annotated[
    str | None,
    typer.Option(
        "--costs",
        help="CSV file of the cost of each choice; columns stage, layer, feature, choice, cost, value",
    ),
]
FixOption = Annotated[
    list[str] | None,
    typer.Option(
        "--fix",
        metavar="PART",
        help="hold a part fixed: 'stage3.depth = 2', 'block0.*.attn = on', 'stage1.0.kernel in 3, 5', "
        "'globals.resolution = 192'; may be repeated",
    ),
]
SkipOption = Annotated[bool, typer.Option("--skip-bad", help="skip bad rows and list them")]
JsonOption = Annotated[bool, typer.Option("--json", help="print one JSON object (docs/json.md)")]
OutOption = Annotated[
    Path,
    typer.Option(
        "--out",
        help="file to write, in the format of its ending: .jsonl[.gz], .json, .csv[.gz], .tsv, .parquet, .yaml",
    ),
]
FitArgument = Annotated[Path, typer.Argument(metavar="FIT", help="fit folder, written by nasbuild fit")]
TargetOption = Annotated[str | None, typer.Option("--target", help="a target of the fit; default: the first")]
EvaluatorOption = Annotated[
    str,
    typer.Option(
        "--evaluator",
        help="FILE.py:FUNCTION or MODULE:FUNCTION, which maps an architecture to a dict of metrics; 'command:PROGRAM "
        "ARGUMENTS'; costs:NETWORK or latency:NETWORK[,OPTION=VALUE ...], where NETWORK is digits or "
        "FILE.py:FUNCTION@1x3x224x224 (returns the torch module of an architecture; the input shape follows the @); "
        "digits, which trains; or a table to look results up in",
    ),
]
StoreOption = Annotated[
    str,
    typer.Option("--store", metavar="URL", help="SQLite file, or postgresql+psycopg://USER@HOST/DATABASE"),
]
WorkersOption = Annotated[
    int | None,
    typer.Option(
        "--workers",
        min=1,
        help="worker processes, so that a crash loses one evaluation; default: this process",
    ),
]
LimitOption = Annotated[
    float | None,
    typer.Option(
        "--limit",
        metavar="SECONDS",
        callback=_positive,
        help="time limit of an evaluation; beyond it, the evaluation fails and its processes are ended",
    ),
]
RetryOption = Annotated[bool, typer.Option("--retry-failed", help="evaluate failed architectures again")]
AgainOption = Annotated[
    bool,
    typer.Option("--again", help="evaluate again what an earlier version of the evaluator measured"),
]
SalvageOption = Annotated[
    str | None,
    typer.Option(
        "--salvage", metavar="URL", help="first copy all intact rows of this damaged store into --store"
    ),
]
