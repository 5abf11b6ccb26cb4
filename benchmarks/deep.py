"""Building in stages that are too deep to list, compared with the true best and with another way to write the space.

    python benchmarks/deep.py [--data DIR]

First, ten random problems: 20 to 60 layers in one to three stages, 2 to 9 choices per layer, one to three bounds on exact
costs. The loss is a sum over layers, so an integer program finds the true best. Second, a transformer of 12 layers with one
of eight widths each, fitted to 300 rows, with a latency that is no sum. It is written as one stage and as 12 stages, and
built under four bounds on latency.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "builder"))

from deep_samples import integer_program

from _common import arguments, markdown, resume, save
from nasbuild.builder import Bound, build_front, build_shortlisted, build_within
from nasbuild.score import Fit, fit
from nasbuild.space import Architecture, Space, space_from_dict
from nasbuild.table import Table

PROBLEMS, LAYERS, ROWS, FRONT = 10, 12, 300, 100
WIDTHS = (256, 384, 512, 768, 1024, 1536, 2048, 3072)


def main() -> None:
    options = arguments("building in deep stages", "deep").parse_args()
    result = resume(options.out)
    for problem in range(PROBLEMS):
        if str(problem) not in result.setdefault("problems", {}):
            result["problems"][str(problem)] = random_problem(problem)
            save(options.out, result)
    if "transformer" not in result:
        result["transformer"] = transformer()
        save(options.out, result)
    header = ["layers", "stages", "choices", "bounds", "rows", "best loss", "built", "by score", "seconds"]
    rows = [
        [
            *(str(p[k]) for k in ("layers", "stages", "choices", "bounds", "rows")),
            *(f"{p[k]:.4f}" for k in ("best", "shortlist", "score")),
            f"{p['seconds']:.1f}",
        ]
        for p in result["problems"].values()
    ]
    print(markdown(header, rows), end="\n\n")
    found = result["transformer"]
    header = [
        "latency at most",
        "one stage: loss",
        "latency",
        "12 stages: loss",
        "latency",
        "true best found",
    ]
    print(markdown(header, [[f"{v:.4f}" for v in row] for row in found["bounds"]]))
    for way in ("one", "many"):
        own = found["fronts"][way]
        print(f"front of {way}: {own['count']} networks, largest gap {100 * own['gap']:.1f} % of the range")


def random_problem(seed: int) -> dict:
    """One problem, solved by an integer program and built from a table of random rows."""
    rng = np.random.default_rng([27, seed])
    layers, choices = int(rng.integers(20, 61)), int(rng.integers(2, 10))
    count, stages = int(rng.integers(1, 4)), int(rng.integers(1, 4))
    loss = np.cumsum(rng.exponential(size=(layers, choices)), axis=1)[:, ::-1] * rng.exponential(
        size=(layers, 1)
    )
    costs = [np.cumsum(rng.integers(1, 9, (layers, choices)), axis=1).astype(float) for _ in range(count)]
    names = [f"c{k}" for k in range(count)]
    ends = np.sort(rng.choice(np.arange(8, layers - 8), stages - 1, replace=False)) if stages > 1 else []
    depths = np.diff([0, *ends, layers]).astype(int)
    space = space_from_dict(
        {
            "name": "deep",
            "metrics": {m: {"direction": "minimize"} for m in ("loss", *names)},
            "stages": [
                {"name": f"s{u}", "depth": [int(d)], "features": {"op": [f"o{i}" for i in range(choices)]}}
                for u, d in enumerate(depths)
            ],
        }
    )
    rows = 2 * layers * (choices - 1) + 50
    codes = rng.integers(choices, size=(rows, layers))
    at = np.arange(layers)
    columns = {n: c[at, codes].sum(axis=1) for n, c in zip(("loss", *names), (loss, *costs), strict=True)}
    architectures = tuple(_modules(row, depths) for row in codes)
    table = Table(space, tuple(f"r{i}" for i in range(rows)), architectures, columns)
    fitted = fit(table, ["loss"], seed=0, baselines=False)
    share = float(rng.uniform(0.15, 0.6))
    most = [round(float((1 - share) * c.min(axis=1).sum() + share * c.max(axis=1).sum())) for c in costs]
    bounds = [Bound(n, 1, float(m)) for n, m in zip(names, most, strict=True)]
    start = time.perf_counter()
    short = build_shortlisted(fitted, "loss", 1, bounds)
    seconds = time.perf_counter() - start
    score = build_within(fitted, "loss", 1, bounds).built[0].architecture
    built = [_codes(a) for a in (short.built[0].architecture, score)]
    assert all(c[at, b].sum() <= m for b in built for c, m in zip(costs, most, strict=True))
    return {
        "layers": layers,
        "stages": stages,
        "choices": choices,
        "bounds": count,
        "rows": rows,
        "best": -integer_program(-loss, costs, most),
        "shortlist": float(loss[at, built[0]].sum()),
        "score": float(loss[at, built[1]].sum()),
        "seconds": seconds,
    }


def _modules(row: np.ndarray, depths: np.ndarray) -> Architecture:
    parts = np.split(row, np.cumsum(depths)[:-1])
    return Architecture(tuple(tuple((f"o{c}",) for c in part) for part in parts))


def _codes(architecture: Architecture) -> np.ndarray:
    return np.array([int(layer[0][1:]) for module in architecture for layer in module])


def transformer() -> dict:
    """The same table as one stage of 12 layers and as 12 stages of one."""
    rng = np.random.default_rng(12)
    codes = rng.integers(len(WIDTHS), size=(ROWS, LAYERS))
    columns = {"loss": true_loss(codes), "latency": true_latency(codes)}
    fits = {way: _learnt(way, codes, columns) for way in ("one", "many")}
    result: dict = {"bounds": [], "fronts": {}}
    for quantile in (0.1, 0.25, 0.5, 0.75):
        limit = float(np.quantile(columns["latency"], quantile))
        row = [limit]
        for fitted in fits.values():
            built = build_shortlisted(fitted, "loss", 1, [Bound("latency", 1, limit)]).built[0].architecture
            own = _width_codes(built)
            row += [float(true_loss(own)[0]), float(true_latency(own)[0])]
        result["bounds"].append([*row, _best_by_swaps(limit)])
    for way, fitted in fits.items():
        latency = np.sort(build_front(fitted, FRONT, targets=["loss", "latency"]).prediction[:, 1])
        result["fronts"][way] = {
            "count": len(latency),
            "gap": float(np.diff(latency).max() / np.ptp(columns["latency"])),
        }
    return result


def true_loss(codes: np.ndarray) -> np.ndarray:
    """Saturates in each width, later layers matter more; layers that are narrower than both neighbours cost extra."""
    log = np.log2(np.array(WIDTHS)[np.atleast_2d(codes)] / WIDTHS[0])
    weight = np.linspace(0.6, 1.4, LAYERS)
    narrow = np.maximum(np.minimum(log[:, :-2], log[:, 2:]) - log[:, 1:-1], 0)
    return 5 - 0.4 * (weight * (1 - np.exp(-0.8 * log))).sum(axis=1) / 3 + 0.02 * narrow.sum(axis=1)


def true_latency(codes: np.ndarray) -> np.ndarray:
    """Latency: work in tiles of 512, and a delay wherever the width changes."""
    width = np.array(WIDTHS)[np.atleast_2d(codes)]
    tiles = np.ceil(width / 512)
    return 2 + 0.5 * (tiles**1.3).sum(axis=1) + 0.15 * (np.diff(width, axis=1) != 0).sum(axis=1)


def _learnt(way: str, codes: np.ndarray, columns: dict[str, np.ndarray]) -> Fit:
    metrics = {m: {"direction": "minimize"} for m in columns}
    feature = {"width": list(WIDTHS)}
    names, depth = (["layers"], LAYERS) if way == "one" else ([f"l{i}" for i in range(LAYERS)], 1)
    stages = [{"name": n, "depth": [depth], "features": feature} for n in names]
    space: Space = space_from_dict({"name": way, "metrics": metrics, "stages": stages})
    rows = [[(WIDTHS[c],) for c in row] for row in codes]
    modules = [(tuple(r),) if way == "one" else tuple((layer,) for layer in r) for r in rows]
    table = Table(space, tuple(f"r{i}" for i in range(len(rows))), tuple(map(Architecture, modules)), columns)
    return fit(table, list(columns), seed=0, baselines=False)


def _width_codes(architecture: Architecture) -> np.ndarray:
    return np.array([[WIDTHS.index(layer[0]) for module in architecture for layer in module]])


def _best_by_swaps(limit: float) -> float:
    """The least true loss within a bound on true latency that swaps of one or two layers find from 200 starts."""
    rng, best = np.random.default_rng(0), np.inf
    pairs = [(i, j) for i in range(LAYERS) for j in range(i, LAYERS)]
    for _ in range(200):
        own = rng.integers(0, 3, size=LAYERS)
        if true_latency(own)[0] > limit:
            own = np.zeros(LAYERS, dtype=int)
        value, better = float(true_loss(own)[0]), True
        while better:
            some = np.repeat(own[None], len(pairs) * len(WIDTHS) ** 2, axis=0)
            new = np.array(list(np.ndindex(len(WIDTHS), len(WIDTHS))))
            for k, (i, j) in enumerate(pairs):
                block = slice(k * len(new), (k + 1) * len(new))
                some[block, i], some[block, j] = new[:, 0], new[:, 1]
            losses = np.where(true_latency(some) <= limit, true_loss(some), np.inf)
            at = int(losses.argmin())
            better = losses[at] < value - 1e-12
            if better:
                own, value = some[at], float(losses[at])
        best = min(best, value)
    return best


if __name__ == "__main__":
    main()
