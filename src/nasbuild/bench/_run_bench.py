"""All cells, draws and methods: in processes, written to disk as they come, resumed where they stopped."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from nasbuild._atomic_write import write_text
from nasbuild._processes import end_with_parent
from nasbuild.bench._cells import METHODS, QUICK_DRAWS, Cell, cells
from nasbuild.bench._external_baselines import BASELINES, installed
from nasbuild.bench._measure import measure
from nasbuild.errors import NasbuildError
from nasbuild.predictor import recipe
from nasbuild.score import versions

_Job = tuple[int, str, Cell]
"""Draw, method, cell."""
Progress = Callable[[int, int, str], None]
"""Called with the fits done, the fits in all, and what was done last."""


def bench_scores(
    data: Path,
    out: Path,
    *,
    methods: Sequence[str] = METHODS,
    quick: bool = False,
    draws: int | None = None,
    workers: int = 1,
    progress: Progress = lambda *_: None,
) -> dict[str, Any]:
    """Measure all methods on the same draws of all cells.

    The first draws of all cells come first and recipe ``paper`` last, so that an unfinished result covers all cells.
    Results that ``out`` already holds are kept, unless their recipe has changed.

    Parameters
    ----------
    data
        Folder of the tables.
    draws
        Maximum draws of each cell; if None, all of them, or three in the quick form.

    Raises
    ------
    NasbuildError
        If a table is missing, ``out`` holds something else, or a method's package is not installed.
    """
    for method in methods:
        if not installed(method):
            raise NasbuildError(
                f"method {method!r} needs a package that is not installed",
                allowed=tuple(m for m in METHODS if installed(m)),
                todo="pip install 'nasbuild[bench]', or leave it out with --method",
            )
    most = draws or (QUICK_DRAWS if quick else max(cell.draws for cell in cells()))
    wanted = [
        (draw, method, cell)
        for cell in cells(quick)
        for draw in range(min(cell.draws, most))
        for method in methods
    ]
    result = _earlier(out)
    recipes = {m: {"name": m} if m in BASELINES else recipe(m).as_dict() for m in methods}
    stale = {m for m, earlier in result["recipes"].items() if m in recipes and earlier != recipes[m]}
    result["rows"] = [row for row in result["rows"] if row["method"] not in stale]
    result["recipes"] |= recipes
    done = {(row["draw"], row["method"], row["cell"]) for row in result["rows"]}
    left = [job for job in wanted if (job[0], job[1], job[2].name) not in done]
    # Recipe paper is slowest and comes last; before it, draw after draw of all cells.
    left.sort(key=lambda job: (job[1] == "paper", job[0], job[2].size, METHODS.index(job[1])))
    for _, _, cell in left:
        _require(data, cell)
    # An unwritable place should fail before hours of work.
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NasbuildError(f"its folder can't be made ({error.strerror})", where=str(out)) from None
    write_text(out, json.dumps(result, indent=1) + "\n")
    total, count = len(wanted), len(wanted) - len(left)
    for row in _measured(data, left, workers):
        result["rows"].append(row)
        count += 1
        write_text(out, json.dumps(result, indent=1) + "\n")
        progress(count, total, f"{row['cell']}, draw {row['draw']}, {row['method']}")
    return result


def _measured(data: Path, jobs: Sequence[_Job], workers: int) -> Iterator[dict[str, Any]]:
    """Results of the jobs as they finish, in this process or in several workers."""
    if workers <= 1:
        for draw, method, cell in jobs:
            yield measure(data, cell, draw, method)
        return
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), end_with_parent) as pool:
        futures = [pool.submit(measure, data, cell, draw, method) for draw, method, cell in jobs]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _earlier(out: Path) -> dict[str, Any]:
    if not out.exists():
        return {"benchmark": "scores", "versions": versions(), "recipes": {}, "rows": []}
    try:
        result = json.loads(out.read_text(encoding="utf-8"))
        if result["benchmark"] == "scores" and isinstance(result["rows"], list):
            return result
    except (ValueError, KeyError, TypeError, OSError):
        pass
    raise NasbuildError("is no result of this benchmark", where=str(out), todo="give another --out")


def _require(data: Path, cell: Cell) -> None:
    if cell.table != "digits-macro" and not (data / cell.table / "archs.jsonl.gz").is_file():
        raise NasbuildError(
            f"there is no table {cell.table!r}",
            where=str(data),
            todo="give the folder of the tables with --data",
        )
