"""Table 1 of the paper: few labels and expensive evaluations, on sd-unet-mini, fine-tuned and measured for real.

    python benchmarks/table1.py --work DIR --images DIR [--print]

``--work`` is the folder in which the table was made (``python -m nasbuild.zoo.diffusion``). From its 68 rows each method
chooses four networks, which are fine-tuned and measured with three seeds, the first of them the table's:

- AutoBuild, recipe ``paper``: 5 folds x 4 seeds, the four best by summed module scores, weighted as in section 5.3;
- AutoBuild, recipe ``default``: the four best by summed module scores;
- ES: 20 predictors on the squared error alone, the four best of all 786,432 networks by their mean prediction;
- four random ones, and the four best of the 68; two more seeds show how much of their first result was luck.

The parent's own network, which is not among the 68, is measured the same way. FIDs can be compared only under one parent and
one classifier: where these were trained anew, the mean of the 68 has another scale, which the four best of the 68 show.
Smaller is better. Evaluations are stored in the work folder; an interrupted run resumes.
"""

from __future__ import annotations

import hashlib
import time
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from _common import architecture, arguments, markdown, resume, save
from nasbuild.builder import build, build_exhaustive, exhaustive_values
from nasbuild.evaluate import InProcess, Pool
from nasbuild.predictor import recipe
from nasbuild.score import TargetFit, fit
from nasbuild.space import Architecture, architecture_id, sample
from nasbuild.table import Table, load_builtin
from nasbuild.zoo._table_maker import ProgressLines
from nasbuild.zoo.diffusion.generate import Work
from nasbuild.zoo.diffusion.mini import FEATURES, PARENT
from nasbuild.zoo.diffusion.space import sd_v1_4

TARGET, TOP, SEEDS = "fid", 4, 3
ORDER = ("default", "labelled", "paper", "mse", "random", "own")  # compared first, reported last
LEARNT = ("paper", "default", "mse")
NAMES = {
    "labelled": "best of the 68",
    "random": "random",
    "mse": "ES",
    "paper": "AutoBuild, paper",
    "default": "AutoBuild, default",
    "own": "the parent's own",
}
PAPER = (
    "The paper, FID on Places365: average of its 68 22.13, best 10.54; ES (4) 10.82 and 10.29; "
    "AutoBuild (4) 10.13 and 9.96."
)


def main() -> None:
    parser = arguments("table 1 in miniature", "table1")
    parser.add_argument("--work", type=Path, default=Path("sd-unet-mini"), help="work folder of the table")
    parser.add_argument("--images", type=Path, default=Path("/usr/share/datasets/fashion-mnist"))
    parser.add_argument("--print", action="store_true", help="print what was measured; nothing is computed")
    options = parser.parse_args()
    torch.set_num_threads(1)
    result = resume(options.out)
    if not options.print:
        table = load_builtin("sd-unet-mini")
        if "chosen" not in result:
            result |= choose(table, options.workers)
            save(options.out, result)
        work = Work(options.work, options.images)
        measure(work, result, options.workers, lambda: save(options.out, result))
    show(result)


def choose(table: Table, workers: int) -> dict[str, Any]:
    """Choices of each method, its SRCC on held-out rows, and its running time."""
    chosen: dict[str, list[Architecture]] = {
        "labelled": [table.architectures[i] for i in np.argsort(table.columns[TARGET])[:TOP]],
        "random": sample(table.space, TOP, np.random.default_rng(1)),
        "own": [sd_v1_4()],
    }
    trust, seconds = {}, {}
    for name in LEARNT:
        start = time.perf_counter()
        fitted = fit(table, [TARGET], recipe=recipe(name), workers=workers, baselines=name == "default")
        target_fit, now = fitted.targets[0], time.perf_counter()
        seconds[name] = {"fit": now - start}
        ways: tuple[Literal["score", "prediction"], ...] = ("score", "prediction")
        for way in ways:
            start = time.perf_counter()
            exhaustive_values(target_fit, way)
            seconds[name][f"all by {way}"] = time.perf_counter() - start
        built = build_exhaustive(target_fit, TOP) if name == "mse" else build(target_fit, TOP)
        chosen[name] = [one.architecture for one in built]
        trust[name] = agreement(target_fit)
    return {
        "labels": {"mean": float(table.columns[TARGET].mean()), "best": float(table.columns[TARGET].min())},
        "chosen": {
            name: [{"id": architecture_id(table.space, a), "modules": a.modules} for a in some]
            for name, some in chosen.items()
        },
        "trust": trust,
        "seconds": seconds,
    }


def agreement(target_fit: TargetFit) -> dict[str, Any]:
    """SRCC on held-out rows."""
    trust = target_fit.trust
    found = {"y'": trust.prediction.mean, "summed modules": trust.modules.mean}
    found |= {f"hop {m}": hop.mean for m, hop in enumerate(trust.hops)}
    for baseline in trust.baselines:
        found |= {
            f"{baseline.name}, y'": baseline.prediction.mean,
            f"{baseline.name}, summed": baseline.modules.mean,
        }
    return found


def measure(work: Work, result: dict[str, Any], workers: int, keep) -> None:
    """Fine-tune and test all choices, seed by seed; a network that several methods chose only once."""
    fid = result.setdefault("fid", {})
    work.prepare(progress := ProgressLines(partial(print, flush=True)))
    executor = Pool(workers) if workers > 1 else InProcess()
    # FIDs can be compared only for the same classifier and the same parent.
    made = hashlib.sha256(
        b"".join((work.folder / name).read_bytes() for name in (PARENT, FEATURES))
    ).hexdigest()
    if result.setdefault("parent and classifier", made) != made:
        raise SystemExit("the result is of another parent or classifier: give another --out")
    for seed in range(SEEDS):
        for name in ORDER:
            left = [one for one in result["chosen"][name] if str(seed) not in fid.get(one["id"], {})]
            some = [architecture(one["modules"]) for one in left]
            found = work.measure(some, progress, executor, seed=seed)
            for one, network in zip(left, some, strict=True):
                fid.setdefault(one["id"], {})[str(seed)] = (found[network].metrics or {}).get(TARGET)
            keep()


def show(result: dict[str, Any]) -> None:
    labels, fid = result["labels"], result["fid"]
    body = [["the 68, one seed", "68", f"{labels['mean']:.3f}", f"{labels['best']:.3f}", ""]]
    for name, title in NAMES.items():
        values_of = [list(fid.get(one["id"], {}).values()) for one in result["chosen"][name]]
        each = [np.array([v for v in values if v is not None]) for values in values_of if any(values)]
        if not each:
            continue
        means = np.array([values.mean() for values in each])
        noise = (
            float(np.sqrt(np.mean([values.var(ddof=1) for values in each])))
            if all(len(values) > 1 for values in each)
            else np.nan
        )
        body.append([title, str(len(each)), f"{means.mean():.3f}", f"{means.min():.3f}", f"{noise:.3f}"])
    print(markdown(["networks", "number", "average FID", "best FID", "deviation between seeds"], body))
    print(PAPER)
    keys = list(dict.fromkeys(key for one in result["trust"].values() for key in one))
    rows = [
        [name, *(f"{one[key]:.3f}" if key in one else "" for key in keys)]
        for name, one in result["trust"].items()
    ]
    print("\n" + markdown(["held-out SRCC", *keys], rows))
    rows = [[name, *(f"{v:.2f}" for v in one.values())] for name, one in result["seconds"].items()]
    print("\n" + markdown(["seconds", "fit", "all by score", "all by prediction"], rows))


if __name__ == "__main__":
    main()
