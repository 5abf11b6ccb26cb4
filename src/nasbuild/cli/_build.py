"""``build``: from a run to the architectures that it says are best."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nasbuild.cli._built import built_rows, print_built
from nasbuild.cli._options import FixOption, JsonOption, OutOption, RunArgument
from nasbuild.cli._output import Output
from nasbuild.errors import Infeasible, NasbuildError

if TYPE_CHECKING:
    from nasbuild.build import Bound, Built
    from nasbuild.score import Learnt, Run


def build(
    run: RunArgument,
    out_file: OutOption,
    top: Annotated[
        int | None, typer.Option("--top", min=1, help="how many architectures; 10 if not given")
    ] = None,
    front: Annotated[
        int | None,
        typer.Option("--front", metavar="N", min=1, help="instead, N along the front of several targets"),
    ] = None,
    next_ones: Annotated[
        int | None,
        typer.Option("--propose", metavar="N", min=1, help="instead, N whose labels would tell most"),
    ] = None,
    k: Annotated[
        int | None, typer.Option("--k", min=1, help="use only the k best modules of each stage")
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            "--where",
            metavar="BOUND",
            help="'latency <= 6', 'params = 3e6', '3 <= layers <= 5', or a sweep, 'macs <= 1e8 | 2e8': on a target, "
            "layers, or an exact cost; may be repeated",
        ),
    ] = None,
    fix: FixOption = None,
    apart: Annotated[
        int | None, typer.Option("--apart", min=1, help="each differs from all before it in so many stages")
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(
            "--by",
            help="shortlist: of three times as many by score, the best by the prediction y' (if not given; recipe paper: score); "
            "score; prediction: the best by y' of all; exhaustive: the same, every architecture predicted",
        ),
    ] = None,
    target: Annotated[
        list[str] | None,
        typer.Option(
            "--target",
            help="one of the run's targets, the first if not given; of a front several, all if not given",
        ),
    ] = None,
    unseen: Annotated[
        bool,
        typer.Option("--unseen", help="build also with choices and depths that no labelled architecture has"),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Build the best architectures by what was learnt; nothing is searched or evaluated."""
    from nasbuild._io import write_text
    from nasbuild.build import read_sweep
    from nasbuild.predictor import recipe_kind
    from nasbuild.score import load_run, narrowed
    from nasbuild.space import fixed

    if by not in (None, *_WAYS):
        raise NasbuildError(f"nothing is built by {by!r}", where="--by", allowed=_WAYS)
    given = {
        "--top": top,
        "--front": front,
        "--propose": next_ones,
        "--k": k,
        "--where": where,
        "--apart": apart,
        "--by": by is not None,
        "--by prediction": by == "prediction",
        "--by exhaustive": by == "exhaustive",
    }
    _check_together({name for name, value in given.items() if value})
    if target and len(target) > 1 and not front:
        raise NasbuildError(
            f"{len(target)} targets are given", where="--target", todo="name one, or use --front"
        )
    sweep = read_sweep(where or ())
    out = Output(as_json)
    loaded = load_run(run)
    if unseen:
        loaded = loaded.with_unseen()
    if fix:
        loaded = narrowed(loaded, fixed(loaded.space, fix))
    by = by or ("score" if recipe_kind(loaded.recipe) == "network" else "shortlist")
    wanted = _Wanted(target or (), top or 10, front, next_ones, k, apart or 1, by)
    parts, infeasible = _swept(loaded, wanted, sweep)
    rows = [row for part in parts for row in part.rows]
    write_text(out_file, "".join(json.dumps(row) + "\n" for row in rows))
    for part in parts:
        print_built(out, loaded, part.learnt, part.rows, part.title)
        if part.note:
            out.line(f"note: {part.note}", "yellow")
        if part.remark:
            out.line(part.remark)
    for told in infeasible:
        out.line(f"note: {told}, left out", "yellow")
    out.line(f"{len(rows):,} architectures written to {out_file}")
    result = {"out": str(out_file), "target": parts[0].learnt.target.name, "architectures": rows}
    told = [text for part in parts for text in (part.note, part.remark) if text]
    if told:
        result["notes"] = told
    out.json(result | ({"infeasible": infeasible} if infeasible else {}))


