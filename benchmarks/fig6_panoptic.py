"""Section 5.2 and figure 6 of the paper in miniature: pseudo-labels choose, fine-tuned panoptic quality decides.

    python benchmarks/fig6_panoptic.py --images DIR --work DIR [--out FILE.json] [--steps N] [--until STAGE]

``--images`` has Fashion-MNIST's four files. Backbones of the space ``panoptic-scenes`` with a light head segment scenes of
96 x 96 pixels. Backbone and head are trained once with shared weights, a random network a step (``parent``). 600 random
networks get pseudo-labels: their PQ with these weights on validation scenes (``pseudo``). 60 of them are fine-tuned and
measured on test scenes, ten with a second seed (``real``). For two equations, ten networks each are built from the
pseudo-labels, from pseudo-labels and the 60 measured ones (``fit --with``), taken as the best pseudo-labelled of the 600, or
found by evolution with 600 more pseudo-labels (``built``). All are fine-tuned and measured. FLOPs are counted; the paper's
networks take about a thousand times as many, so millions stand where it has billions. One process; everything is written as
it comes, and an interrupted run resumes. About six hours of one core.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import moocore
import numpy as np
import torch

import nasbuild as nb
from _common import arguments, markdown, resume, save
from nasbuild._atomic_write import write_text
from nasbuild.objective import labels, parse_target
from nasbuild.predictor import srcc
from nasbuild.search import SearchSettings, parse_goal, search
from nasbuild.space import (
    Architecture,
    Metric,
    architecture_id,
    load_space,
    parse_architecture,
    sample,
    to_dict,
)
from nasbuild.table import Table
from nasbuild.zoo.panoptic import Panoptic, load_panoptic

SPACE = load_space("panoptic-scenes")
EQUATIONS = ("pq / log10(gflops * 1e9)", "sqrt(pq) - sqrt(gflops * 1000)")
STAGES = ("parent", "pseudo", "real", "built")
PSEUDO, REAL, TWICE, TOP = 600, 60, 10, 10
METHODS = {
    "paper": "built, recipe `paper`",
    "default": "built, recipe `default`",
    "default + real": "built, recipe `default`, the 60 measured ones too",
    "random": "best pseudo-labels of the 600",
    "evolution": "evolution, 600 more pseudo-labels",
}

Rows = dict[str, dict[str, Any]]
"""Id of an architecture -> the architecture as plain data, and its metrics."""


def tasks(options: Any) -> dict[str, Path]:
    """Settings files of the trainings, in the work folder."""
    common = {"data": "fashion-scenes", "folder": str(options.images.resolve()), "family": "panoptic-scenes"}
    common |= {"scenes": 8000, "test_scenes": 300}
    learnt = {"parent": "parent.safetensors"}
    files = {
        "parent": {"steps": 30 * options.steps, "rate": 0.004, "ema": 0.999, "warmup": 200, "every": 500},
        "pseudo": {**learnt, "pseudo": "true"},
        "real": {**learnt, "split": "test", "steps": options.steps},
    }
    options.work.mkdir(parents=True, exist_ok=True)
    for name, settings in files.items():
        text = "".join(f"{key}: {value}\n" for key, value in (common | settings).items())
        write_text(options.work / f"{name}.yaml", text)
    return {name: options.work / f"{name}.yaml" for name in files}


def measure(
    options: Any,
    result: dict[str, Any],
    part: str,
    task: Panoptic,
    found: Sequence[Architecture],
    seed: int = 0,
) -> Rows:
    """Measure those architectures that a part of the result lacks."""
    rows: Rows = result.setdefault(part, {})
    for architecture in found:
        name = architecture_id(SPACE, architecture)
        if name not in rows:
            rows[name] = {
                "arch": to_dict(SPACE, architecture),
                **task.measure(SPACE, architecture, seed),
            }
            save(options.out, result)
            print(f"{part} {len(rows)}: pq {rows[name]['pq']:.2f}", flush=True)
    return rows


def table_of(rows: Rows, extra: dict[str, np.ndarray] | None = None) -> Table:
    """A table of rows."""
    architectures = tuple(parse_architecture(SPACE, row["arch"]) for row in rows.values())
    columns = {name: np.array([row[name] for row in rows.values()]) for name in ("pq", "gflops")}
    metrics = {name: SPACE.metrics[name] for name in columns}
    metrics |= {name: Metric(name, "maximize") for name in extra or {}}
    space = replace(SPACE, metrics=metrics)
    return Table(space, tuple(rows), architectures, {**columns, **(extra or {})})


def values(equation: str, rows: Rows) -> np.ndarray:
    """An equation's values of rows, (rows,)."""
    table = table_of(rows)
    return labels(parse_target(equation, table), table).values


