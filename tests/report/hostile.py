"""A small table whose names contain markup."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from graph_samples import planted_table
from nasbuild.space import Architecture, Metric, sample, space_from_dict
from nasbuild.table import GraphTable, Note, Table

EVIL = "<script>alert('x')</script>"
COST = f"cost{EVIL}"
EQUATION = "acc / log10(lat + 10)"
NEVER = 9  # a kernel that no labelled architecture has

SPACE = space_from_dict(
    {
        "name": f"space {EVIL}",
        "metrics": {
            COST: {"direction": "minimize", "unit": "<b>ms</b>"},
            "acc": {"direction": "maximize", "unit": "%"},
            "lat": {"direction": "minimize", "unit": "s"},
        },
        "globals": {"resolution": [128, 160]},
        "stages": [
            {
                "name": f"one & {EVIL}",
                "depth": [1, 2],
                "features": {f"op{EVIL}": ["conv", "a-very-long-operation<i>", "skip"], "se": [False, True]},
                "shared": ["se"],
            },
            {"name": "two", "depth": [1, 2, 3], "features": {"kernel": [3, 5, 7, NEVER], "expand": [1, 2]}},
        ],
    }
)


def table() -> Table:
    """60 architectures whose cost grows with kernels and depth."""
    rng = np.random.default_rng(0)
    sampled = sample(SPACE, 400, rng, over="depths")
    kept = [a for a in sampled if all(layer[0] != NEVER for layer in a.modules[1])][:60]
    size = np.array([sum(layer[0] * layer[1] for layer in a.modules[1]) for a in kept], dtype=float)
    columns = {
        COST: 1e6 * (size + rng.normal(size=60)),
        "acc": 70 + np.sqrt(size),
        "lat": np.where(np.arange(60) == 7, np.nan, size / 10 + 1),
        "undeclared": rng.normal(size=60),
    }
    ids = tuple(f"{EVIL if i == 0 else 'id'}-{i}-{'z' * (300 if i % 3 else 1)}" for i in range(60))
    notes = (Note("skipped", f"2 rows could not be read {EVIL}", (f"line 3: {EVIL}", "b" * 400)),)
    return Table(SPACE, ids, tuple(Architecture(a.modules) for a in kept), columns, notes)


def sixty_stages() -> Table:
    """80 variants of a model of 60 blocks, each without a few attentions and MLPs; the first one has all of them."""
    blocks = [
        {"name": f"block{i}", "depth": [1], "features": {"attn": ["on", "off"], "mlp": ["on", "off"]}}
        for i in range(60)
    ]
    metrics = {
        "loss": {"direction": "minimize", "unit": "nats"},
        "size": {"direction": "minimize", "unit": "MB"},
    }
    space = space_from_dict({"name": "sixty", "metrics": metrics, "stages": blocks})
    rng = np.random.default_rng(0)
    off = rng.random((80, 60, 2)) < 0.06
    off[0] = False
    rows = tuple(
        Architecture(tuple((("off" if a else "on", "off" if m else "on"),) for a, m in row))
        for row in off.tolist()
    )
    weights = rng.gamma(1.0, 0.1, size=(60, 2))
    columns = {
        "loss": 2 + (off * weights).sum(axis=(1, 2)) + rng.normal(size=80) * 0.01,
        "size": (~off * np.array([1.2, 2.4])).sum(axis=(1, 2)),
    }
    return Table(space, tuple(f"r{i}" for i in range(80)), rows, columns, ())


def networks() -> GraphTable:
    """40 networks whose names and node names contain markup; ``cost`` is the number of nodes."""
    planted = planted_table(40)
    graphs = tuple(
        replace(g, name=f"{g.name}</script>{EVIL}", labels=np.array([f"{n}{EVIL}" for n in g.labels], object))
        for g in planted.graphs
    )
    columns = {**planted.columns, "cost": np.array([float(len(g)) for g in graphs])}
    metrics = {**planted.metrics, "cost": Metric("cost", "minimize", f"nodes{EVIL}")}
    return GraphTable(graphs, columns, metrics, (Note("graphs", f"noticed {EVIL}"),))
