"""Spaces and evaluators of the loop tests, importable by other processes."""

from __future__ import annotations

import json
import os
import time
import zlib
from pathlib import Path

import numpy as np

from nasbuild.space import Space, space_from_dict

NAME = f"{Path(__file__)}:"
WORTH = {"a": 1.0, "b": 0.4, "c": 0.1}
COST = {"a": 0.2, "b": 0.5, "c": 2.0}


def space(depths=(1, 2), stages=2) -> Space:
    stage = {"depth": list(depths), "features": {"op": ["a", "b", "c"]}}
    return space_from_dict(
        {
            "name": "small",
            "metrics": {
                "loss": {"direction": "minimize", "unit": "nats"},
                "cost": {"direction": "minimize", "unit": "ms"},
            },
            "stages": [{"name": f"s{n}", **stage} for n in range(stages)],
        }
    )


def value(arch):
    layers = [(u, layer["op"]) for u, stage in enumerate(arch["stages"]) for layer in stage]
    return {
        "loss": sum((1 + u) * WORTH[op] for u, op in layers) / len(layers) + 0.1 / len(layers),
        "cost": sum(COST[op] for _, op in layers),
    }


def noted(arch):
    """Slow enough to be killed in."""
    note(arch)
    time.sleep(0.04)
    return value(arch)


def note(arch):
    """A line for every evaluation, so that a test can count them."""
    with Path(os.environ["NOTES"]).open("a") as notes:
        notes.write(json.dumps(arch) + "\n")


def picky(arch):
    note(arch)
    if len(arch["stages"][0]) == 2:
        raise ValueError("two layers are too many")
    return value(arch)


def never(arch):
    raise RuntimeError(f"out of memory with {len(arch['stages'])} stages")


def forgetful(arch):
    return {"loss": None, "cost": value(arch)["cost"]}


GAIN = {"a": 0.4, "b": 1.0, "c": 2.2}
MEMORY = 4.1


def demand(arch):
    """What an architecture needs of the memory."""
    return value(arch)["cost"]


def yearning(arch):
    """Less loss the more is spent, with less to be had for it in later stages."""
    layers = [(u, layer["op"]) for u, stage in enumerate(arch["stages"]) for layer in stage]
    return {"loss": 20 - sum(GAIN[op] * (1 + 0.1 * u) for u, op in layers), "cost": demand(arch)}


def hungry(arch):
    """Loss is least where most memory is needed, of which there is too little for many."""
    if demand(arch) > MEMORY:
        raise MemoryError("out of memory")
    return yearning(arch)


def hungry_and_flat(arch):
    return {"loss": 1.0, "cost": hungry(arch)["cost"]}


def hungry_for_c(arch):
    """What begins with operation c runs out of memory."""
    if arch["stages"][0][0]["op"] == "c":
        raise MemoryError("out of memory")
    return yearning(arch)


def unlucky(arch):
    """About one in ten fails, whatever it is."""
    if zlib.crc32(json.dumps(arch).encode()) % 10 == 0:
        raise OSError("the worker was lost")
    return yearning(arch)


def hashed(arch):
    """Numbers that mean nothing but are the same every time; an interrupt after so many as STOP tells."""
    notes = Path(os.environ["NOTES"])
    done = len(notes.read_text().splitlines()) if notes.exists() else 0
    if str(done) == os.environ.get("STOP"):
        raise KeyboardInterrupt
    note(arch)
    return numbers(arch)


def numbers(arch):
    drawn = zlib.crc32(json.dumps(arch).encode())
    return {"loss": drawn % 997 / 997, "cost": drawn // 997 % 991 / 991}


def crossed(arch):
    """As `hashed`, in processes of any number; ends its process or takes long, each in a part of the space."""
    note(arch)
    match len(arch["stages"][0]), arch["stages"][0][0]["op"]:
        case 1, "b":
            os._exit(3)
        case 1, "c":
            time.sleep(60)
    return numbers(arch)


COSTS = {"a": 4, "b": 2, "c": 1}
_VECTORS = np.random.default_rng(5).normal(size=(8, 4)) * np.linspace(0.3, 1.5, 8)[:, None]
_MISSING = {"a": 0.0, "b": 0.35, "c": 1.0}


def around(reference="a") -> Space:
    """Eight blocks in three qualities around a reference, with a declared cost."""
    return space_from_dict(
        {
            "name": "around",
            "metrics": {"loss": {"direction": "minimize", "unit": "nats"}},
            "stages": [
                {"name": f"block{n}", "depth": 1, "features": {"op": ["a", "b", "c"]}} for n in range(8)
            ],
            "costs": {"bytes": {"sum": [{"feature": "op", "values": COSTS}]}},
            "reference": {"op": reference},
        }
    )


def missing(arch):
    """The logarithm of the squared length of what is missing: effects add up only roughly."""
    lost = sum(_MISSING[stage[0]["op"]] * v for stage, v in zip(arch["stages"], _VECTORS, strict=True))
    return {"loss": 2 + float(np.log1p(lost @ lost))}
