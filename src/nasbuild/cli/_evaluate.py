"""``evaluate``: metrics of given architectures, into a store that loses nothing."""

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
_LEFT_OUT = re.compile(r" \(.*\)$", re.DOTALL)
"""The value in a note, which differs from one evaluation to another."""
_REASONS, _SHOWN, _SHOWN_NOTES = 3, 3, 6  # that are told
_LONGEST = 300  # characters of a reason in a line


def evaluate(
    space: SpaceOption,
    evaluator: EvaluatorOption,
    archs: Annotated[
        Path, typer.Option("--archs", help="architectures, in any form of a table; - for standard input")
    ],
    store: StoreOption,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            min=1,
            help="processes that evaluate, and may die of it; this one if not given, with --ray local all cores",
        ),
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
    limit: LimitOption = None,
    retry_failed: RetryOption = False,
    again: AgainOption = False,
    salvage: SalvageOption = None,
    out_file: Annotated[
        Path | None, typer.Option("--out", help="also write all that the store has as a table")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Evaluate architectures; what the store knows is not repeated, a stopped run goes on with the same command."""
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
    # A mistake in its name should be known before processes start.
    loaded = spec.load()
    kept = open_store(out, store, spec, salvage=salvage, alone=workers is None and ray is None)
    with out.progress(f"stopped: what was evaluated is in {kept.name}; the same command goes on") as move:
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
        f"{len(results) - len(failed):,} of {len(named):,} architectures are evaluated, kept in {kept.name}"
    )
    notes = result_notes(list(results.values()), len(outdated), evaluator)
    if away:
        notes.append(f"{away:,} are under way in another process")
    if out_file is not None and kept.counts()["done"]:
        table = kept.table()
        write_table(table, out_file)
        out.line(f"{len(table):,} evaluations written to {out_file}")
        # The store may have more than was asked for now.
        if old := len(earlier & set(table.architectures)):
            notes.append(
                f"{old:,} of {len(table):,} rows in {out_file} were told by earlier code of {evaluator}: evaluate --archs "
                f"{out_file} --again renews them"
            )
    for line in notes:
        out.line(f"note: {line}", "yellow")
    kept.close()
    out.json(
        {
            "store": kept.name,
            "done": len(results) - len(failed),
            "under_way": away,
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
    """A store, with a word on what it was waited for, what is taken in, what a process died of, and limits that don't hold.

    Parameters
    ----------
    salvage
        Damaged store whose sound rows it takes over first.
    alone
        Whether evaluations run in this process, which one of them may end.
    """
    from nasbuild.evaluate import Store, salvage_store

    def tell(text: str) -> None:
        out.now(f"note: {text}")

    if salvage is not None:
        tell(salvage_store(salvage, place))
    if spec.limit is not None and spec.load().sweep is not None:
        tell("--limit does not hold for latency, whose option seconds bounds it")
    kept = Store(place, spec.space, spec.name, seed=spec.seed, notify=tell)
    lost = kept.interrupted()
    if lost:
        names = ", ".join(lost[:_SHOWN]) + (f" and {len(lost) - _SHOWN:,} more" if len(lost) > _SHOWN else "")
        offer = "; if that ends this one, too, --workers 1 lets it fail alone" if alone else ""
        tell(f"a process ended while it evaluated {names}{offer}")
    return kept


def result_notes(results: Sequence[Result], outdated: int, evaluator: str) -> list[str]:
    """Why some failed, what others say besides their metrics, and how many other code told."""
    reasons = [r.reason or "" for r in results if r.metrics is None]
    more = [outdated_note(outdated, evaluator)] if outdated else []
    return [*_why(reasons), *_notes(results), *more]


def outdated_note(count: int, evaluator: str) -> str:
    """That the evaluator's code was changed after it told results."""
    return (
        f"{count:,} were told by other code than {evaluator} has now, as its files were changed since: --again evaluates "
        "these once more; so does another --store"
    )


def _notes(results: Iterable[Result]) -> list[str]:
    """What results say besides their metrics, alike ones together."""
    alike: dict[str, list[str]] = {}
    for result in results:
        for note in result.notes:
            alike.setdefault(_LEFT_OUT.sub("", _FIGURE.sub("0", note)), []).append(note)
    groups = sorted(alike.values(), key=len, reverse=True)
    lines = [f"{len(same):,} evaluations: {same[0]}" for same in groups[:_SHOWN_NOTES]]
    if more := len(groups) - len(lines):
        lines.append(f"{more:,} other notes")
    return lines


def _why(reasons: Sequence[str]) -> list[str]:
    """Lines that tell why evaluations failed; reasons that differ in figures alone are one, such as readings that are too noisy."""
    alike: dict[str, list[str]] = {}
    for reason in reasons:
        alike.setdefault(_FIGURE.sub("0", reason), []).append(reason)
    groups = sorted(alike.values(), key=len, reverse=True)
    lines = [
        f"{len(same):,} failed{'' if len(set(same)) == 1 else ', one of them'}: {_line(same[0])}; --retry-failed tries again"
        for same in groups[:_REASONS]
    ]
    if others := groups[_REASONS:]:
        lines.append(f"{sum(map(len, others)):,} failed for {len(others):,} other reasons; --json tells all")
    return lines


def _line(reason: str) -> str:
    """A reason on one line, not too long."""
    text = " ".join(reason.split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def executor_of(workers: int | None, ray: str | None = None, gpus: float | None = None) -> Executor:
    """Where evaluations run, as options tell it."""
    from nasbuild.evaluate import InProcess, Pool, Ray

    if ray is None:
        if gpus is not None:
            raise NasbuildError("only a Ray cluster shares out GPUs", where="--gpus", todo="add --ray")
        return InProcess() if workers is None else Pool(workers)
    if workers is not None and ray != "local":
        raise NasbuildError(
            "a cluster runs as many as its machines can",
            where="--workers",
            todo="leave it out with --ray ADDRESS",
        )
    return Ray(ray, workers, gpus=gpus or 0.0)
