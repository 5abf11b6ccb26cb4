"""Loops and searches in spaces where a third of the evaluations fail: how many later evaluations succeed, and is the best found?

    python benchmarks/failures.py --out OUT.json [--only NAME] [--seeds 10]

Every space is small or simple enough that the best architecture that does not fail is known. Each failing region is tested
with ten seeds: by the loop with ridge regression (in deep stages also by recipe default) and by searches, all of which either
learn where evaluations fail or do not (``blind``). Except for random failures, the most valuable architectures lie in the failing region, where failures hurt most.
Results are written as they come; an interrupted run resumes.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import pairwise, product
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from _common import arguments, markdown, resume, save
from nasbuild.evaluate import Evaluator, Spec, Store
from nasbuild.optimize import LoopSettings, optimize
from nasbuild.predictor import recipe
from nasbuild.search import SearchSettings, parse_goal, search
from nasbuild.space import (
    Architecture,
    Space,
    enumerate_architectures,
    fix_parts,
    sample,
    space_from_dict,
    to_dict,
)

SETTINGS = LoopSettings(rounds=4, batch=10, first=32)
SEARCH = SearchSettings(budget=120, population=24)


def _space(stages: int, depth: Sequence[int], features: dict[str, Any], **more: Any) -> Space:
    each = [{"name": f"s{n}", "depth": list(depth), "features": features} for n in range(stages)]
    return space_from_dict(
        {"name": "failing", "metrics": {"acc": {"direction": "maximize"}}, "stages": each, **more}
    )


OPS = {"op": ["a", "c"], "width": [16, 32, 64]}
LISTED = _space(3, (1, 2), OPS)
DEEP = space_from_dict(
    {
        "name": "failing",
        "metrics": {"acc": {"direction": "maximize"}},
        "stages": [
            {"name": "s0", "depth": [1, 2], "features": OPS},
            {"name": "s1", "depth": [6, 8, 10], "features": OPS},
        ],
    }
)
SINGLE = _space(6, (1,), {"width": [8, 16, 32, 64]})
TIED = fix_parts(
    _space(4, (1, 2), OPS, tied=[["s0.width", "s1.width"], ["s2.width", "s3.width"]]), ["s3.1.op=a"]
)
COST = _space(
    4,
    (1, 2),
    {"width": [16, 32, 64, 128]},
    costs={"params": {"sum": [{"product": "9 * previous.width * width", "first": {"width": 3}}]}},
)


def _layers(arch: Any) -> list[dict[str, Any]]:
    return [layer for stage in arch["stages"] for layer in stage]


def worth(arch: Any) -> float:
    """A sum over layers: larger for wide layers and for operation c."""
    each = enumerate(arch["stages"])
    return sum(layer_worth(u, i, layer) for u, stage in each for i, layer in enumerate(stage))


def layer_worth(stage: int, place: int, layer: dict[str, Any]) -> float:
    """Worth of a layer at its place: smaller deeper in a stage, larger in later stages."""
    op = 1.2 if layer.get("op") == "c" else 1.0
    return float(op * (1 + 0.1 * stage) * np.log2(layer["width"]) / (1 + 0.2 * place))


def width_sum(arch: Any) -> float:
    return float(sum(layer["width"] for layer in _layers(arch)))


def params(arch: Any) -> float:
    widths = [3, *(layer["width"] for layer in _layers(arch))]
    return float(sum(9 * a * b for a, b in pairwise(widths)))


@cache
def _limit(space_name: str, function: str, share: float) -> float:
    space, value = SPACES[space_name], FUNCTIONS[function]
    some = sample(space, 4_000, np.random.default_rng(0), distinct=False)
    return float(np.quantile([value(to_dict(space, a)) for a in some], share))


FUNCTIONS: dict[str, Callable[[Any], float]] = {"width_sum": width_sum, "params": params}
SPACES = {"listed": LISTED, "deep": DEEP, "single": SINGLE, "tied": TIED, "cost": COST}


def _random(arch: Any, share: float) -> bool:
    seed = [ord(c) for c in json.dumps(arch)]
    return bool(np.random.default_rng(seed).random() < share)


@dataclass(frozen=True)
class Region:
    """Region of a space where evaluations fail."""

    space: str
    fails: Callable[[Any], bool]
    bounds: tuple[str, ...] = ()


def _sum(space: str, function: str = "width_sum", share: float = 2 / 3, **more: Any) -> Region:
    return Region(space, lambda a: FUNCTIONS[function](a) > _limit(space, function, share), **more)


REGIONS = {
    "choice": Region("listed", lambda a: a["stages"][0][0]["op"] == "c"),
    "depth": Region("listed", lambda a: len(a["stages"][1]) == 2),
    "sum": _sum("listed"),
    "pair": Region("single", lambda a: a["stages"][0][0]["width"] >= 32 and a["stages"][3][0]["width"] >= 32),
    "single-sum": _sum("single"),
    "deep-sum": _sum("deep"),
    "deep-choice": Region("deep", lambda a: a["stages"][0][0]["op"] == "c"),
    "tied-sum": _sum("tied"),
    "bounded-sum": _sum("listed", bounds=("layers <= 4",)),
    "cost": _sum("cost", "params"),
    "random": Region("listed", lambda a: _random(a, 0.1)),
    "none": Region("listed", lambda _: False),
}


@dataclass(frozen=True)
class RegionSpec(Spec):
    """Evaluator of a region, by name."""

    def load(self) -> Evaluator:
        region, space = REGIONS[self.name], self.space

        def measure(architecture: Architecture) -> dict[str, float]:
            arch = to_dict(space, architecture)
            if region.fails(arch):
                raise MemoryError("out of memory")
            return {"acc": worth(arch)}

        return Evaluator(self.name, space.metrics, measure, "free")


@cache
def best(name: str) -> float:
    """Best worth that does not fail, over all architectures; for deep stages found layer by layer."""
    region = REGIONS[name]
    space = SPACES[region.space]
    if region.space == "deep":
        return max(_deep(name, depths) for depths in product(*(stage.depths for stage in space.stages)))
    most = next((int(bound.split()[-1]) for bound in region.bounds), 99)
    every = (to_dict(space, architecture) for architecture in enumerate_architectures(space))
    return max(worth(a) for a in every if len(_layers(a)) <= most and not region.fails(a))


def _deep(name: str, depths: tuple[int, ...]) -> float:
    """Best worth for given depths, over all sums of widths; operation c is worth most unless it fails."""
    limit = _limit("deep", "width_sum", 2 / 3) if name == "deep-sum" else np.inf
    found = {0: 0.0}
    for u, depth in enumerate(depths):
        for i in range(depth):
            op = "a" if name == "deep-choice" and (u, i) == (0, 0) else "c"
            longer: dict[int, float] = {}
            for total, value in found.items():
                for width in (16, 32, 64):
                    own = value + layer_worth(u, i, {"op": op, "width": width})
                    longer[total + width] = max(own, longer.get(total + width, -np.inf))
            found = longer
    return max((value for total, value in found.items() if total <= limit), default=-np.inf)


def loop(name: str, seed: int, blind: bool, by: str = "ridge") -> dict[str, Any]:
    """Successful evaluations after the first round, and the shortfall of the best from the known best, by a recipe."""
    region = REGIONS[name]
    space = SPACES[region.space]
    settings = LoopSettings(SETTINGS.rounds, SETTINGS.batch, SETTINGS.first, seed=seed)
    spec = RegionSpec(name, space, seed)
    goal = parse_goal(space, ["acc"], region.bounds, space.metrics)
    with tempfile.TemporaryDirectory() as place, _blinded("nasbuild.optimize._learn", blind):
        store = Store(Path(place) / "store.db", space, spec.name, seed=seed)
        found = optimize(Path(place) / "out", spec, goal, settings, store, recipe=recipe(by)).evaluated
        store.close()
    known = found.known
    return {
        **_row(known, found.rounds, found.values[found.inside, 0], name),
        "rounds": [int(known[found.rounds == r].sum()) for r in range(1, len(found.summaries))],
        "expected": [one.done + one.failed - one.expected for one in found.summaries[1:]],
    }


def searched(name: str, seed: int, blind: bool) -> dict[str, Any]:
    """As `loop`, for a search."""
    region = REGIONS[name]
    space = SPACES[region.space]
    goal = parse_goal(space, ["acc"], region.bounds, space.metrics)
    settings = SearchSettings(budget=SEARCH.budget, population=SEARCH.population, seed=seed)

    def evaluate(architectures: Sequence[Architecture]) -> list[dict[str, float | None]]:
        archs = [to_dict(space, architecture) for architecture in architectures]
        return [{"acc": None if region.fails(arch) else worth(arch)} for arch in archs]

    with _blinded("nasbuild.search._search_loop", blind):
        found = search(space, evaluate, goal, settings)
    known = ~np.isnan(found.values[:, 0])
    return _row(known, found.generation, found.values[found.within, 0], name)


def _row(known: np.ndarray, number: np.ndarray, values: np.ndarray, name: str) -> dict[str, Any]:
    later = number > 0
    return {
        "first": int((known & ~later).sum()),
        "succeeded": int((known & later).sum()),
        "later": int(later.sum()),
        "top": float(values.max(initial=-np.inf)),
        "best": best(name),
    }


def _blinded(module: str, blind: bool) -> contextlib.AbstractContextManager[Any]:
    return mock.patch(f"{module}.fit_failures", return_value=None) if blind else contextlib.nullcontext()


WAYS: dict[str, Callable[[str, int, bool], dict[str, Any]]] = {
    "loop": loop,
    "search": searched,
    # Ridge regression learns too little of ten layers from 72 evaluations; a fit by the default recipe takes a minute.
    "loop by default": partial(loop, by="default"),
}
DEEP_REGIONS = ("deep-sum", "deep-choice")


def main() -> None:
    parser = arguments("where evaluations fail", "failures")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--only", nargs="*", default=[*REGIONS])
    parser.add_argument("--ways", nargs="*", default=[*WAYS])
    options = parser.parse_args()
    result = resume(options.out)
    rows = result.setdefault("rows", {})
    lines = []
    for way in options.ways:
        for name in [n for n in options.only if way != "loop by default" or n in DEEP_REGIONS]:
            each = {}
            for blind in (True, False):
                keys = [f"{way} {name} {'blind' if blind else 'learns'} {s}" for s in range(options.seeds)]
                for seed, key in enumerate(keys):
                    if key not in rows:
                        rows[key] = WAYS[way](name, seed, blind)
                        save(options.out, result)
                each[blind] = [rows[key] for key in keys]
            lines.append([way, name, *(text for own in each.values() for text in _summed(own))])
            print(*lines[-1], sep="  ", flush=True)
    header = ["", "region", *(f"{what}, {how}" for how in ("blind", "learns") for what in WHAT)]
    print(markdown(header, lines))


WHAT = ("succeeded later", "best found", "short of it")


def _summed(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Share of successful later evaluations, number of seeds that found the best, and mean shortfall."""
    share = sum(r["succeeded"] for r in rows) / sum(r["later"] for r in rows)
    short = [(r["best"] - r["top"]) / r["best"] for r in rows]
    return [f"{share:.0%}", f"{sum(s <= 1e-9 for s in short)}/{len(rows)}", f"{np.mean(short):.2%}"]


if __name__ == "__main__":
    main()