def built(
    options: Any, equation: str, method: str, result: dict[str, Any], task: Panoptic
) -> list[dict[str, Any]]:
    """Ten architectures as plain data, by a method."""
    pseudo, real = result["pseudo"], result["real"]
    if method == "random":
        order = np.argsort(-values(equation, pseudo), kind="stable")[:TOP]
        return [list(pseudo.values())[i]["arch"] for i in order]
    if method == "evolution":
        part = f"evolution: {equation}"

        def evaluate(asked: Sequence[Architecture]) -> list[dict[str, float]]:
            rows = measure(options, result, part, task, asked)
            return [
                {name: rows[architecture_id(SPACE, one)][name] for name in ("pq", "gflops")} for one in asked
            ]

        goal = parse_goal(SPACE, [equation], [], SPACE.metrics)
        search(SPACE, evaluate, goal, SearchSettings(budget=PSEUDO, population=50, seed=0))
        rows = result[part]
        order = np.argsort(-values(equation, rows), kind="stable")[:TOP]
        return [list(rows.values())[i]["arch"] for i in order]
    if method == "default + real":
        label = {"pseudo_label": values(equation, pseudo)}
        with_real = {
            name: {**row, "pq": real[name]["pq"] if name in real else np.nan} for name, row in pseudo.items()
        }
        fit = nb.fit(table_of(with_real, label), equation, proxy="pseudo_label", baselines=False)
    else:
        fit = nb.fit(table_of(pseudo), equation, recipe=method, baselines=False)
    return [row["arch"] for row in fit.build(TOP, target=equation)]


def show(result: dict[str, Any]) -> None:
    pseudo, real, again = (result.get(part, {}) for part in ("pseudo", "real", "again"))
    both = [name for name in real if name in pseudo]
    print(
        f"SRCC of pseudo-labels and fine-tuned PQ: {srcc(*(np.array([part[n]['pq'] for n in both]) for part in (pseudo, real))):.3f} ({len(both)} networks)"
    )
    twice = [name for name in again if name in real]
    if twice:
        gaps = np.array([again[n]["pq"] - real[n]["pq"] for n in twice])
        print(
            f"Deviation of a fine-tuned PQ between seeds: {np.sqrt(np.mean(gaps**2) / 2):.2f} of {np.std([r['pq'] for r in real.values()]):.2f} between networks"
        )
    losses = np.array([[-row["pq"], row["gflops"]] for row in real.values()])
    front = losses[moocore.is_nondominated(losses, keep_weakly=True)]
    header = [
        "equation",
        "networks",
        "PQ [%]",
        "best PQ",
        "MFLOPs",
        "equation, mean",
        "best",
        "not dominated by the 60",
    ]
    lines = []
    for equation in EQUATIONS:
        groups = {"the 60 random ones": real}
        for method, label in METHODS.items():
            names = result.get("chosen", {}).get(equation, {}).get(method, [])
            found = {n: result["measured"][n] for n in names if n in result.get("measured", {})}
            if len(found) == TOP:
                groups[label] = found
        for label, rows in groups.items():
            y, pq = values(equation, rows), np.array([row["pq"] for row in rows.values()])
            cost = 1000 * np.array([row["gflops"] for row in rows.values()])
            beyond = [not (front <= [-p, c / 1000]).all(axis=1).any() for p, c in zip(pq, cost, strict=True)]
            cells = [
                f"{pq.mean():.2f}",
                f"{pq.max():.2f}",
                f"{cost.mean():.1f}",
                f"{y.mean():.4f}",
                f"{y.max():.4f}",
            ]
            lines.append([f"`{equation}`", label, *cells, f"{sum(beyond)} of {len(beyond)}"])
    print(markdown(header, lines))


def main() -> None:
    parser = arguments("panoptic networks built from pseudo-labels", "fig6_panoptic")
    parser.add_argument("--images", type=Path, required=True, help="folder of Fashion-MNIST's four files")
    parser.add_argument("--work", type=Path, required=True, help="folder of weights and checkpoints")
    parser.add_argument(
        "--steps", type=int, default=800, help="steps of a fine-tuning; the parent has 30 times as many"
    )
    parser.add_argument("--until", choices=STAGES, default="built", help="stage after which to stop")
    options = parser.parse_args()
    torch.set_num_threads(1)
    last, files, result = STAGES.index(options.until), tasks(options), resume(options.out)
    if not (options.work / "parent.safetensors").exists():
        load_panoptic(files["parent"]).train_parent(
            options.work / "parent.safetensors",
            progress=lambda done, steps, loss: print(
                f"parent: step {done} of {steps}, loss {loss:.3f}", flush=True
            ),
        )
    if last >= 1:
        pseudo_task = load_panoptic(files["pseudo"])
        networks = sample(SPACE, PSEUDO, np.random.default_rng(0))
        measure(options, result, "pseudo", pseudo_task, networks)
    if last >= 2:
        real_task = load_panoptic(files["real"])
        measure(options, result, "real", real_task, networks[:REAL])
        measure(options, result, "again", real_task, networks[:TWICE], seed=1)
    if last >= 3:
        for method in METHODS:
            for equation in EQUATIONS:
                chosen = result.setdefault("chosen", {}).setdefault(equation, {})
                if method not in chosen:
                    plain = built(options, equation, method, result, pseudo_task)
                    found = [parse_architecture(SPACE, one) for one in plain]
                    measure(options, result, "measured", real_task, found)
                    chosen[method] = [architecture_id(SPACE, one) for one in found]
                    save(options.out, result)
        show(result)


if __name__ == "__main__":
    main()
