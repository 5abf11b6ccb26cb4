"""``init``: infers a space from a table, and writes it with the names of the table's columns."""

from __future__ import annotations

import shlex
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nasbuild.cli._options import JsonOption
from nasbuild.cli._output import Output
from nasbuild.cli._space_drawing import WIDTH
from nasbuild.errors import NasbuildError

if TYPE_CHECKING:
    from nasbuild.table import Guess, Question


def init(
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help="table as you have it: CSV, TSV, Excel, JSON, JSON Lines, Parquet, or an Optuna storage (sqlite:///FILE, "
            "FILE.db, journal FILE.log; #NAME names the study); a file or folder of a quantiser (docs/quantisers.md)",
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
    drawn: list[str] = []
    interactive = sys.stdin.isatty() and sys.stdout.isatty() and not as_json
    if guess.open and not yes:
        if not interactive:
            raise _unanswered(guess)
        drawn = space_drawing(guess.space)
        for line in drawn:
            out.line(line)
        while guess.open:
            question = guess.open[0]
            answers[question.key] = _asked(out, question)
            guess = guess_space(guess, metrics=metric or (), answers=answers, name=guess.space.name)
        out.line()
    write_text(out_file, commented_yaml(guess))
    space = guess.space
    total = count_architectures(space)
    size = f"about {float(total):.1e}" if 10**6 <= total < 10**300 else format_count(total)
    out.line(f"{guess.source}: {guess.rows:,} rows of {size} possible architectures\n")
    if drawn != (drawing := space_drawing(space)):
        for line in drawing:
            out.line(line)
        out.line()
    for question in guess.open:
        out.line(f"{question.sentence} ({_as_option(question, question.answer)})", "yellow")
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


def _as_option(question: Question, answer: str) -> str:
    return f"--answer {shlex.quote(f'{question.key}={answer}')}"


def _unanswered(guess: Guess) -> NasbuildError:
    """All open questions, each with its possible answers, so that one more call can answer them."""
    asked = [
        f"{question.text} ({', '.join(_as_option(question, value) for value in question.options)})"
        for question in guess.open
    ]
    count = "a question is open" if len(asked) == 1 else f"{len(asked)} questions are open"
    return NasbuildError(
        f"{count}: {' '.join(asked)}",
        where=guess.source,
        todo="answer, or give --yes, which takes the likeliest",
    )


def _asked(out: Output, question: Question) -> str:
    """Asks on the terminal; an empty answer takes the first option.

    An interrupt, or the end of the input, ends the command before anything is written.
    """
    out.line(f"\n{question.text}")
    values = list(question.options)
    for number, value in enumerate(values, 1):
        lines = textwrap.wrap(question.options[value], WIDTH - 5, break_on_hyphens=False)
        for n, line in enumerate(lines):
            out.line(f"  {number if n == 0 else ' '}  {line}")
    numbers = {str(number): value for number, value in enumerate(values, 1)}
    try:
        while True:
            reply = typer.prompt(f"1 to {len(values)}", default="1").strip()
            found = numbers.get(reply) or (reply if reply in values else None)
            if found is not None:
                return found
            out.line(
                f"{reply!r} is none of them; give the number of an answer, or press Enter for 1", "yellow"
            )
    except (typer.Abort, KeyboardInterrupt, EOFError):
        out.now("\nstopped: nothing was written")
        raise typer.Exit(130) from None


def _next_steps(guess: Guess, data: str, out_file: Path) -> list[str]:
    space = guess.space
    own = () if space.columns is None else space.columns.metrics
    if not space.metrics and not own:
        return [
            f"written to {out_file}; the table has no metric. Give what was measured as a further table with the columns id "
            "and the metric:",
            f"  nasbuild fit --space {shlex.quote(str(out_file))} --data {shlex.quote(data)} --data measured.csv "
            "--target METRIC --out my-fit",
        ]
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
