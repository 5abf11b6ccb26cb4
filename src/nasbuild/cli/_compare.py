"""``compare``: why one architecture is predicted better than another, or one set of networks than another."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nasbuild.cli._graph_commands import compare_networks
from nasbuild.cli._options import FitArgument, JsonOption, TargetOption
from nasbuild.cli._output import Output

if TYPE_CHECKING:
    from nasbuild.score import Fit

_HELP = (
    "an architecture: id of a row of the fit's table, file with one architecture, or 'reference'; for a fit on graphs, "
    "file of ids of networks, one per line"
)


def compare(
    fit: FitArgument,
    first: Annotated[str, typer.Argument(help=_HELP)],
    second: Annotated[str, typer.Argument(help="what to compare it with")],
    target: TargetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare two architectures, or two sets of networks of a fit on graphs. Shows what explains their difference."""
    from nasbuild.score import load_fit

    out = Output(as_json)
    loaded = load_fit(fit)
    if loaded.kind == "graphs":
        compare_networks(out, loaded, Path(first), Path(second), target)
    else:
        _compare_architectures(out, loaded, first, second, target)


def _compare_architectures(out: Output, fit: Fit, first: str, second: str, target: str | None) -> None:
    from nasbuild.api import named_architecture
    from nasbuild.report import comparison_data, comparison_lines

    named = [named_architecture(fit, value, name) for value, name in ((first, "FIRST"), (second, "SECOND"))]
    data = comparison_data(fit.of(target), *named)
    heading, lines, remark = comparison_lines(data)
    out.line(heading)
    out.table(["contribution", "what differs"], lines, right=(0,))
    if remark:
        out.line(remark, "dim")
    out.json(data)