_WAYS = ("shortlist", "score", "prediction", "exhaustive")
_EXCLUDES = {
    "--front": {"--top", "--propose", "--k", "--apart", "--by"},
    "--propose": {"--top", "--k", "--apart", "--by"},
    "--k": {"--where", "--apart"},
    "--apart": {"--by prediction", "--by exhaustive"},
    "--by exhaustive": {"--where", "--k"},
}


def _check_together(given: set[str]) -> None:
    for one, others in _EXCLUDES.items():
        if one in given and others & given:
            first, second = sorted((one, min(others & given)))
            raise NasbuildError(f"{first} and {second} exclude each other", todo="leave one of them out")


@dataclass(frozen=True)
class _Wanted:
    """The options that hold for every value of a sweep."""

    targets: Sequence[str]
    top: int
    front: int | None
    propose: int | None
    k: int | None
    apart: int
    by: str


@dataclass(frozen=True)
class _Part:
    """What was built for one value of a sweep."""

    learnt: Learnt
    rows: list[dict[str, Any]]
    title: str
    note: str
    remark: str


def _swept(run: Run, wanted: _Wanted, sweep: Sequence[Sequence[Bound]]) -> tuple[list[_Part], list[str]]:
    """What is built for every value, and of each value that nothing meets a sentence.

    Raises
    ------
    Infeasible
        If nothing meets any of them.
    """
    from nasbuild.build import shown_bounds

    parts, infeasible = [], []
    for bounds in sweep:
        try:
            parts.append(_part(run, wanted, bounds))
        except Infeasible as error:
            if len(sweep) == 1:
                raise
            infeasible.append(f"{shown_bounds(bounds)}: {error.what}; {error.todo}")
    if not parts:
        raise Infeasible(f"nothing meets any of {len(sweep)} values", where="--where", todo=infeasible[0])
    return parts, infeasible


def _part(run: Run, wanted: _Wanted, bounds: Sequence[Bound]) -> _Part:
    from nasbuild.build import predicted_names, propose, propose_within, shown_bounds

    learnt = run.of(wanted.targets[0] if wanted.targets else None)
    also, note, remark = list(dict.fromkeys(bound.name for bound in bounds)), "", ""
    if wanted.front:
        learnt, built, also, title, remark = _front(run, wanted.targets, wanted.front, bounds)
    elif wanted.propose:
        title = f"to evaluate next for {learnt.target.name}{_within(bounds)}"
        if bounds:
            built = propose_within(run, learnt.target.name, wanted.propose, bounds)
        else:
            built = propose(learnt, wanted.propose)
    else:
        built, title, note = _best_of_ties(run, learnt, wanted, bounds)
    rows = built_rows(run, learnt, built, also)
    if bounds:
        rows = [{**row, "where": shown_bounds(bounds)} for row in rows]
    if wanted.by in ("shortlist", "score") and not wanted.front:
        remark = _beyond(rows, bounds)
    guessed = predicted_names(run, bounds)
    if guessed:
        told = " and ".join(guessed)
        told = (
            f"what is known of {told} is a prediction: bounds on it hold for that, not for what is measured"
        )
        remark = f"{remark}; {told}" if remark else told
    return _Part(learnt, rows, title, note, remark)


def _best_of_ties(
    run: Run, learnt: Learnt, wanted: _Wanted, bounds: Sequence[Bound]
) -> tuple[list[Built], str, str]:
    """`_best`; with ties across stages, of what is built for each of their choices.

    Raises
    ------
    Infeasible
        If no choice has anything within the bounds.
    """
    from nasbuild.build import tied_runs

    found, refused, name = [], None, learnt.target.name
    for part in tied_runs(run):
        try:
            found.append(_best(part, part.of(name), wanted.top, wanted.k, bounds, wanted.apart, wanted.by))
        except Infeasible as error:
            refused = error
    if not found:
        assert refused is not None
        raise refused
    if len(found) == 1:
        return found[0]
    built = [one for some, _, _ in found for one in some]
    by = "score" if wanted.by == "score" else "prediction"
    built.sort(key=lambda one: -learnt.target.sign * getattr(one, by))
    kept: list[Built] = []
    for one in built:
        modules = one.architecture.modules
        differ = (sum(a != b for a, b in zip(modules, k.architecture.modules, strict=True)) for k in kept)
        if len(kept) < wanted.top and all(count >= wanted.apart for count in differ):
            kept.append(one)
    note = next((note for _, _, note in found if note), "")
    return kept, f"{found[0][1]}, of {len(found)} choices of ties", note


