"""Networks built from 300 labels of fashion-ofa, tested by the real supernet.

    python benchmarks/fashion.py --work DIR --images DIR [--sweep] [--print]

``--work`` is the folder in which the table was made (``python -m nasbuild.zoo.ofa --finish``). It contains the supernet,
and its own table if that differs from the built-in one: a supernet trained on another processor has other accuracies.
From 300 of the table's 2,000 labels, recipe ``default`` builds 81 networks by accuracy: the best, by summed scores, of the
243 combinations of the three best modules of each stage. It also builds a front of 81 by accuracy and latency. Evolution
(NSGA-II; paper, section 5.1) starts with the same 300 labels and gets the same number of further evaluations, by
accuracy alone and by both. All accuracies are measured with the supernet.

During the evolution, latencies are predictions of a fit on all 2,000 measured latencies, of which the built front uses
only 300. ``--sweep``, on a quiet machine, measures the latency of all compared networks together, and only these figures
are reported. Evaluations are stored in the work folder; results are written as they come, and resumed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import moocore
import numpy as np
import torch

from _common import RESULTS, architecture, arguments, markdown, resume, save
from nasbuild.builder import build, build_front
from nasbuild.evaluate import InProcess, Pool, Spec
from nasbuild.score import Fit, fit
from nasbuild.search import SearchSettings, parse_goal, search
from nasbuild.space import Architecture, load_space
from nasbuild.table import Table, load_builtin, read_table
from nasbuild.zoo.ofa.generate import SPACE, TABLE, TIMED, Work

LABELS, K, BUILT, POPULATION = 300, 3, 81, 27
TARGETS = ("acc", "latency_cpu")
SETS = ("best", "front", "evolved best", "evolved front")
CHECKED = 4
"""Networks of the table that are tested to see whether the supernet is that of the table."""
LAYERS_OF_FRONT = 4
"""Rows of the table are swept if fewer than this many fronts dominate them by the table's latencies."""


def main() -> None:
    parser = arguments("what is built for fashion-ofa, tested for real", "fashion")
    parser.add_argument("--work", type=Path, default=Path("fashion"), help="work folder of the table")
    parser.add_argument("--images", type=Path, default=Path("/usr/share/datasets/fashion-mnist"))
    parser.add_argument("--draws", type=int, default=1, help="draws of 300 labels")
    parser.add_argument("--sweep", action="store_true", help="measure latencies of all that is compared")
    parser.add_argument("--figure", type=Path, default=RESULTS / "fashion.svg")
    parser.add_argument("--print", action="store_true", help="print what was measured; nothing is computed")
    options = parser.parse_args()
    torch.set_num_threads(1)
    result = resume(options.out)
    if not options.print:
        own = options.work / TABLE
        table = read_table(own, load_space(SPACE)) if own.exists() else load_builtin(SPACE)
        work = Measured(Work(options.work, options.images), table, options.workers)
        work.check()
        result["table"] = len(table)
        for draw in range(options.draws):
            have = result.setdefault("draws", {}).setdefault(str(draw), {})
            measure(work, draw, have, lambda: save(options.out, result))
        if options.sweep:
            result["sweep"] = sweep(work, result["draws"])
            save(options.out, result)
    show(result)
    if "sweep" in result:
        draw_figure(result, options.figure)


