"""Figure 5 of the paper: fronts of accuracy and latency without a search, and what searches find.

    python benchmarks/fig5.py [--data DIR] [--out FILE.json] [--figure FILE.svg] [--print]

Six settings: two once-for-all spaces, three devices. All labels, and the truth, are pseudo-labels of the authors' regressors.
The reference ("near-limit") is the best front that evolutions of 60,000 evaluations find on the regressors themselves, from
random architectures (3 seeds) and from the built fronts. Hypervolumes are measured from the worst labelled values, as shares
of the volume between the front of the 3,000 labelled architectures and the near-limit. Searches have 250 evaluations and 10
seeds. Results are written as they come; an interrupted run resumes.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import moocore
import numpy as np

from _common import RESULTS, architecture, arguments, markdown, plain, resume, save
from nasbuild.bench import Cell, Truth, read, truth
from nasbuild.builder import build_front, propose_equations, reduce_space
from nasbuild.objective import parse_target
from nasbuild.predictor import recipe
from nasbuild.score import Fit, fit
from nasbuild.search import Goal, SearchResult, SearchSettings, layer_insight_space, parse_goal, search
from nasbuild.space import Architecture, Space, count_architectures
from nasbuild.table import Table

SPACES, DEVICES = ("ofa-mbv3-surrogate", "ofa-pn-surrogate"), ("latency_gpu", "latency_cpu", "latency_npu")
FRONT, FEW, DRAWS, SEEDS = 40, 300, 5, 10
EQUATIONS, CLUSTER, REDUCED = 4, 3, 25
LIMIT, LIMIT_SEEDS = 60_000, 3
RECIPE = recipe("default", folds=2)  # scores are the same; two folds instead of five measure the spread
METHODS = ("stage", "layer", "insight", "reduced")
NAMES = {"stage": "Stage-Full", "layer": "Layer-Full", "insight": "Layer-Insight", "reduced": "AutoBuild-NAS"}


class Setting:
    """A space and a device; values are always (architectures, 2): accuracy, then latency."""

    def __init__(self, data: Path, name: str, device: str) -> None:
        self.table: Table = read(data, name)
        self.targets = ["acc", device]
        known = truth(data, name)
        assert known is not None
        self.truth: Truth = known
        self.goal: Goal = parse_goal(self.table.space, self.targets, [], self.table.metrics)
        self.labelled = np.column_stack([self.table.columns[t] for t in self.targets])

    def values(self, architectures: list[Architecture]) -> np.ndarray:
        found = np.column_stack([self.truth.label(t, architectures) for t in self.targets])
        # Values are float32; more digits would only make the result large.
        return np.array([[float(f"{v:.6g}") for v in row] for row in found.tolist()])

    def search(
        self, settings: SearchSettings, space: Space, start: list[Architecture] | None = None
    ) -> SearchResult:
        def evaluate(asked):
            return [dict(zip(self.targets, row, strict=True)) for row in self.values(list(asked)).tolist()]

        return search(space, evaluate, self.goal, settings, start=start or [])

    def volume(self, values: np.ndarray) -> float:
        """Hypervolume from the worst labelled values, in units of the labelled ranges."""
        signs = np.array([1.0, -1.0])
        labelled = self.labelled * signs
        low, span = labelled.min(axis=0), np.ptp(labelled, axis=0)
        return float(moocore.hypervolume((values * signs - low) / span, ref=np.zeros(2), maximise=True))


def front_of(values: np.ndarray) -> np.ndarray:
    """Values (architectures, 2) that no other dominates, sorted by accuracy, without duplicates."""
    turned = values * [-1.0, 1.0]
    best = values[moocore.is_nondominated(turned, keep_weakly=False)]
    return best[np.argsort(best[:, 0])]


def beaten(values: np.ndarray, by: np.ndarray) -> float:
    """Share of values that ``by`` weakly dominates."""
    better = (by[None, :, 0] >= values[:, None, 0]) & (by[None, :, 1] <= values[:, None, 1])
    return float(better.any(axis=1).mean())


def measure(setting: Setting, have: dict[str, Any], keep) -> None:
    """Compute the missing parts of a setting; ``keep`` saves them."""
    space = setting.table.space
    if "built" not in have:
        fitted = fit(setting.table, setting.targets, recipe=RECIPE, baselines=False)
        front = build_front(fitted, FRONT)
        have["built"] = setting.values(list(front.architectures)).tolist()
        have["modules"] = [a.modules for a in front.architectures]
        have["clusters"], have["reduced"] = clusters(setting, fitted)
        keep()
    have.setdefault("few", [])
    for draw in range(len(have["few"]), DRAWS):
        rows = Cell("", "acc", FEW).rows(np.arange(len(setting.table)), draw)
        fitted = fit(setting.table.select(rows), setting.targets, recipe=RECIPE, baselines=False, seed=draw)
        front = build_front(fitted, FRONT)
        have["few"].append(setting.values(list(front.architectures)).tolist())
        keep()
    searched = have.setdefault("searches", {})
    for method in METHODS:
        searches = searched.setdefault(method, [])
        where, way = space, method
        if len(searches) < SEEDS and method == "insight":
            where = layer_insight_space(
                setting.table, [parse_target(t, setting.table) for t in setting.targets]
            )
        if len(searches) < SEEDS and method == "reduced":
            where, way = space_of(setting, have["reduced"]), "stage"
        have.setdefault("sizes", {}).setdefault(method, float(count_architectures(where)))
        for seed in range(len(searches), SEEDS):
            found = setting.search(SearchSettings(way, seed=seed), where)
            searches.append(front_of(found.values).tolist())
            keep()
    limits = have.setdefault("limits", {})
    starts: dict[str, list[Architecture]] = {f"seed {s}": [] for s in range(LIMIT_SEEDS)}
    if "from the built front" not in limits:
        starts["from the built front"] = [architecture(modules) for modules in have["modules"]]
    for seed, (name, start) in enumerate(starts.items()):
        if name not in limits:
            settings = SearchSettings("layer", LIMIT, 200, crossover=0.5, seed=seed)
            limits[name] = front_of(setting.search(settings, space, start).values).tolist()
            keep()


def clusters(setting: Setting, fitted: Fit) -> tuple[list[dict[str, Any]], list[list[Any]]]:
    """Values of all combinations of the best modules for each proposed equation; and the reduced space."""
    _, aimed = propose_equations(fitted, EQUATIONS)
    target_fits = fit(setting.table, [one.text for one in aimed], recipe=RECIPE, baselines=False).targets
    found = []
    for one in target_fits:
        space = reduce_space([one], CLUSTER)
        built = [Architecture(m) for m in itertools.product(*(stage.modules or () for stage in space.stages))]
        found.append({"equation": one.target.name, "values": setting.values(built).tolist()})
    reduced = reduce_space(target_fits, REDUCED)
    return found, [list(stage.modules or ()) for stage in reduced.stages]


def space_of(setting: Setting, modules: list[list[Any]]) -> Space:
    """The reduced space from plain lists."""
    stages = []
    for stage, listed in zip(setting.table.space.stages, modules, strict=True):
        kept = plain(listed)
        stages.append(replace(stage, depths=tuple(sorted({len(m) for m in kept})), modules=kept))
    return Space("reduced", tuple(stages), setting.table.space.metrics)


def summary(setting: Setting, have: dict[str, Any]) -> dict[str, Any]:
    """Hypervolumes and shares of one setting."""
    labelled = setting.volume(setting.labelled)
    limit = setting.volume(np.concatenate([np.array(v) for v in have["limits"].values()]))

    def share(values: Any) -> float:
        return (setting.volume(np.array(values)) - labelled) / (limit - labelled)

    built = np.array(have["built"])
    return {
        "built": share(built),
        "few": float(np.mean([share(values) for values in have["few"]])),
        "limits": {name: share(values) for name, values in have["limits"].items()},
        "searches": {m: float(np.mean([share(v) for v in values])) for m, values in have["searches"].items()},
        "beaten": {
            m: float(np.mean([beaten(np.array(v), built) for v in values]))
            for m, values in have["searches"].items()
        },
        "beyond": [
            1 - beaten(np.array(cluster["values"]), front_of(setting.labelled))
            for cluster in have["clusters"]
        ],
    }


def show(settings: dict[str, Setting], result: dict[str, Any]) -> None:
    found = {n: summary(s, result["settings"][n]) for n, s in settings.items() if complete(result, n)}
    header = ["space, device", "built from 3,000", "built from 300", *(NAMES[m] for m in METHODS)]
    rows = []
    for name, one in found.items():
        searched = [f"{one['searches'][m]:.3f} ({100 * one['beaten'][m]:.0f} %)" for m in METHODS]
        rows.append([name, f"{one['built']:.3f}", f"{one['few']:.3f}", *searched])
    if found:
        means = [np.mean([one[key] for one in found.values()]) for key in ("built", "few")]
        searched = [np.mean([one["searches"][m] for one in found.values()]) for m in METHODS]
        rows.append(["mean", *(f"{v:.3f}" for v in (*means, *searched))])
    print(markdown(header, rows))
    print("\nIn brackets: points of the searches' fronts that the front built from 3,000 beats or equals.\n")
    rows = [
        [name, *(f"{v:.3f}" for v in one["limits"].values()), *(f"{100 * b:.0f} %" for b in one["beyond"])]
        for name, one in found.items()
    ]
    names = list(next(iter(found.values()))["limits"]) if found else []
    print(markdown(["space, device", *names, *(f"beyond, cluster {c + 1}" for c in range(EQUATIONS))], rows))


def complete(result: dict[str, Any], name: str) -> bool:
    return len(result["settings"].get(name, {}).get("limits", {})) == LIMIT_SEEDS + 1


def draw(settings: dict[str, Setting], result: dict[str, Any], path: Path) -> None:
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    figure = Figure(figsize=(17, 6.6), layout="constrained")
    axes = figure.subplots(2, len(settings), squeeze=False)
    for column, (name, setting) in enumerate(settings.items()):
        have = result["settings"].get(name, {})
        top, bottom = axes[0, column], axes[1, column]
        if not complete(result, name):
            continue
        best = front_of(setting.labelled)
        limit = front_of(np.concatenate([np.array(v) for v in have["limits"].values()]))
        for axis in (top, bottom):
            axis.plot(best[:, 1], best[:, 0], color="0.55", label="best of 3,000 labelled", linewidth=1.2)
            axis.plot(limit[:, 1], limit[:, 0], color="k", linestyle=":", label="near-limit", linewidth=1)
        for n, cluster in enumerate(have["clusters"]):
            values = np.array(cluster["values"])
            top.scatter(
                values[:, 1],
                values[:, 0],
                s=3,
                color=f"C{n}",
                alpha=0.5,
                label=f"equation {n + 1}, K = 3",
                rasterized=True,
            )
        built = np.array(have["built"])
        for n, method in enumerate(METHODS):
            values = np.array(have["searches"][method][0])
            bottom.plot(
                values[:, 1],
                values[:, 0],
                ".-",
                color=f"C{n}",
                markersize=4,
                linewidth=0.8,
                label=NAMES[method],
            )
        bottom.plot(built[:, 1], built[:, 0], "k+", markersize=5, label="built front, no evaluation")
        top.set_title(name.replace("-surrogate", ""), fontsize=10)
        bottom.set_xlabel(f"{setting.targets[1]} [ms]")
        shown = [np.quantile(np.array(c["values"]), (0.05, 0.95), axis=0) for c in have["clusters"]]
        for axis, held in ((top, shown), (bottom, [])):
            # The worst labelled rows would squeeze the rest into a corner.
            low = best[:, 0].max() - 1.15 * np.ptp(best[:, 0])
            margin = 0.04 * np.ptp(best[:, 0])
            axis.set_ylim(min([low, *(q[0, 0] - margin for q in held)]), limit[:, 0].max() + margin)
            right = max([best[:, 1].max(), *(q[1, 1] for q in held)])
            axis.set_xlim(min([limit[:, 1].min(), *(q[0, 1] for q in held)]) * 0.9, right * 1.1)
            axis.set_xscale("log")
            axis.xaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 4, 6, 8)))
            axis.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
            axis.xaxis.set_minor_locator(NullLocator())
    for row, axis in enumerate(axes[:, 0]):
        axis.set_ylabel("top-1 (pseudo-labels)")
        handles, labels = axis.get_legend_handles_labels()
        figure.legend(
            handles, labels, loc=("outside upper center", "outside lower center")[row], ncols=7, fontsize=8
        )
    figure.savefig(path, dpi=150)


def main() -> None:
    parser = arguments("fronts without a search, and searches", "fig5")
    parser.add_argument("--figure", type=Path, default=RESULTS / "fig5.svg")
    parser.add_argument("--print", action="store_true", help="only show what the result holds")
    parser.add_argument("--only", default="", help="only settings whose name holds this")
    options = parser.parse_args()
    settings = {
        f"{name}, {device}": Setting(options.data, name, device) for name in SPACES for device in DEVICES
    }
    result = resume(options.out)
    result.setdefault("settings", {})
    if not options.print:
        for name, setting in settings.items():
            if options.only in name:
                measure(setting, result["settings"].setdefault(name, {}), lambda: save(options.out, result))
    show(settings, result)
    draw(settings, result, options.figure)


if __name__ == "__main__":
    main()
