"""``bench``: the benchmarks behind the published figures."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from nasbuild.cli._options import JsonOption
from nasbuild.cli._output import Output

_NAMES = ("scores",)


def bench(
    name: Annotated[str, typer.Argument(metavar="NAME", help="name of the benchmark: scores")],
    data: Annotated[
        Path | None,
        typer.Option("--data", help="folder of the tables; default: $NASBUILD_DATA, else shared/data"),
    ] = None,
    out_file: Annotated[
        Path, typer.Option("--out", help="JSON file to write; results in it are not measured again")
    ] = Path("scores.json"),
    quick: Annotated[
        bool, typer.Option("--quick", help="only small tables and three draws; takes two minutes")
    ] = False,
    draws: Annotated[
        int | None, typer.Option("--draws", min=1, help="maximum number of draws per cell")
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option(
            "--method",
            help="default, ridge, lightgbm, marginal, catboost, botorch or paper; may be repeated; default: all installed",
        ),
    ] = None,
    workers: Annotated[int, typer.Option("--workers", min=1, help="worker processes")] = os.cpu_count() or 1,
    as_json: JsonOption = False,
) -> None:
    """Compare the module scores of all methods on the same labels. Takes hours; the same command resumes."""
    from nasbuild._file_formats import BENCHMARKS, check_output
    from nasbuild.bench import METHODS, behind, bench_scores, installed, margins, plot, summary
    from nasbuild.errors import NasbuildError

    if name not in _NAMES:
        raise NasbuildError(f"there is no benchmark {name!r}", allowed=_NAMES)
    for one in method or ():
        if one not in METHODS:
            raise NasbuildError(f"there is no method {one!r}", where="--method", allowed=METHODS)
    out = Output(as_json)
    check_output(out_file, BENCHMARKS, "a benchmark's figures")
    folder = _folder(data)
    with out.progress(f"stopped: results are in {out_file}; the same command resumes") as progress:
        result = bench_scores(
            folder,
            out_file,
            methods=tuple(dict.fromkeys(method)) if method else tuple(m for m in METHODS if installed(m)),
            quick=quick,
            draws=draws,
            workers=workers,
            progress=lambda done, total, _: progress("measuring", done, total),
        )
    tables = summary(result)
    for header, rows in tables:
        out.table(header, rows, right=range(1, len(header)))
    for line in margins(result):
        out.line(line)
    for cell, baseline, gap in behind(result, "prediction"):
        out.line(f"default's prediction is behind in {cell}: SRCC {gap:.3f} below {baseline}")
    if not method and (missing := [m for m in METHODS if not installed(m)]):
        out.line(f"not installed, so not measured: {', '.join(missing)} (pip install 'nasbuild[bench]')")
    pictures = [str(path) for path in plot(result, out_file)]
    out.line(f"{len(result['rows']):,} fits in {out_file}; plots in {', '.join(pictures)}")
    out.json(
        {
            "out": str(out_file),
            "rows": len(result["rows"]),
            "tables": [list(t) for t in tables],
            "plots": pictures,
        }
    )


def _folder(option: Path | None) -> Path:
    """Returns the folder of the tables: as given, else from the environment, else the default."""
    from nasbuild.errors import NasbuildError

    if option is not None:
        places = [option]
    elif os.environ.get("NASBUILD_DATA"):
        places = [Path(os.environ["NASBUILD_DATA"])]
    else:
        places = [Path("shared/data"), Path("../shared/data")]
    for place in places:
        if place.is_dir():
            return place
    raise NasbuildError(
        f"there is no folder {str(places[0])!r}",
        where="--data",
        todo="give the folder of the tables with --data",
    )
