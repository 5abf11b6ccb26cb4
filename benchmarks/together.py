"""Five members of recipe `paper` fitted side by side, against one by one; and twenty members as a user fits them.

    python benchmarks/together.py [--data DIR]

Both ways take turns three times, with 40 epochs each, measured by the CPU time of one thread; the ratio is the median of
three. Then the twenty predictors of the 68 rows of sd-unet-mini are fitted with all epochs, scores and held-out rows, in whole
processes, so that start-up time counts.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from _common import arguments, markdown, read, resume, save
from nasbuild.predictor import Task, fit_member, plan_splits, recipe
from nasbuild.predictor._recipe import Recipe
from nasbuild.predictor.gnn._stacked_training import fit_members
from nasbuild.space import encode, graph_schema
from nasbuild.table import Table, load_builtin

EPOCHS, REPEATS = 40, 3
FIT = [
    "fit",
    "--space",
    "sd-unet",
    "--data",
    "sd-unet-mini",
    "--target",
    "fid",
    "--workers",
    "2",
    "--no-baselines",
]
CELLS = (
    ("sd-unet-mini", "fid", 68),
    ("digits-macro", "loss", 100),
    ("nas-bench-macro", "acc", 50),
    ("nas-bench-macro", "acc", 100),
    ("ofa-mbv3-surrogate", "acc", 68),
    ("nas-bench-mr", "miou", 68),
)


def main() -> None:
    options = arguments("members side by side", "together").parse_args()
    result = resume(options.out)
    for name, target, labels in CELLS:
        builtin = name in ("sd-unet-mini", "digits-macro")
        table = load_builtin(name) if builtin else read(options.data, name)
        result.setdefault("cells", {})[f"{name} {labels}"] = ratio(table, target, labels)
        save(options.out, result)
    result["twenty predictors, two processes"] = {name: whole(name) for name in ("paper", "mse")}
    save(options.out, result)
    rows = [[cell, *(f"{v:.2f}" for v in one.values())] for cell, one in result["cells"].items()]
    print(markdown(["table and labels", "one by one, s", "together, s", "ratio"], rows))
    print(result["twenty predictors, two processes"])


def ratio(table: Table, target: str, labels: int) -> dict[str, float]:
    rows = np.random.default_rng(0).permutation(len(table))[:labels]
    table, settings = table.select(rows), recipe("paper", epochs=EPOCHS)
    assert isinstance(settings, Recipe)
    graphs = encode(table.space, table.architectures)
    shape, schema = settings.shape(table.space.max_depth), graph_schema(table.space)
    tasks = [
        Task(schema, shape, settings, graphs, table.columns[target], train, test, k)
        for k, (train, test) in enumerate(plan_splits(labels, replace(settings, repeats=1), 0))
    ]
    times = np.array(
        [
            (spent(lambda: [fit_member(t) for t in tasks]), spent(lambda: fit_members(tasks)))
            for _ in range(REPEATS)
        ]
    )
    alone, together = np.median(times, axis=0)
    return {
        "alone": float(alone),
        "together": float(together),
        "ratio": float(np.median(times[:, 0] / times[:, 1])),
    }


def spent(work) -> float:
    start = time.thread_time()
    work()
    return time.thread_time() - start


def whole(name: str) -> list[float]:
    """Seconds of `nasbuild fit` with 20 members on 68 rows, each time."""
    found = []
    for _ in range(REPEATS):
        with tempfile.TemporaryDirectory() as folder:
            command = [
                sys.executable,
                "-m",
                "nasbuild",
                *FIT,
                "--recipe",
                name,
                "--out",
                str(Path(folder) / "run"),
            ]
            start = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            found.append(round(time.perf_counter() - start, 2))
    return found


if __name__ == "__main__":
    main()
