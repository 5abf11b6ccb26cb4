"""Quantised language models as spaces and tables: a stage for each tensor, and exact costs in bytes.

The folders of ``gguf-singles`` hold ``singles.csv`` (one tensor in another type), ``uniform.csv`` (all tensors in one type),
``bytes.csv`` (size of each tensor in each type) and, for one model, ``joint.csv`` (recipes with measured perplexity).
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nasbuild.space import Architecture, space_from_dict
from nasbuild.table import Table

UNCHANGED = "bf16"
LOWEST = {"ppl": 1, "kld": 0}
BITS = {
    **{"bf16": 16, "q8_0": 8.5, "q8_k_r8": 8.0625, "q8_KV": 8, "iq6_k": 6.625, "q6_K": 6.5625, "q6_0": 6.5},
    **{
        "q5_1": 6,
        "q5_0": 5.5,
        "q5_K": 5.5,
        "iq5_k": 5.5,
        "iq5_ks": 5.25,
        "q4_1": 5,
        "q4_0": 4.5,
        "q4_K": 4.5,
    },
    **{
        "iq4_k": 4.5,
        "iq4_nl": 4.5,
        "iq4_ks": 4.25,
        "iq4_xs": 4.25,
        "iq4_kss": 4,
        "iq4_kt": 4,
        "q3_K": 3.4375,
    },
    **{"iq3_k": 3.4375, "iq3_s": 3.4375, "iq3_ks": 3.1875, "iq3_kt": 3.125, "iq3_xxs": 3.0625},
    **{"iq2_kl": 2.6875, "q2_K": 2.625, "iq2_s": 2.5625, "iq2_k": 2.375, "iq2_xs": 2.3125, "iq2_ks": 2.1875},
    **{"iq2_kt": 2.125, "iq2_xxs": 2.0625, "iq2_bn": 2, "iq1_m": 1.75, "iq1_kt": 1.75, "iq1_bn": 1.625},
    **{"iq1_s": 1.5625, "iq1_s_r4": 1.5},
}
"""Bits a weight of the types of llama.cpp and its fork ik_llama.cpp; ``_r4`` and ``_r8`` are the same types, interleaved."""
BLOCKS = {
    **dict.fromkeys(("q8_0", "q6_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl", "iq1_s_r4"), 32),
    **{"iq1_bn": 64, "iq2_bn": 64, "bf16": 1},
}
"""Weights in a block where it is not 256."""


def plain_type(name: str) -> str:
    """The type that is not interleaved: ``q4_K`` of ``q4_k_r4``."""
    base = name.removesuffix("_r4").removesuffix("_r8") if name not in BITS else name
    return next(own for own in (base, base[:-1] + base[-1].upper()) if own in BITS)


def attributes(types: Iterable[str], names: Sequence[str]) -> dict[str, dict[str, dict[str, float]]]:
    """``attributes:`` of a space with feature ``type``: ``bits``, and ``block``, the logarithm of the weights in a block."""
    numbers = {
        t: {"bits": BITS[plain_type(t)], "block": float(np.log2(BLOCKS.get(plain_type(t), 256)))}
        for t in types
    }
    return {"type": {name: {t: own[name] for t, own in numbers.items()} for name in names}} if names else {}


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


def read(folder: Path, names: Sequence[str] = (), *, sized: bool = True) -> Quantised:
    """Reads a folder.

    Parameters
    ----------
    names
        Attributes of the types to declare: ``bits``, ``block``.
    sized
        Whether to leave out uniform rows of types without sizes, and to declare the cost; else all rows and no cost.
    """
    singles, uniform = _rows(folder / "singles.csv"), _rows(folder / "uniform.csv")
    joint = _rows(folder / "joint.csv") if (folder / "joint.csv").exists() else []
    sizes = {(row["tensor"], row["type"]): int(row["bytes"]) for row in _rows(folder / "bytes.csv")}
    tensors = list(dict.fromkeys(row["tensor"] for row in singles))
    if sized:
        # Types without a size can't be built within a budget.
        uniform = [row for row in uniform if all((t, row["type"]) in sizes for t in tensors)]
    used = {t: dict.fromkeys(row["type"] for row in uniform) for t in tensors}
    for row in [*singles, *({"tensor": t, "type": row[t]} for row in joint for t in tensors)]:
        used[row["tensor"]].setdefault(row["type"])
    values = [
        {"feature": "type", "stage": t, "values": {c: sizes[t, c] for c in used[t]}} for t in tensors if sized
    ]
    every = dict.fromkeys(c for of in used.values() for c in of)
    space = space_from_dict(
        {
            "name": folder.name,
            "metrics": {name: {"direction": "minimize", "minimum": low} for name, low in LOWEST.items()},
            "reference": {"type": UNCHANGED},
            "costs": {"bytes": {"sum": values}} if sized else {},
            "stages": [{"name": t, "depth": [1], "features": {"type": [*of]}} for t, of in used.items()],
            "attributes": attributes(every, names),
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
