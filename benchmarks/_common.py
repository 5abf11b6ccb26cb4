"""Shared by the benchmarks: the folder of the tables, and results that resume and are written atomically."""

from __future__ import annotations

import argparse
import json
import platform
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nasbuild._atomic_write import write_text
from nasbuild.bench import read
from nasbuild.predictor import recipe
from nasbuild.score import fit, versions
from nasbuild.space import Architecture

HERE = Path(__file__).parent
RESULTS = HERE / "results"


def arguments(description: str, name: str) -> argparse.ArgumentParser:
    """A parser with the options that every benchmark has."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--data", type=Path, default=HERE.parent.parent / "shared" / "data", help="folder of the tables"
    )
    parser.add_argument(
        "--out", type=Path, default=RESULTS / f"{name}.json", help="result, resumed where it exists"
    )
    parser.add_argument("--workers", type=int, default=2)
    return parser


def resume(path: Path) -> dict[str, Any]:
    """The unfinished result of an earlier run, or a new one."""
    return (
        json.loads(path.read_text())
        if path.exists()
        else {"versions": versions(), "machine": platform.machine()}
    )


def save(path: Path, result: dict[str, Any]) -> None:
    """Write a result; each pair of numbers is on one line, as fronts have thousands."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(result, indent=1)
    text = re.sub(r"\[\s+(-?[\d.e-]+),\s+(-?[\d.e-]+)\s+\]", r"[\1, \2]", text)
    write_text(path, text + "\n")


def architecture(modules: Sequence[Any]) -> Architecture:
    """An architecture from plain lists of JSON."""
    return Architecture(plain(modules))


def plain(modules: Sequence[Any]) -> tuple[Any, ...]:
    """Modules from plain lists of JSON."""
    return tuple(tuple(tuple(layer) for layer in module) for module in modules)


def markdown(header: list[str], rows: list[list[str]]) -> str:
    """A table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def hop_srcc(options: argparse.Namespace, settings: list[tuple[str, str, str]]) -> dict[str, Any]:
    """Held-out SRCC of every hop, of y' and of the summed module scores, recipe ``paper``.

    ``settings`` are label, table and target. Each is learnt from 90 % of the rows three times, with
    its own seed and split; finished ones are taken from the earlier result.
    """
    result = resume(options.out)
    result |= {"recipe": recipe("paper", few=0).as_dict(), "seed": 0}
    rows = result.setdefault("rows", {})
    for label, name, target in settings:
        if label in rows:
            continue
        # few=0: single splits as in section 5.1, however small the table.
        trust = (
            fit(read(options.data, name), [target], recipe=recipe("paper", few=0), workers=options.workers)
            .targets[0]
            .trust
        )
        rows[label] = {
            "labels": trust.labels,
            "hops": [list(hop.values) for hop in trust.hops],
            "prediction": list(trust.prediction.values),
            "modules": list(trust.modules.values),
        }
        save(options.out, result)
    return rows


def hop_table(rows: dict[str, Any]) -> str:
    """Mean over the seeds; deviation in brackets."""
    hops = len(next(iter(rows.values()))["hops"])
    header = ["table, target", *(f"hop {m}" for m in range(hops)), "y'", "summed modules"]
    body = [
        [
            name,
            *(
                f"{np.mean(v):.3f} ({np.std(v):.3f})"
                for v in (*row["hops"], row["prediction"], row["modules"])
            ),
        ]
        for name, row in rows.items()
    ]
    return markdown(header, body)
