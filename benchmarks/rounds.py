"""Rounds of evaluating proposals: ``build --propose`` against the best built ones and against random choices.

    python benchmarks/rounds.py [--data DIR] [--draws N]

Each run starts from few random labels; every round evaluates more architectures, adds them to the table and fits again. The
truth is the whole table (nas-bench-macro) or a published regressor (ofa-mbv3-surrogate: pseudo-labels). Prints, after the
last round, the best label found (as its true rank if the table is whole) and the fidelity of the module scores. Results are
written as they come; an interrupted run resumes.
"""

from __future__ import annotations

import numpy as np

from _common import arguments, markdown, resume, save
from nasbuild.bench import Cell, read, truth
from nasbuild.builder import build, propose
from nasbuild.predictor import srcc
from nasbuild.score import fit
from nasbuild.space import sample
from nasbuild.table import Table

SETTINGS = {"nas-bench-macro": ("acc", 50, 8), "ofa-mbv3-surrogate": ("acc", 68, 16)}
ROUNDS, DRAWS = 4, 5
WAYS = ("propose", "best", "random")


def main() -> None:
    parser = arguments("rounds of proposals", "rounds")
    parser.add_argument("--draws", type=int, default=DRAWS)
    options = parser.parse_args()
    result = resume(options.out)
    rows = result.setdefault("rows", {})
    for name in SETTINGS:
        for draw in range(options.draws):
            for way in WAYS:
                key = f"{name} {way} {draw}"
                if key not in rows:
                    rows[key] = simulate(options.data, name, way, draw)
                    save(options.out, result)
                    print(key, rows[key], flush=True)
    figures = ("best", "rank", "fidelity")
    body = []
    for name in SETTINGS:
        for way in WAYS:
            found = [rows[f"{name} {way} {draw}"] for draw in range(options.draws)]
            means = [f"{np.mean([f[k] for f in found]):.4g}" if k in found[0] else "-" for k in figures]
            body.append([name, way, *means])
    print(markdown(["table", "way", "best label", "its true rank", "fidelity"], body))


def simulate(data, name: str, way: str, draw: int) -> dict:
    """All rounds of one method; the first labels are the same for every method."""
    target, start, each = SETTINGS[name]
    whole, known = read(data, name), truth(data, name)
    rng = np.random.default_rng([draw, start])
    rows = Cell(name, target, start).rows(np.arange(len(whole)), draw)
    chosen = [whole.architectures[i] for i in rows]
    for _ in range(ROUNDS):
        if way == "random":
            seen = set(chosen)
            more = [a for a in sample(whole.space, 4 * each, rng) if a not in seen][:each]
        else:
            target_fit = fit_labels(whole, chosen, target, known, draw)
            found = propose(target_fit, each) if way == "propose" else build(target_fit, each + len(chosen))
            seen = set(chosen)
            more = [one.architecture for one in found if one.architecture not in seen][:each]
        chosen += more
    labels = known.label(target, chosen)
    sign = whole.metrics[target].sign
    scorer = fit_labels(whole, chosen, target, known, draw).scorer
    fidelity = [srcc(scorer.score_modules(u, modules)[0], worth) for u, modules, worth in known.worth(target)]
    found = {"best": float(sign * (sign * labels).max()), "fidelity": float(np.mean(fidelity))}
    if hasattr(known, "rank"):
        found["rank"] = known.rank(target, chosen)
    return found


def fit_labels(whole: Table, chosen: list, target: str, known, seed: int):
    ids = tuple(map(str, range(len(chosen))))
    table = Table(whole.space, ids, tuple(chosen), {target: known.label(target, chosen)})
    return fit(table, [target], baselines=False, seed=seed).of(target)


if __name__ == "__main__":
    main()
