"""A cheap metric beside an expensive one: what few labels of a target and many of a proxy are worth together.

    python benchmarks/cheap.py --data DIR --out OUT.json [--only NAME] [--draws 10]

A case is a table, a target, a proxy, and the numbers of labels of both; their rows are disjoint. Each draw is fitted without
the proxy, with it as far as held-out rows confirm it, and with more labels of the target instead. All are measured on the same
1,500 other rows (a third of the table where it is smaller). Results are written as they come; an interrupted run resumes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from _common import arguments, markdown, resume, save
from nasbuild.bench import read
from nasbuild.predictor import one_thread, recipe, srcc
from nasbuild.score import ProxyLabels, fit_scorers
from nasbuild.table import Table

RECIPE = recipe("default")
TIMED = 2  # draws in which as many labels of the target are fitted, to compare times
Make = Callable[[Table, str, np.random.Generator], np.ndarray]


def column(name: str) -> Make:
    """A metric of the table."""
    return lambda table, _target, _rng: table.columns[name]


def noisy(points: float = 0.0, *, flops: float = 0.0, sign: int = 1) -> Make:
    """A single training, with more noise (deviation in points) and a bias for each deviation of the FLOPs.

    The target is the mean of three trainings with a known deviation; a single one differs from it by a normal number with
    sqrt(3/2) of that, as the target has a third of its own.
    """

    def make(table: Table, target: str, rng: np.random.Generator) -> np.ndarray:
        size, own = len(table), table.columns[f"{target}_std"]
        cost = table.columns["flops"]
        found = table.columns[target] + np.sqrt(1.5) * own * rng.normal(size=size)
        found += points * rng.normal(size=size)
        return sign * (found + flops * (cost - cost.mean()) / cost.std())

    return make


def random(_table: Table, _target: str, rng: np.random.Generator) -> np.ndarray:
    return rng.normal(size=len(_table))


def shuffled(table: Table, target: str, rng: np.random.Generator) -> np.ndarray:
    return rng.permutation(table.columns[target])


@dataclass(frozen=True)
class Case:
    """Labels of the target and of the proxy in disjoint rows, and labels of the target to compare with."""

    table: str
    target: str
    proxy: Make
    own: int = 30
    cheap: int = 300
    instead: int = 100
    stored: bool = False  # whether the proxy is a metric of the table


MACRO, MR = ("nas-bench-macro", "acc"), "nas-bench-mr"
CASES = {
    "one training": Case(*MACRO, noisy()),
    "noise 0.25": Case(*MACRO, noisy(0.25)),
    "noise 0.5": Case(*MACRO, noisy(0.5)),
    "noise 1": Case(*MACRO, noisy(1.0)),
    "bias 0.5": Case(*MACRO, noisy(flops=0.5)),
    "bias 1": Case(*MACRO, noisy(flops=1.0)),
    "bias -1": Case(*MACRO, noisy(flops=-1.0)),
    "negative": Case(*MACRO, noisy(sign=-1)),
    "shuffled": Case(*MACRO, shuffled),
    "random": Case(*MACRO, random),
    "mr miou with top1": Case(MR, "miou", column("top1"), 50, 300, 150, stored=True),
    "mr video with top1": Case(MR, "video", column("top1"), 50, 300, 150, stored=True),
    "mr miou random": Case(MR, "miou", random, 50, 200, 150),
    "mr miou shuffled": Case(MR, "miou", shuffled, 50, 200, 150),
    "accel acc random": Case("accel-nasbench", "acc", random, 50, 200, 150),
    "accel acc shuffled": Case("accel-nasbench", "acc", shuffled, 50, 200, 150),
    "ofa acc random": Case("ofa-mbv3-surrogate", "acc", random, 50, 200, 150),
    "ofa acc shuffled": Case("ofa-mbv3-surrogate", "acc", shuffled, 50, 200, 150),
}


@cache
def _table(data: Path, name: str) -> Table:
    return read(data, name)


@cache
def _split(
    data: Path, table: str, target: str, proxy: Make | None, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Rows to measure on, and rows to learn from in random order: those with the target, and with a proxy of the table."""
    found = _table(data, table)
    known = np.isfinite(found.columns[target])
    if proxy is not None:
        known &= np.isfinite(proxy(found, target, np.random.default_rng(0)))
    order = np.random.default_rng(seed).permutation(np.flatnonzero(known))
    test, rest = np.split(order, [min(1_500, len(order) // 3)])
    return test, rest


def _fitted(
    data: Path, case: Case, seed: int, rows: slice, cheap: tuple[np.ndarray, slice] | None = None
) -> dict[str, Any]:
    """SRCC on other rows of y' and of summed shares, the share of them in 90 % intervals, and seconds."""
    table = _table(data, case.table)
    test, rest = _split(data, case.table, case.target, case.proxy if case.stored else None, seed)
    values, others = table.columns[case.target], [table.architectures[i] for i in test]
    proxies = []
    if cheap is not None:
        more = rest[cheap[1]]
        proxies = [ProxyLabels("proxy", tuple(table.architectures[i] for i in more), cheap[0][more])]
    start = time.perf_counter()
    problem = tuple(table.architectures[i] for i in rest[rows]), values[rest[rows]]
    [found] = fit_scorers(table.space, [problem], RECIPE, seed=seed, proxies=proxies)
    seconds = time.perf_counter() - start
    prediction, std = found.scorer.predict(others)
    return {
        "prediction": srcc(prediction, values[test]),
        "modules": srcc(found.scorer.shares(others).sum(axis=1), values[test]),
        "inside": float((np.abs(prediction - values[test]) < 1.645 * std).mean()),
        "seconds": seconds,
        "used": any(one.used for one in found.worth),
    }


_ALONE: dict[Any, dict[str, Any]] = {}


def _alone(data: Path, case: Case, seed: int, labels: int) -> dict[str, Any]:
    """A fit without a proxy, which cases of one table share."""
    key = case.table, case.target, case.stored and case.proxy, seed, labels
    if key not in _ALONE:
        _ALONE[key] = _fitted(data, case, seed, slice(labels))
    return _ALONE[key]


def draw(data: Path, case: Case, seed: int) -> dict[str, Any]:
    """Fits without the proxy, with it, with more labels of the target instead; in the first draws with as many of them."""
    table = _table(data, case.table)
    cheap = case.proxy(table, case.target, np.random.default_rng(1_000 + seed))
    _, rest = _split(data, case.table, case.target, case.proxy if case.stored else None, seed)
    every = case.own + case.cheap
    learnt = rest[:every]
    return {
        "correlation": srcc(cheap[learnt], table.columns[case.target][learnt]),
        "without": _alone(data, case, seed, case.own),
        "with": _fitted(data, case, seed, slice(case.own), (cheap, slice(case.own, every))),
        "instead": _alone(data, case, seed, case.instead),
        **({"all": _alone(data, case, seed, every)} if seed < TIMED else {}),
    }


def known_noise(data: Path, seed: int) -> dict[str, float]:
    """SRCC of y' on other rows, where every other one of 100 labels has noise of 1.5 points: untold, and told."""
    table, rng = _table(data, "nas-bench-macro"), np.random.default_rng(seed)
    values, own = table.columns["acc"], table.columns["acc_std"] ** 2 / 3
    test, learnt = np.split(rng.permutation(len(table))[:1_600], [1_500])
    extra = np.where(np.arange(100) % 2, 1.5, 0.0)
    noisy = values[learnt] + extra * rng.normal(size=100)
    found = {}
    for name, labels, noise in (
        ("plain, untold", values[learnt], None),
        ("plain, told", values[learnt], own[learnt]),
        ("noisy, untold", noisy, None),
        ("noisy, told", noisy, extra**2 + own[learnt]),
    ):
        problem = tuple(table.architectures[i] for i in learnt), labels
        [fitted] = fit_scorers(table.space, [problem], RECIPE, seed=seed, noises=[noise])
        found[name] = srcc(fitted.scorer.predict([table.architectures[i] for i in test])[0], values[test])
    return found


def main() -> None:
    parser = arguments("a cheap metric beside an expensive one", "cheap")
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--only", nargs="*", default=[*CASES])
    options = parser.parse_args()
    result = resume(options.out)
    rows, lines = result.setdefault("rows", {}), []
    for name in options.only:
        keys = [f"{name} {seed}" for seed in range(options.draws)]
        for seed, key in enumerate(keys):
            if key not in rows:
                with one_thread():
                    rows[key] = draw(options.data, CASES[name], seed)
                save(options.out, result)
        lines.append([name, *_summed([rows[key] for key in keys])])
        print(*lines[-1], sep="  ", flush=True)
    noises = result.setdefault("known noise", {})
    for seed in range(options.draws):
        if str(seed) not in noises:
            with one_thread():
                noises[str(seed)] = known_noise(options.data, seed)
            save(options.out, result)
    for name in next(iter(noises.values()), {}):
        print(name, f"{np.mean([one[name] for one in noises.values()]):.4f}")
    header = [
        "proxy",
        "its SRCC",
        "without",
        "with",
        "gain",
        "used",
        "modules",
        "intervals",
        "instead",
        "time",
    ]
    print(markdown(header, lines))


def _summed(rows: list[dict[str, Any]]) -> list[str]:
    """Means over the draws; time is that with the proxy, relative to a fit of as many labels of the target."""

    def mean(way: str, what: str) -> float:
        return float(np.mean([row[way][what] for row in rows]))

    gain = mean("with", "prediction") - mean("without", "prediction")
    timed = [row for row in rows if "all" in row]
    ratio = sum(row["with"]["seconds"] for row in timed) / sum(row["all"]["seconds"] for row in timed)
    return [
        f"{np.mean([row['correlation'] for row in rows]):.2f}",
        f"{mean('without', 'prediction'):.3f}",
        f"{mean('with', 'prediction'):.3f}",
        f"{gain:+.3f}",
        f"{sum(row['with']['used'] for row in rows)}/{len(rows)}",
        f"{mean('without', 'modules'):.3f} → {mean('with', 'modules'):.3f}",
        f"{mean('without', 'inside'):.0%} → {mean('with', 'inside'):.0%}",
        f"{mean('instead', 'prediction'):.3f}",
        f"{ratio:.1f}",
    ]


if __name__ == "__main__":
    main()
