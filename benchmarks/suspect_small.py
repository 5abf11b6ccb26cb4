"""Small tables with right labels: how many labels are suspected, and how many swapped ones are found.

    python benchmarks/suspect_small.py [--tables N] [--print]

The tables have 15 to 60 rows, of seven kinds (`_right_tables.py`), and no label is wrong. Every fourth table is measured again
with the labels at a tenth and at nine tenths of the order swapped. Results are written as they come; an interrupted run
resumes.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

from _common import arguments, markdown, resume, save
from _right_tables import right_table
from nasbuild.predictor import AdditiveRecipe
from nasbuild.score import evidence_of, fit_additive, measure_trust, suspect_labels

RECIPE = AdditiveRecipe(samples=2)  # samples tell deviations of scores, of which nothing here depends
SWAPPED = 4  # every so-manieth table


def main() -> None:
    parser = arguments("right labels in small tables", "suspect-small")
    parser.add_argument("--tables", type=int, default=100)
    parser.add_argument("--print", action="store_true", help="print what was measured; nothing is computed")
    options = parser.parse_args()
    result = resume(options.out)
    tables = result.setdefault("tables", {})
    for number in () if options.print else range(options.tables):
        if str(number) not in tables:
            tables[str(number)] = measure(number)
            save(options.out, result)
    by_kind = defaultdict[str, list[dict[str, Any]]](list)
    for one in tables.values():
        by_kind[one["kind"]].append(one)
    by_kind["all"] = list(tables.values())
    body = []
    for kind, some in by_kind.items():
        swapped = [one["swapped"] for one in some if one["swapped"]]
        body.append(
            [
                kind,
                str(len(some)),
                f"{sum(len(one['suspects']) for one in some)} of {sum(one['rows'] for one in some):,}",
                f"{sum(one['found'] for one in swapped)} of {2 * len(swapped)}",
                str(sum(one["level"] in ("fair", "high") for one in swapped)),
            ]
        )
    print(
        markdown(
            ["kind", "tables", "right labels suspected", "swapped ones found", "swapped tables believed"],
            body,
        )
    )


def measure(number: int) -> dict[str, Any]:
    kind, space, architectures, right = right_table(number)

    def suspects(labels: np.ndarray) -> tuple[str, list[int]]:
        scorer, parts = fit_additive(space, architectures, labels, RECIPE)
        found = suspect_labels(scorer, parts, labels)
        trust = measure_trust(scorer, evidence_of(parts, labels), suspects=found)
        return trust.level, [one.row for one in trust.suspects]

    level, found = suspects(right)
    swapped = None
    if number % SWAPPED == 0:
        order = np.argsort(right, kind="stable")
        pair = order[[len(right) // 10, -1 - len(right) // 10]]
        mixed = right.copy()
        mixed[pair] = mixed[pair[::-1]]
        own, among = suspects(mixed)
        swapped = {"level": own, "found": len(set(among) & set(pair.tolist())), "suspects": among}
    return {"kind": kind, "rows": len(right), "level": level, "suspects": found, "swapped": swapped}


if __name__ == "__main__":
    main()
