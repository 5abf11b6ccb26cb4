"""Spaces and evaluators for the tests of the loop, in a file so that other processes can load them."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

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