class Measured:
    """The table, and accuracies of other networks: from the store, or tested with the supernet."""

    def __init__(self, work: Work, table: Table, workers: int) -> None:
        self.executor = Pool(workers) if workers > 1 else InProcess()
        self.work, self.table, self.space = work, table, table.space
        self.known = dict(zip(table.architectures, table.columns["acc"].tolist(), strict=True))

    def check(self) -> None:
        """Exit if the table belongs to another supernet."""
        some = list(self.table.architectures[:CHECKED])
        measured = self.work.measure(self.work.evaluator, some, self._report)
        if any(measured.get(a, {}).get("acc") != self.known[a] for a in some):
            raise SystemExit(
                f"the supernet in {self.work.folder} is not the one of the table; make its own there "
                "with python -m nasbuild.zoo.ofa --finish"
            )

    def accuracies(self, architectures: Sequence[Architecture]) -> list[float]:
        new = [a for a in architectures if a not in self.known]
        measured = self.work.measure(self.work.evaluator, new, self._report, self.executor) if new else {}
        self.known |= {a: float(m["acc"] or np.nan) for a, m in measured.items()}
        return [self.known[a] for a in architectures]

    def _report(self, what: str, done: int, total: int) -> None:
        if done in (0, total):
            print(f"{what}: {done} of {total}", flush=True)


def measure(work: Measured, draw: int, have: dict[str, Any], keep) -> None:
    """Compute the missing parts of a draw; ``keep`` saves them."""
    rows = np.random.default_rng(draw).choice(len(work.table), LABELS, replace=False)
    few = work.table.select(rows)
    have["rows"] = rows.tolist()
    if "front" not in have:
        fitted = fit(few, list(TARGETS), baselines=False, seed=draw)
        have["best"] = describe(work, cluster(fitted))
        keep()
        have["front"] = describe(work, build_front(fitted, BUILT).architectures)
        keep()
    for name, targets in (("evolved best", TARGETS[:1]), ("evolved front", TARGETS)):
        if name not in have:
            found = evolve(work, few, targets, draw)
            have[name] = describe(work, found)
            keep()


def cluster(fitted: Fit) -> list[Architecture]:
    """The best by accuracy among combinations of the three best modules of each stage (section 5.1)."""
    return [one.architecture for one in build(fitted.of("acc"), BUILT, k=K)]


def describe(work: Measured, architectures: Sequence[Architecture]) -> dict[str, Any]:
    return {"modules": [a.modules for a in architectures], "acc": work.accuracies(architectures)}


def evolve(work: Measured, few: Table, targets: tuple[str, ...], seed: int) -> list[Architecture]:
    """Architectures that evolution evaluates after its initial labels."""
    latency = (
        fit(work.table, ["latency_cpu"], baselines=False).targets[0].scorer if len(targets) > 1 else None
    )
    goal = parse_goal(few.space, list(targets), [], few.metrics)

    def evaluate(asked: Sequence[Architecture]) -> list[dict[str, float | None]]:
        columns = {"acc": work.accuracies(asked)}
        if latency is not None:
            columns["latency_cpu"] = latency.predict(asked)[0].tolist()
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    settings = SearchSettings("stage", LABELS + BUILT, POPULATION, seed=seed)
    found = search(few.space, evaluate, goal, settings, start=few.architectures)
    begun = set(few.architectures)
    return [a for a in found.architectures if a not in begun]


def sweep(work: Measured, draws: dict[str, Any]) -> dict[str, Any]:
    """Latencies of all compared networks and of the table's near its front, measured together."""
    table = work.table
    losses = np.column_stack([-table.columns["acc"], table.columns["latency_cpu"]])
    near = np.flatnonzero(moocore.pareto_rank(losses) < LAYERS_OF_FRONT)
    sets = {"table": [table.architectures[i] for i in near]}
    for draw, have in draws.items():
        for name in SETS:
            sets[f"{name} {draw}"] = [architecture(m) for m in have[name]["modules"]]
    every = list(dict.fromkeys(a for some in sets.values() for a in some))
    print(f"latency of {len(every):,} networks", flush=True)
    # A high tolerance, so that no network is missing from the comparison.
    evaluator = Spec(f"{TIMED},tolerance=10", work.space).load()
    # They are timed 32 at a time, in random order, so that slow minutes affect all sets alike.
    every = [every[i] for i in np.random.default_rng(0).permutation(len(every))]
    latency = {}
    for network, outcome in zip(every, evaluator.raw_results(every), strict=True):
        if isinstance(outcome, Exception):
            raise outcome
        latency[network] = outcome
    return {
        name: {
            "acc": work.accuracies(some),
            "latency": [latency[a]["latency_ms"] for a in some],
            "spread": [latency[a]["latency_ms_spread"] for a in some],
        }
        for name, some in sets.items()
    }


