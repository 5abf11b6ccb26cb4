"""``evaluate``: metrics of given architectures, into a store that loses nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nasbuild.cli._options import EvaluatorOption, JsonOption, SpaceOption
from nasbuild.cli._output import Output
from nasbuild.errors import NasbuildError

if TYPE_CHECKING:
    from nasbuild.evaluate import Executor

_FIGURE = re.compile(r"\d[\d.,]*(?:e[-+]?\d+)?")
_REASONS = 3  # that are told


def evaluate(
    space: SpaceOption,
    evaluator: EvaluatorOption,
    archs: Annotated[
        Path, typer.Option("--archs", help="architectures, in any form of a table; - for standard input")
    ],
    store: Annotated[
        str,
        typer.Option(
            "--store", metavar="URL", help="file (SQLite) or postgresql+psycopg://USER@HOST/DATABASE"
        ),
    ],
    workers: Annotated[
        int | None,
        typer.Option("--workers", min=1, help="processes; 1 works in this one, with --ray local all cores"),
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option("--ray", metavar="ADDRESS", help="of a Ray cluster; 'local' starts one here"),
    ] = None,
    gpus: Annotated[
        float | None,
        typer.Option("--gpus", min=0, help="GPUs that an evaluation takes on the cluster, such as 0.25"),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="of trainings; each seed has results of its own")] = 0,
    limit: Annotated[
        float | None, typer.Option("--limit", metavar="SECONDS", help="that a command may take")
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="evaluate those that failed once more")
    ] = False,
    out_file: Annotated[
        Path | None, typer.Option("--out", help="also write all that the store has as a table")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Evaluate architectures; what the store knows is not repeated, a stopped run goes on with the same command."""
    from nasbuild._forms import ROWS, check_out
    from nasbuild.evaluate import Spec, Store, evaluate_all
    from nasbuild.space import architecture_id, load_space
    from nasbuild.table import read_architectures, write_table

    if limit is not None and limit <= 0:
        raise NasbuildError(f"the limit is {limit:g} s", where="--limit", allowed="numbers above 0")
    out = Output(as_json)
    executor = _executor(workers, ray, gpus)
    if out_file is not None:
        check_out(out_file, ROWS, "a table")
    definition = load_space(space)
    named = {a: name for name, a in read_architectures(archs, definition)}
    spec = Spec(evaluator, definition, seed, limit)
    # A mistake in its name should be known before processes start.
    spec.load()
    kept = Store(store, definition, evaluator, seed=seed)
    with out.progress(f"stopped: what was evaluated is in {store}; the same command goes on") as move:
        results = evaluate_all(
            spec,
            list(named),
            kept,
            executor=executor,
            again=retry_failed,
            progress=lambda done, total, failed: move(
                "evaluating", done, total, f"{failed} failed" if failed else ""
            ),
        )
    failed = {a: r.reason or "" for a, r in results.items() if r.metrics is None}
    away = len(named) - len(results)
    out.line(f"{len(results) - len(failed):,} of {len(named):,} architectures are evaluated, kept in {store}")
    for line in _why(list(failed.values())):
        out.line(f"note: {line}", "yellow")
    if away:
        out.line(f"note: {away:,} are under way in another process", "yellow")
    if out_file is not None:
        table = kept.table()
        write_table(table, out_file)
        out.line(f"{len(table):,} evaluations written to {out_file}")
    kept.close()
    out.json(
        {
            "store": store,
            "done": len(results) - len(failed),
            "under_way": away,
            "failed": {architecture_id(definition, a): reason for a, reason in failed.items()},
        }
    )


def _why(reasons: Sequence[str]) -> list[str]:
    """Lines that tell why evaluations failed; reasons that differ in figures alone are one, such as readings that are too noisy."""
    alike: dict[str, list[str]] = {}
    for reason in reasons:
        alike.setdefault(_FIGURE.sub("0", reason), []).append(reason)
    groups = sorted(alike.values(), key=len, reverse=True)
    lines = [
        f"{len(same):,} failed{'' if len(set(same)) == 1 else ', one of them'}: {same[0]}; --retry-failed tries again"
        for same in groups[:_REASONS]
    ]
    if others := groups[_REASONS:]:
        lines.append(f"{sum(map(len, others)):,} failed for {len(others):,} other reasons; --json tells all")
    return lines


def _executor(workers: int | None, ray: str | None, gpus: float | None) -> Executor:
    from nasbuild.evaluate import InProcess, Pool, Ray

    if ray is None:
        if gpus is not None:
            raise NasbuildError("only a Ray cluster shares out GPUs", where="--gpus", todo="add --ray")
        return Pool(workers) if workers is not None and workers > 1 else InProcess()
    if workers is not None and ray != "local":
        raise NasbuildError(
            "a cluster runs as many as its machines can",
            where="--workers",
            todo="leave it out with --ray ADDRESS",
        )
    return Ray(ray, workers, gpus=gpus or 0.0)
