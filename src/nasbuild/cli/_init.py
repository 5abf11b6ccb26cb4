"""``init``: infers a space from a table, and writes it with the names of the table's columns."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nasbuild.cli._options import JsonOption
from nasbuild.cli._output import Output
from nasbuild.errors import NasbuildError

if TYPE_CHECKING:
    from nasbuild.table import Guess, Question


def init(
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help="table as you have it: CSV, TSV, Excel, JSON, JSON Lines, Parquet, or an Optuna storage (sqlite:///FILE, "
            "FILE.db, journal FILE.log; #NAME names the study)",
        ),
    ],
    out_file: Annotated[Path, typer.Option("--out", help="space.yaml to write")] = Path("space.yaml"),
    yes: Annotated[
        bool, typer.Option("--yes", help="ask nothing: take the likeliest reading, and say which")
    ] = False,
    answer: Annotated[
        list[str] | None,
        typer.Option("--answer", metavar="KEY=VALUE", help="answer to a question; may be repeated"),
    ] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option("--metric", metavar="COLUMN", help="a column that was measured; may be repeated"),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace an earlier --out")] = False,
    as_json: JsonOption = False,
) -> None:
    """Make a space.yaml from a table. Other commands then take the table as it is."""
    from nasbuild._atomic_write import write_text
    from nasbuild._file_formats import SPACES, check_output
    from nasbuild.cli._check import stage_records
    from nasbuild.cli._space_drawing import space_drawing
    from nasbuild.space import count_architectures, format_count
    from nasbuild.table import commented_yaml, guess_space

    out = Output(as_json)
    check_output(out_file, SPACES, "a space")
    if out_file.exists() and not overwrite:
        raise NasbuildError(
            "is there already", where=str(out_file), todo="give another --out, or --overwrite"
        )
    answers = dict(map(_answer, answer or ()))
    guess = guess_space(data, metrics=metric or (), answers=answers)
    interactive = sys.stdin.isatty() and sys.stdout.isatty() and not as_json
    if guess.open and not yes:
        if not interactive:
            raise _unanswered(guess)
        for line in space_drawing(guess.space):
            out.line(line)
        while guess.open:
            question = guess.open[0]
            answers[question.key] = _asked(out, question)
            guess = guess_space(guess, metrics=metric or (), answers=answers, name=guess.space.name)
    write_text(out_file, commented_yaml(guess))
    space = guess.space
    total = count_architectures(space)
    size = f"about {float(total):.1e}" if 10**6 <= total < 10**300 else format_count(total)
    out.line(f"{guess.source}: {guess.rows:,} rows of {size} possible architectures\n")
    for line in space_drawing(space):
        out.line(line)
    out.line()
    for question in guess.open:
        out.line(
            f"assumed: {question.text} {question.options[question.answer]} ({_as_option(question)})", "yellow"
        )
    for note in guess.notes:
        out.line(f"note: {note}", "yellow")
    for line in _next_steps(guess, data, out_file):
        out.line(line)
    out.json(
        {
            "out": str(out_file),
            "rows": guess.rows,
            "stages": stage_records(space),
            "metrics": {m.name: {"direction": m.direction, "unit": m.unit} for m in space.metrics.values()},
            "questions": [
                {
                    "key": q.key,
                    "text": q.text,
                    "options": dict(q.options),
                    "answer": q.answer,
                    "given": q.given,
                }
                for q in guess.questions
            ],
            "notes": list(guess.notes),
        }
    )


def _answer(text: str) -> tuple[str, str]:
    key, sign, value = text.rpartition("=")
    if not sign:
        raise NasbuildError(f"{text!r} is no answer", where="--answer", allowed="KEY=VALUE")
    return key, value


def _as_option(question: Question) -> str:
    return f"--answer {shlex.quote(f'{question.key}={question.answer}')}"


def _unanswered(guess: Guess) -> NasbuildError:
    first = guess.open[0]
    more = f" (and {len(guess.open) - 1} more)" if len(guess.open) > 1 else ""
    return NasbuildError(
        f"a question is open{more}: {first.text}",
        where=guess.source,
        allowed=[f"--answer {shlex.quote(f'{first.key}={value}')}" for value in first.options],
        todo="or give --yes, which takes the likeliest",
    )


def _asked(out: Output, question: Question) -> str:
    """Asks on the terminal; an empty answer takes the first option."""
    out.line(f"\n{question.text}")
    values = list(question.options)
    for number, value in enumerate(values, 1):
        out.line(f"  {number}  {question.options[value]}")
    number = 0
    while not 1 <= number <= len(values):
        number = typer.prompt(f"1 to {len(values)}", default=1, type=int)
    return values[number - 1]


def _next_steps(guess: Guess, data: str, out_file: Path) -> list[str]:
    space = guess.space
    named = next(iter(space.metrics), None)
    undeclared = next(iter(() if space.columns is None else space.columns.metrics), None)
    target = named or (f"=+{undeclared}" if undeclared else " METRIC")
    target = f" {shlex.quote(target)}" if named else target
    space_text, data_text = shlex.quote(str(out_file)), shlex.quote(data)
    return [
        f"written to {out_file}; next:",
        f"  nasbuild check --space {space_text} --data {data_text}",
        f"  nasbuild fit --space {space_text} --data {data_text} --target{target} --out my-fit",
        "  nasbuild build my-fit --top 10 --out built.csv",
    ]