def points(one: dict[str, Any]) -> np.ndarray:
    """(networks, 2): accuracy, latency turned round, so that more is better in both."""
    return np.column_stack([one["acc"], -np.array(one["latency"])])


def front_of(values: np.ndarray) -> np.ndarray:
    best = values[moocore.is_nondominated(values, maximise=True, keep_weakly=False)]
    return best[np.argsort(best[:, 0])]


def beaten(front: np.ndarray, by: np.ndarray) -> float:
    """Share of a front's points that others dominate."""
    over = (by[None] >= front[:, None]).all(axis=2) & (by[None] > front[:, None]).any(axis=2)
    return over.any(axis=-1).mean()


def show(result: dict[str, Any]) -> None:
    for draw, have in result["draws"].items():
        best = {name: max(have[name]["acc"]) for name in ("best", "evolved best") if name in have}
        print(f"draw {draw}: best accuracy of 81 built and of as many evolved: {best}")
    if "sweep" not in result:
        return
    swept = result["sweep"]
    table = points(swept["table"])
    every = np.concatenate([points(one) for one in swept.values()])
    low, span = every.min(axis=0), np.ptp(every, axis=0)

    def volume(values: np.ndarray) -> float:
        return float(moocore.hypervolume((values - low) / span, ref=np.zeros(2), maximise=True))

    body = []
    for draw in result["draws"]:
        sets = {
            f"front of the {result['table']:,}": table,
            "built, accuracy and latency": points(swept[f"front {draw}"]),
            "evolved, accuracy and latency": points(swept[f"evolved front {draw}"]),
            "built, accuracy": points(swept[f"best {draw}"]),
            "evolved, accuracy": points(swept[f"evolved best {draw}"]),
        }
        built = np.concatenate([sets["built, accuracy and latency"], sets["built, accuracy"]])
        for name, values in sets.items():
            front = front_of(values)
            body.append(
                [
                    draw,
                    name,
                    str(len(values)),
                    f"{volume(values):.3f}",
                    f"{values[:, 0].max():.2f}",
                    f"{beaten(front, built):.0%}" if "built" not in name else "",
                ]
            )
    header = [
        "draw",
        "networks",
        "number",
        "hypervolume",
        "best accuracy",
        "of its front, beaten by what was built",
    ]
    print(markdown(header, body))


def draw_figure(result: dict[str, Any], path: Path) -> None:
    from matplotlib.figure import Figure

    swept, draw = result["sweep"], next(iter(result["draws"]))
    figure = Figure(figsize=(9, 5), layout="constrained")
    axis = figure.subplots()
    looks = {
        "table": (f"near the front of {result['table']:,} at random", "#999999", "."),
        f"evolved best {draw}": ("evolved from 300, accuracy (81)", "#dd8452", "x"),
        f"evolved front {draw}": ("evolved from 300, accuracy and latency (81)", "#c44e52", "+"),
        f"best {draw}": ("built from 300, accuracy (81)", "#8172b3", "."),
        f"front {draw}": ("built from 300, accuracy and latency (81)", "#4c72b0", "o"),
    }
    for name, (label, color, marker) in looks.items():
        values = points(swept[name])
        axis.scatter(-values[:, 1], values[:, 0], s=18, color=color, marker=marker, label=label, alpha=0.75)
        front = front_of(values)
        axis.step(-front[:, 1], front[:, 0], where="post", color=color, linewidth=1)
    axis.set_xlabel("latency, ms for 16 pictures on one thread")
    axis.set_ylabel("accuracy on 10,000 test pictures, %")
    figure.legend(frameon=False, loc="outside upper center", ncols=2)
    axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    main()
