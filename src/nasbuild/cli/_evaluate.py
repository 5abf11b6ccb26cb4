"""``evaluate``: measures architectures and keeps the results in a store."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nasbuild.cli._options import (
    AgainOption,
    EvaluatorOption,
    JsonOption,
    LimitOption,
    RetryOption,
    SalvageOption,
    SpaceOption,
    StoreOption,
)
from nasbuild.cli._output import Output
from nasbuild.errors import NasbuildError

if TYPE_CHECKING:
    from nasbuild.evaluate import Executor, Result, Spec, Store

_FIGURE = re.compile(r"\d[\d.,]*(?:e[-+]?\d+)?")
_NOTE_VALUE = re.compile(r" \(.*\)$", re.DOTALL)
"""The value in a note, which differs between evaluations."""
_MAX_REASONS, _MAX_NAMES, _MAX_NOTES = 3, 3, 6
_MAX_LINE = 300  # characters of a reason


def evaluate(
    space: SpaceOption,
    evaluator: EvaluatorOption,
    archs: Annotated[
        Path, typer.Option("--archs", help="architectures, in any table format; - for standard input")
    ],
    store: StoreOption,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            min=1,
            help="worker processes, so that a crash loses one evaluation; default: this process, with --ray local all cores",
        ),
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(
            "--ray", metavar="ADDRESS", help="address of a Ray cluster; 'local' starts one on this machine"
        ),
    ] = None,
    gpus: Annotated[
        float | None,
        typer.Option("--gpus", min=0, help="GPUs per evaluation on the cluster, such as 0.25"),
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", help="seed of trainings; each seed has its own results in the store")
    ] = 0,
    limit: LimitOption = None,
    retry_failed: RetryOption = False,
    again: AgainOption = False,
    salvage: SalvageOption = None,
    out_file: Annotated[
        Path | None, typer.Option("--out", help="also write all results of the store as a table")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Evaluate architectures and store the results. Stored ones are not repeated; the same command resumes."""
    from nasbuild._file_formats import ROWS, check_output
    from nasbuild.evaluate import Spec, evaluate_all
    from nasbuild.space import architecture_id, load_space
    from nasbuild.table import read_architectures, write_table

    out = Output(as_json)
    executor = executor_of(workers, ray, gpus)
    if out_file is not None:
        check_output(out_file, ROWS, "a table")
    definition = load_space(space)
    named = {a: name for name, a in read_architectures(archs, definition)}
    spec = Spec(evaluator, definition, seed, limit)
    # Report a wrong name before any process starts.
    loaded = spec.load()
    kept = open_store(out, store, spec, salvage=salvage, alone=workers is None and ray is None)
    with out.progress(f"stopped: results are in {kept.name}; the same command resumes") as move:
        results = evaluate_all(
            spec,
            list(named),
            kept,
            executor=executor,
            retry_failed=retry_failed,
            renew_outdated=again,
            progress=lambda done, total, failed: move(
                "evaluating", done, total, f"{failed} failed" if failed else ""
            ),
        )
    failed = {a: r.reason or "" for a, r in results.items() if r.metrics is None}
    away = len(named) - len(results)
    earlier = set(kept.outdated(loaded.code))
    outdated = earlier & set(results)
    out.line(
        f"{len(results) - len(failed):,} of {len(named):,} architectures evaluated; results in {kept.name}"
    )
    notes = result_notes(list(results.values()), len(outdated), evaluator)
    if away:
        notes.append(f"{away:,} are being evaluated by another process")
    if out_file is not None and kept.counts()["done"]:
        table = kept.table()
        write_table(table, out_file)
        more = ", all that the store has," if len(table) > len(results) else ""
        out.line(f"{len(table):,} evaluations{more} written to {out_file}")
        # The store may hold more than this call asked for.
        if old := len(earlier & set(table.architectures)):
            notes.append(
                f"{old:,} of {len(table):,} rows in {out_file} come from an earlier version of {evaluator}: evaluate --archs "
                f"{out_file} --again renews them"
            )
    for line in notes:
        out.line(f"note: {line}", "yellow")
    kept.close()
    out.json(
        {
            "store": kept.name,
            "done": len(results) - len(failed),
            "in_progress": away,
            "failed": {architecture_id(definition, a): reason for a, reason in failed.items()},
            "outdated": [architecture_id(definition, a) for a in results if a in outdated],
            "notes": notes,
        }
    )
    if failed:
        raise typer.Exit(2 if len(failed) == len(results) else 1)