def _best(
    run: Run, learnt: Learnt, n: int, k: int | None, bounds: Sequence[Bound], apart: int, by: str
) -> tuple[list[Built], str, str]:
    """The best, a title, and what is not sure of them."""
    from nasbuild.build import build as build_architectures
    from nasbuild.build import build_exhaustive, build_predicted, build_shortlisted, build_within, is_deep
    from nasbuild.space import count_architectures

    whom, note = f"for {learnt.target.name}{_within(bounds)}", ""
    if by == "exhaustive":
        built = build_exhaustive(learnt, n)
        title = f"best by prediction y' of all {count_architectures(run.space):,} architectures"
    elif by == "prediction":
        found = build_predicted(run, learnt.target.name, n, bounds, k=k)
        built, title = found.built, "best by prediction y'"
        if found.pool is not None:
            title += f" of the {found.pool:,} best by summed module score"
        elif not found.proven:
            note = f"found by swaps of single modules or layers; {_at_most(learnt, found.gap, 'prediction')}"
    elif by == "shortlist":
        short = build_shortlisted(run, learnt.target.name, n, bounds, apart=apart, k=k)
        built, title = (
            short.built,
            f"best by prediction y' of the {short.length:,} best by summed module score",
        )
        if not short.sure:
            note = f"the best by score is not proven to be the best: {_at_most(learnt, short.gap, 'score')}"
        elif not short.proven:
            note = f"of the {short.length:,} best by score, the first {short.sure:,} are proven; beyond them, better ones may exist"
    else:
        title = "best by summed module score"
        if not bounds and apart == 1 and (k is not None or not is_deep([learnt], {})):
            return build_architectures(learnt, n, k=k), f"{title} {whom}", note
        within = build_within(run, learnt.target.name, n, bounds, apart=apart)
        built = within.built
        if 0 < within.proven < len(built):
            note = (
                f"the first {within.proven:,} are proven to be the best; beyond them, better ones may exist"
            )
        elif not within.proven:
            note = f"not proven to be the best: {_at_most(learnt, within.gap, 'score')}"
    return built, f"{title} {whom}", note


def _at_most(learnt: Learnt, gap: float, what: str) -> str:
    """What is known of better ones that may exist."""
    if gap == float("inf"):
        return "better ones may exist"
    unit = f" {learnt.target.unit}" if learnt.target.unit else ""
    return f"no {what} is better than the first by more than {gap:.2g}{unit}"


def _front(
    run: Run, targets: Sequence[str], n: int, bounds: Sequence[Bound]
) -> tuple[Learnt, list[Built], list[str], str, str]:
    """The first target, the front by it, what else is to be told of each, a title, and how far it reaches."""
    from nasbuild.build import build_front, described

    found = build_front(run, n, targets=targets, bounds=bounds)
    learnt = run.of(found.targets[0])
    title = f"front of {' and '.join(found.targets)}{_within(bounds)}"
    also = [*found.targets[1:], *(bound.name for bound in bounds)]
    reach = (
        f"hypervolume between the worst labels and the best: {found.volume:.3f} as predicted, "
        f"{found.labelled_volume:.3f} of what is labelled"
    )
    remark = reach if found.volume == found.volume else ""
    return learnt, described(learnt, found.architectures), also, title, remark


def _beyond(rows: Sequence[dict[str, Any]], bounds: Sequence[Bound]) -> str:
    """How many are beyond a bound by y', which sums of scores do not see."""
    count = sum(
        any(b.sign * (row["expected"][b.name]["prediction"] - b.value) > 1e-6 * abs(b.value) for b in bounds)
        for row in rows
    )
    if not count:
        return ""
    return (
        f"{count:,} of {len(rows):,} are beyond a bound by prediction y', which knows what stages do to each other; "
        "--by prediction keeps that within"
    )


def _within(bounds: Sequence[Bound]) -> str:
    from nasbuild.build import shown_bounds

    return f" with {shown_bounds(bounds)}" if bounds else ""
