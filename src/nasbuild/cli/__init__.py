"""The command ``nasbuild``. Heavy libraries are imported inside the commands, so that help is quick."""

from __future__ import annotations

import os
import sys

import typer

from nasbuild.cli import (
    _bench,
    _build,
    _check,
    _demo,
    _equations,
    _evaluate,
    _fit,
    _fit_outputs,
    _graph_commands,
    _import,
    _optimize,
    _search,
)
from nasbuild.cli._output import begin, restoring_stdout
from nasbuild.errors import NasbuildError

app = typer.Typer(
    help="Learn which parts of a neural architecture are worth having, and build the best architectures directly.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    _demo.demo,
    _check.check,
    _fit.fit,
    _fit.explain,
    _graph_commands.compare,
    _fit_outputs.modules,
    _fit_outputs.predict,
    _build.build,
    _equations.equations,
    _fit_outputs.shrink,
    _search.search,
    _evaluate.evaluate,
    _optimize.optimize,
    _fit_outputs.report,
    _bench.bench,
):
    app.command()(command)
# The word is Python's own, so the function can't have it.
app.command("import")(_import.import_networks)


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", help="Print the version and end."),
    max_bytes: str | None = typer.Option(
        None,
        "--max-bytes",
        metavar="SIZE",
        help="how many bytes of a file are read, once expanded, such as 8G; 1G if not given (or $NASBUILD_MAX_BYTES)",
    ),
) -> None:
    begin(context.invoked_subcommand or "")
    if max_bytes is not None:
        from nasbuild._text_input import LIMIT, bytes_of

        # In the environment, where the workers look.
        os.environ[LIMIT] = str(bytes_of(max_bytes))
    if version:
        from nasbuild._version import __version__

        typer.echo(f"nasbuild {__version__}")
        raise typer.Exit


def main() -> None:
    """Run the command line: exit 2 with one sentence for a user's mistake, never a traceback."""
    try:
        with restoring_stdout():
            app()
    except NasbuildError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except ModuleNotFoundError as error:
        if (error.name or "nasbuild").startswith("nasbuild"):
            raise
        from nasbuild._optional_imports import absent

        print(f"error: {absent(error)}", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:
        # The reader of our output has gone (nasbuild ... | head): not an error of ours.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
