"""Quantised language models as spaces and tables: a stage for each tensor, and exact costs in bytes.

The folders of ``gguf-singles`` hold ``singles.csv`` (one tensor in another type), ``uniform.csv`` (all tensors in one type),
``bytes.csv`` (size of each tensor in each type) and, for one model, ``joint.csv`` (recipes with measured perplexity).
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nasbuild.space import Architecture, space_from_dict
from nasbuild.table import Table

UNCHANGED = "bf16"
LOWEST = {"ppl": 1, "kld": 0}


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


@dataclass(frozen=True)
class Quantised:
    """Measurements of one model.

    Attributes
    ----------
    table
        Uniform rows (the first is the unchanged model) and single changes, with ``ppl`` and ``kld``. Its space has a stage for
        each tensor that single changes name, in the order of the model, with all types that rows have there, and the cost
        ``bytes``.
    recipes, perplexity, names
        Joint recipes with their perplexities in a longer run, and their names; none without ``joint.csv``.
    """

    table: Table
    recipes: tuple[Architecture, ...]
    perplexity: np.ndarray
    names: tuple[str, ...]


def read(folder: Path) -> Quantised:
    """Reads a folder."""
    singles, uniform = _rows(folder / "singles.csv"), _rows(folder / "uniform.csv")
    joint = _rows(folder / "joint.csv") if (folder / "joint.csv").exists() else []
    sizes = {(row["tensor"], row["type"]): int(row["bytes"]) for row in _rows(folder / "bytes.csv")}
    tensors = list(dict.fromkeys(row["tensor"] for row in singles))
    # Types without a size can't be built within a budget.
    uniform = [row for row in uniform if all((t, row["type"]) in sizes for t in tensors)]
    used = {t: dict.fromkeys(row["type"] for row in uniform) for t in tensors}
    for row in [*singles, *({"tensor": t, "type": row[t]} for row in joint for t in tensors)]:
        used[row["tensor"]].setdefault(row["type"])
    values = [{"feature": "type", "stage": t, "values": {c: sizes[t, c] for c in used[t]}} for t in tensors]
    space = space_from_dict(
        {
            "name": folder.name,
            "metrics": {name: {"direction": "minimize", "minimum": low} for name, low in LOWEST.items()},
            "reference": {"type": UNCHANGED},
            "costs": {"bytes": {"sum": values}},
            "stages": [{"name": t, "depth": [1], "features": {"type": [*of]}} for t, of in used.items()],
        }
    )

    def architecture(changed: Mapping[str, str]) -> Architecture:
        return Architecture(tuple(((changed.get(tensor, UNCHANGED),),) for tensor in tensors))

    rows = [(row, architecture({row["tensor"]: row["type"]})) for row in singles]
    rows = [(row, architecture(dict.fromkeys(tensors, row["type"]))) for row in uniform] + rows
    table = Table(
        space,
        tuple(f"{row.get('tensor', 'uniform')} {row['type']}" for row, _ in rows),
        tuple(a for _, a in rows),
        {name: np.array([float(row[name]) for row, _ in rows]) for name in LOWEST},
    )
    return Quantised(
        table,
        tuple(architecture({t: row[t] for t in tensors}) for row in joint),
        np.array([float(row["ppl"]) for row in joint]),
        tuple(row["recipe"] for row in joint),
    )