def open_store(
    out: Output, place: str, spec: Spec, *, salvage: str | None = None, alone: bool = False
) -> Store:
    """Opens a store; prints notes about salvaged rows, interrupted evaluations, and limits that don't apply.

    Parameters
    ----------
    salvage
        Damaged store whose intact rows are copied first.
    alone
        Whether evaluations run in this process, so that a crash ends it.
    """
    from nasbuild.evaluate import Store, salvage_store

    def note(text: str) -> None:
        out.now(f"note: {text}")

    if salvage is not None:
        note(salvage_store(salvage, place))
    if spec.limit is not None and spec.load().sweep is not None:
        note("--limit does not apply to latency; its option seconds bounds the time")
    kept = Store(place, spec.space, spec.name, seed=spec.seed, notify=note)
    lost = kept.interrupted()
    if lost:
        names = ", ".join(lost[:_MAX_NAMES])
        names += f" and {len(lost) - _MAX_NAMES:,} more" if len(lost) > _MAX_NAMES else ""
        offer = "; if this one ends as well, --workers 1 isolates the crash" if alone else ""
        note(f"a process ended while evaluating {names}{offer}")
    return kept


def result_notes(results: Sequence[Result], outdated: int, evaluator: str) -> list[str]:
    """Returns reasons of failures, notes of results, and how many come from earlier code."""
    reasons = [r.reason or "" for r in results if r.metrics is None]
    more = [outdated_note(outdated, evaluator)] if outdated else []
    return [*_why(reasons), *_notes(results), *more]


def outdated_note(count: int, evaluator: str) -> str:
    """Says that the evaluator's code changed after it measured results."""
    return (
        f"{count:,} were measured by an earlier version of {evaluator}, whose files have changed: --again or a new --store "
        "evaluates them again"
    )


def _notes(results: Iterable[Result]) -> list[str]:
    """Returns notes of results; notes that differ only in numbers share one line."""
    alike: dict[str, list[str]] = {}
    for result in results:
        for note in result.notes:
            alike.setdefault(_NOTE_VALUE.sub("", _FIGURE.sub("0", note)), []).append(note)
    groups = sorted(alike.values(), key=len, reverse=True)
    lines = [f"{len(same):,} evaluations: {same[0]}" for same in groups[:_MAX_NOTES]]
    if more := len(groups) - len(lines):
        lines.append(f"{more:,} other notes")
    return lines


def _why(reasons: Sequence[str]) -> list[str]:
    """Returns reasons of failures; reasons that differ only in numbers share one line."""
    alike: dict[str, list[str]] = {}
    for reason in reasons:
        alike.setdefault(_FIGURE.sub("0", reason), []).append(reason)
    groups = sorted(alike.values(), key=len, reverse=True)
    lines = [
        f"{len(same):,} failed{'' if len(set(same)) == 1 else ', one of them'}: {_line(same[0])}; --retry-failed tries again"
        for same in groups[:_MAX_REASONS]
    ]
    if others := groups[_MAX_REASONS:]:
        lines.append(f"{sum(map(len, others)):,} failed for {len(others):,} other reasons; --json lists all")
    return lines


def _line(reason: str) -> str:
    """Returns a reason on one line of limited length."""
    text = " ".join(reason.split())
    return text if len(text) <= _MAX_LINE else f"{text[:_MAX_LINE]}..."


def executor_of(workers: int | None, ray: str | None = None, gpus: float | None = None) -> Executor:
    """Returns the executor that the options ask for."""
    from nasbuild.evaluate import InProcess, Pool, Ray

    if ray is None:
        if gpus is not None:
            raise NasbuildError("only a Ray cluster assigns GPUs", where="--gpus", todo="add --ray")
        return InProcess() if workers is None else Pool(workers)
    if workers is not None and ray != "local":
        raise NasbuildError(
            "a cluster runs as many evaluations as its machines can",
            where="--workers",
            todo="leave it out with --ray ADDRESS",
        )
    return Ray(ray, workers, gpus=gpus or 0.0)
