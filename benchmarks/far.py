"""Predictions far from random tables: how many are absurd without being marked as extrapolation.

    python benchmarks/far.py [--tables 50] [--architectures 10000] [--out far.json]

The tables contain latencies, accuracies near 100, negative losses, sizes, counts or nearly equal scores. Some consist of
single changes, and some of one corner of the space. For each table, random architectures are predicted. This is a longer
version of `tests/score/test_score_far.py`. Results are written after every table; an interrupted run resumes.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from far_samples import far_from, quick_fit, random_table, violations
from nasbuild.score import predict, versions


def one(number: int, n: int) -> dict:
    """Result for one table."""
    table, kind = random_table(number)
    setting = {"table": number, "kind": kind.name, "space": table.space.name, "rows": len(table)}
    if np.ptp(table.columns[kind.metric.name]) == 0:
        return {**setting, "architectures": 0, "marked": 0, "violations": {}}
    fitted, some = quick_fit(table, kind), far_from(table, n, number)
    marked = int(predict(fitted.targets[0], some).extrapolates.sum())
    return {
        **setting,
        "architectures": len(some),
        "marked": marked,
        "violations": dict(violations(fitted, some)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tables", type=int, default=50)
    parser.add_argument("--architectures", type=int, default=10_000, help="in all")
    parser.add_argument("--out", type=Path, default=Path("far.json"))
    options = parser.parse_args()
    done = json.loads(options.out.read_text())["tables"] if options.out.exists() else []
    for number in range(len(done), options.tables):
        done.append(one(number, -(-options.architectures // options.tables)))
        counts = Counter[str]()
        for row in done:
            counts.update(row["violations"])
        total = sum(row["architectures"] for row in done)
        result = {
            "architectures": total,
            "marked": sum(row["marked"] for row in done) / max(total, 1),
            "violations": dict(counts),
            "versions": versions(),
            "tables": done,
        }
        options.out.write_text(json.dumps(result, indent=1) + "\n")
        print(f"{number + 1} of {options.tables}: {total:,} architectures, {dict(counts)}", flush=True)


if __name__ == "__main__":
    main()
