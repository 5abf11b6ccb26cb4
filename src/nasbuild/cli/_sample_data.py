"""``sample-data``: a table such as people have, to try everything with."""

from __future__ import annotations

import csv
import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from nasbuild.cli._options import JsonOption
from nasbuild.cli._output import Output
from nasbuild.errors import NasbuildError

ROWS, SEED = 120, 0
_METRICS = {"acc": "acc", "latency_cpu": "latency_ms", "params": "params"}


def sample_data(
    out_file: Annotated[Path, typer.Option("--out", help="CSV file to write")] = Path("runs.csv"),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace an earlier --out")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write a CSV of 120 real networks. It has a column for each depth, kernel, expansion and metric."""
    import io

    import numpy as np

    from nasbuild._atomic_write import write_text
    from nasbuild._file_formats import check_output
    from nasbuild.table import load_builtin

    out = Output(as_json)
    check_output(out_file, (".csv",), "the sample")
    if out_file.exists() and not overwrite:
        raise NasbuildError(
            "is there already", where=str(out_file), todo="give another --out, or --overwrite"
        )
    table = load_builtin("fashion-ofa")
    rows = np.sort(np.random.default_rng(SEED).permutation(len(table))[:ROWS])
    text = io.StringIO()
    records = [{"run": f"run{n:03d}", **_record(table, row)} for n, row in enumerate(rows, 1)]
    writer = csv.DictWriter(text, list(records[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    write_text(out_file, text.getvalue())
    out.line(
        f"{ROWS} networks of a once-for-all supernet, tested on Fashion-MNIST, written to {out_file}; next:"
    )
    out.line(f"  nasbuild init {shlex.quote(str(out_file))}")
    out.json({"out": str(out_file), "rows": ROWS})


def _record(table: Any, row: int) -> dict[str, Any]:
    """A row with columns such as ``d1``, ``k1_1`` and ``e1_1``; those of layers that are not there are empty."""
    from nasbuild.space import to_dict

    space, found = table.space, {}
    stages = to_dict(space, table.architectures[row])["stages"]
    for u, (stage, layers) in enumerate(zip(space.stages, stages, strict=True), 1):
        found[f"d{u}"] = len(layers)
        for n in range(max(stage.depths)):
            for key, feature in (("k", "kernel"), ("e", "expand")):
                found[f"{key}{u}_{n + 1}"] = layers[n][feature] if n < len(layers) else ""
    return found | {name: float(table.columns[metric][row]) for metric, name in _METRICS.items()}
