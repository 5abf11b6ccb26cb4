"""A language model made smaller: parts switched off, or matrices rounded, within budgets, with few evaluations.

    python benchmarks/lm.py --model MODEL.gguf --text FILE ... --work DIR [--out FILE.json] [--only drop bits]

``drop``: attention and MLP of every block are there or not; budgets are 95, 90, 85 and 80 % of the blocks' parameters.
``bits``: types of the blocks' matrices; budgets are 4.5, 4.25, 4, 3.75 and 3.5 bits a weight of the blocks.

Each way has the same number of evaluations for all budgets together. They are losses on ``--windows`` windows of 512 tokens.
What it puts first within each budget is then measured on ``--test-windows`` other windows. Ways:

- ``ours``: ``nasbuild.optimize`` with all budgets.
- ``sum``: all single changes; then the best sums of their effects within the budgets, in turn, are measured.
- ``random``: random networks just within each budget, in turn.
- ``evolution``: for each budget, a random start, then swaps that keep the budget; eight of the best one a generation.
- of ``drop``, ``influence``: the blocks that change their input least by its cosine go first, whole (ShortGPT; no evaluations).
- of ``bits``, ``uniform``: the largest type within the budget for all; ``pattern``: more bits for attn_v and ffn_down in the
  first and last eighth of the blocks and in every third of the others, as in llama.cpp's ``_M`` mixes. No evaluations.

Every measurement is written as it comes (``DIR/measured.jsonl``), and an interrupted run resumes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from _common import arguments, markdown, resume, save
from _lm_tables import Measured
from _lm_ways import FREE, WAYS, Job, bits_job, drop_job

EVALUATIONS = (60, 120, 180)


def main() -> None:
    parser = arguments("a language model made smaller", "lm")
    parser.add_argument("--model", type=Path, required=True, help="GGUF file or Hugging Face folder")
    parser.add_argument("--text", nargs="+", required=True, help="text files, or patterns of them")
    parser.add_argument("--work", type=Path, required=True, help="folder of measurements")
    parser.add_argument("--windows", type=int, default=2)
    parser.add_argument("--test-windows", type=int, default=16)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--evaluations", type=int, nargs="+", default=EVALUATIONS)
    parser.add_argument("--only", nargs="+", choices=("drop", "bits"), default=["drop", "bits"])
    parser.add_argument("--ways", nargs="+", default=["ours", "sum", "random", "evolution"])
    options = parser.parse_args()
    torch.set_num_threads(1)
    result, measured = resume(options.out), Measured(options)
    for part in options.only:
        job = drop_job(measured) if part == "drop" else bits_job(measured)
        rows = result.setdefault(part, {})
        result.setdefault("budgets", {})[part] = job.budgets
        result.setdefault("parents", {})[part] = measured.test(job.space, job.reference)["windows"]
        for way in FREE[part]:
            measure_way(options, result, rows, job, way, 0, 0)
        for evaluations in options.evaluations:
            for seed in range(options.seeds):
                for way in options.ways:
                    measure_way(options, result, rows, job, way, evaluations, seed)
        print(table(result, part, options.evaluations), flush=True)


def measure_way(
    options: Any,
    result: dict[str, Any],
    rows: dict[str, Any],
    job: Job,
    way: str,
    evaluations: int,
    seed: int,
) -> None:
    """What a way puts first within each budget, and its loss on other text."""
    if way == "sum":
        seed = 0  # it has nothing random
    key = f"{way} {evaluations} {seed}" if evaluations else way
    if key in rows:
        return
    chosen = WAYS[way](job, evaluations, seed)
    found = []
    for budget, one in zip(job.budgets, chosen, strict=True):
        if one is None:
            found.append(None)
            continue
        assert job.cost(one) <= budget + 1e-6, (way, budget)
        test = job.measured.test(job.space, one)
        found.append(
            {"arch": job.plain(one), "cost": job.cost(one), "test": test["windows"], "learn": job.known(one)}
        )
    rows[key] = found
    save(options.out, result)
    print(key, *(f"{np.mean(one['test']):.3f}" if one else "-" for one in found), flush=True)


def table(result: dict[str, Any], part: str, evaluations: Any) -> str:
    """Mean loss on other text over the seeds."""
    rows, budgets = result[part], result["budgets"][part]
    lines = [
        [way, "0", *(f"{np.mean(one['test']):.3f}" if one else "-" for one in rows[way])]
        for way in FREE[part]
    ]
    for count in evaluations:
        for way in ("ours", "sum", "random", "evolution"):
            each = [own for key, own in rows.items() if key.startswith(f"{way} {count} ")]
            cells = []
            for at in range(len(budgets)):
                some = [np.mean(own[at]["test"]) for own in each if own[at]]
                cells.append(f"{np.mean(some):.3f} ({min(some):.3f} to {max(some):.3f})" if some else "-")
            if each:
                lines.append([way, str(count), *cells])
    return markdown(["way", "evaluations", *(f"{budget:,.0f}" for budget in budgets)], lines)


if __name__ == "__main__":
    main()
