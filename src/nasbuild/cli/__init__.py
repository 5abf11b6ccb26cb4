"""The command ``nasbuild``. Commands import heavy libraries in their bodies, so that ``--help`` is fast."""

from __future__ import annotations

import os
import sys

import typer

from nasbuild.cli import (
    _bench,
    _build,
    _check,
    _compare,
    _demo,
    _equations,
    _evaluate,
    _fit,
    _fit_outputs,
    _import,
    _init,
    _optimize,
    _sample_data,
    _search,
    _shrink_model,
    _space,
    _template,
)
from nasbuild.cli._examples import examples
from nasbuild.cli._output import begin, restoring_stdout
from nasbuild.errors import NasbuildError

app = typer.Typer(
    help="Learn from evaluated neural networks which parts matter, and build the best architectures directly.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    _demo.demo,
    _sample_data.sample_data,
    _init.init,
    _template.template,
    _check.check,
    _fit.fit,
    _fit.explain,
    _compare.compare,
    _fit_outputs.modules,
    _fit_outputs.predict,
    _build.build,
    _equations.equations,
    _fit_outputs.shrink,
    _search.search,
    _evaluate.evaluate,
    _optimize.optimize,
    _shrink_model.shrink_model,
    _fit_outputs.report,
    _bench.bench,
):
    name = command.__name__.replace("_", "-")
    app.command(name, epilog=examples(name))(command)
# `import` is a keyword of Python and can't be a function's name.
app.command("import", epilog=examples("import"))(_import.import_networks)
app.add_typer(_space.app, name="space")


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", help="print the version and exit"),
    max_bytes: str | None = typer.Option(
        None,
        "--max-bytes",
        metavar="SIZE",
        help="read at most this much of a file after decompression, such as 8G; default: $NASBUILD_MAX_BYTES, else 1G",
    ),
) -> None:
    begin(context.invoked_subcommand or "")
    if max_bytes is not None:
        from nasbuild._text_input import LIMIT, bytes_of

        # Worker processes inherit it from the environment.
        os.environ[LIMIT] = str(bytes_of(max_bytes))
    if version:
        from nasbuild._version import __version__

        typer.echo(f"nasbuild {__version__}")
        raise typer.Exit


def main() -> None:
    """Runs the command line: a user's mistake exits with code 2 and one sentence, never a traceback."""
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
        # The reader closed the pipe (nasbuild ... | head), which is no error.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
