"""Which parts of a language model to switch off within four budgets, with 120 evaluations: the loop against simpler ways.

    python benchmarks/budget_loop.py [--out OUT.json] [--seeds 3] [--only TRUTH ...] [--ways WAY ...]

Evaluations are those of a truth that is known everywhere:

- ``stand-in``: the prediction y' of nasbuild's own model, fitted to all 261 measurements of SmolLM2-135M whose 60 parts are
  switched off (``smollm2-depth``). A truth of our own model family flatters our model.
- ``vectors``: independent of it. Each of 60 parts adds a vector to a stream of 48 numbers; those of neighbouring blocks are
  alike. The loss is the logarithm of 1 + the squared length of the missing sum, so effects add up only roughly. Every seed
  draws its own.

Budgets are 95, 90, 85 and 80 % of the parameters of the parts. The excess is the loss of the best measured network within a
budget less the least loss known: of all that any way measured, followed by swaps of one, two and three parts.

Ways, each with the measured reference and 60 single changes if it does not say otherwise:

- ``sum``: the best sums of single effects within each budget (4 more evaluations); ``sums``: the 59 best, in turn.
- ``random``: 55 random joint rows, a fit, and the best that it builds within each budget.
- ``nothing``: four loops of 30 evaluations without a reference, one a budget (what ``optimize`` did before).
- ``told``: four optimizers by ask and tell, one a budget, told all that was measured; 5 evaluations each in turn. With the
  source of an earlier version on PYTHONPATH this measures the loop before the change (``--label before``).
- ``loop``: ``optimize`` with the four budgets.

Results are written as they come; an interrupted run resumes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

import nasbuild as nb
from _common import arguments, markdown, resume, save
from nasbuild.bench import read
from nasbuild.builder import build_predicted, build_shortlisted, read_bounds
from nasbuild.predictor import recipe
from nasbuild.score import fit
from nasbuild.space import Architecture, Space, changed_sample, space_from_dict
from nasbuild.table import Table, table_from_evaluations

BLOCKS, PARTS = 30, ("attn", "mlp")
SIZES = np.tile([0.884736, 2.654208], BLOCKS)  # millions of parameters of SmolLM2-135M's parts
SHARES = (0.95, 0.9, 0.85, 0.8)
BUDGETS = [round(float(share * SIZES.sum()) + 1e-3, 3) for share in SHARES]
BUDGET = 120
_ON, _OFF = "on", "off"


def space(reference: bool = True) -> Space:
    features = {part: [_ON, _OFF] for part in PARTS}
    size = [{"feature": part, "values": {_ON: float(SIZES[i]), _OFF: 0}} for i, part in enumerate(PARTS)]
    return space_from_dict(
        {
            "name": "blocks",
            "metrics": {"loss": {"direction": "minimize", "unit": "nats"}},
            "stages": [{"name": f"block{n}", "depth": 1, "features": features} for n in range(BLOCKS)],
            "costs": {"params": {"unit": "M", "sum": size}},
            **({"reference": dict.fromkeys(PARTS, _ON)} if reference else {}),
        }
    )


def architecture(off: Sequence[int] | np.ndarray) -> Architecture:
    """The architecture with some of the 60 parts switched off."""
    gone = {int(p) for p in off}
    return Architecture(
        tuple((tuple(_OFF if 2 * n + i in gone else _ON for i in range(len(PARTS))),) for n in range(BLOCKS))
    )


def mask(one: Architecture) -> np.ndarray:
    """Which parts are off, (60,) bool."""
    return np.array([choice == _OFF for (layer,) in one.modules for choice in layer])


@dataclass
class Truth:
    """A loss of every network, and the least one known within each budget."""

    losses: Callable[[np.ndarray], np.ndarray]
    measured: dict[bytes, float] = field(default_factory=dict)

    def __call__(self, one: Architecture) -> float:
        return float(self.of(mask(one)[None])[0])

    def of(self, masks: np.ndarray) -> np.ndarray:
        new = [m for m in masks if m.tobytes() not in self.measured]
        for m, loss in zip(new, self.losses(np.array(new)) if new else (), strict=True):
            self.measured[m.tobytes()] = float(loss)
        return np.array([self.measured[m.tobytes()] for m in masks])


def vectors(seed: int) -> Truth:
    rng = np.random.default_rng([7, seed])
    stream = np.zeros((2 * BLOCKS, 48))
    for i in range(len(PARTS)):
        direction = rng.normal(size=48)
        for n in range(BLOCKS):
            direction = 0.7 * direction + np.sqrt(1 - 0.7**2) * rng.normal(size=48)
            # The first blocks and the last one matter most, as in language models.
            size = np.exp(0.5 * rng.normal() + 2.5 * np.exp(-n / 1.5) + (n == BLOCKS - 1))
            stream[2 * n + i] = size * direction / np.linalg.norm(direction)
    return Truth(lambda masks: 3.7 + np.log1p(((masks @ stream) ** 2).sum(axis=1) / 30))


@cache
def _stand_in(data: Path) -> Any:
    table = read(data, "smollm2-depth")
    rows = Table(space(), table.ids, table.architectures, {"loss": table.columns["loss"]})
    return fit(rows, ["loss"], recipe=recipe("default"), baselines=False)


def stand_in(data: Path) -> Truth:
    scorer = _stand_in(data).targets[0].scorer
    return Truth(lambda masks: scorer.predict([architecture(np.flatnonzero(m)) for m in masks])[0])


def descended(truth: Truth, start: np.ndarray, most: float) -> np.ndarray:
    """A local optimum within a budget: no change of one to three parts is better, of those that keep parameters near it."""
    now, value = start.copy(), truth.of(start[None])[0]
    moves = [np.array(own) for n in (1, 2) for own in combinations(range(len(SIZES)), n)]
    rng = np.random.default_rng(0)
    while True:
        threes = [rng.choice(len(SIZES), 3, replace=False) for _ in range(1_000)]
        some = np.repeat(now[None], len(moves) + len(threes), axis=0)
        for row, own in zip(some, [*moves, *threes], strict=True):
            row[own] ^= True
        kept = (~some) @ SIZES
        some = some[(kept <= most + 1e-9) & (kept > most - 4)]
        losses = truth.losses(some) if len(some) else np.array([np.inf])
        if losses.min() >= value - 1e-12:
            return now
        now, value = some[int(np.argmin(losses))], losses.min()


def singles() -> list[Architecture]:
    return [architecture(()), *(architecture((p,)) for p in range(len(SIZES)))]


def best_sums(effects: np.ndarray, most: float, n: int) -> list[np.ndarray]:
    """The ``n`` least sums of effects within a budget: dynamic programming over parts, in units of attention's parameters."""
    need = int(np.ceil((SIZES.sum() - most) / SIZES[0] - 1e-9))
    units = np.round(SIZES / SIZES[0]).astype(int)
    at: dict[int, list[tuple[float, tuple[int, ...]]]] = {0: [(0.0, ())]}
    for p, (effect, unit) in enumerate(zip(effects, units, strict=True)):
        longer: dict[int, list[tuple[float, tuple[int, ...]]]] = {k: list(v) for k, v in at.items()}
        for total, own in at.items():
            longer.setdefault(min(total + unit, need), []).extend((s + effect, (*o, p)) for s, o in own)
        at = {k: sorted(v)[:n] for k, v in longer.items()}
    found = []
    for _, off in at[need]:
        row = np.zeros(len(SIZES), dtype=bool)
        row[list(off)] = True
        found.append(row)
    return found


def summed(truth: Truth, seed: int, n: int) -> list[Architecture]:  # noqa: ARG001
    rows = singles()
    losses = np.array([truth(one) for one in rows])
    listed = [best_sums(losses[1:] - losses[0], most, 2 * n) for most in BUDGETS]
    for i in range(2 * n):
        for own in listed:
            one = architecture(np.flatnonzero(own[i]))
            if one not in rows and len(rows) < len(singles()) + n:
                rows.append(one)
    return rows


def random_and_fit(truth: Truth, seed: int) -> list[Architecture]:
    rows = singles()
    some = changed_sample(space(), rows[0], BUDGET - len(rows) - len(BUDGETS), seed, changes=(2, 12))
    rows += [one for one in some if one not in rows]
    found = fit(_table(truth, rows), ["loss"], recipe=recipe("default"), baselines=False, seed=seed)
    for most in BUDGETS:
        built = build_shortlisted(found, "loss", 10, read_bounds([f"params <= {most}"])).built
        rows.append(next(one.architecture for one in built if one.architecture not in rows))
    return rows


def _table(truth: Truth, rows: Sequence[Architecture]) -> Table:
    return table_from_evaluations(space(), {one: {"loss": truth(one)} for one in rows})


def _measure(truth: Truth) -> Callable[[dict[str, Any]], dict[str, float]]:
    def measure(arch: dict[str, Any]) -> dict[str, float]:
        off = [choice == _OFF for (layer,) in arch["stages"] for choice in (layer["attn"], layer["mlp"])]
        return {"loss": float(truth.of(np.array(off)[None])[0])}

    return measure


def _looped(truth: Truth, seed: int, of: Space, where: str, budget: int) -> list[Architecture]:
    with tempfile.TemporaryDirectory() as place:
        state = nb.optimize(
            of, _measure(truth), "loss", out=f"{place}/out", where=where, budget=budget, seed=seed
        )
    return list(state.evaluated.architectures)


def loop(truth: Truth, seed: int) -> list[Architecture]:
    return _looped(truth, seed, space(), "params <= " + " | ".join(map(str, BUDGETS)), BUDGET)


def from_nothing(truth: Truth, seed: int) -> list[Architecture]:
    each = [_looped(truth, seed, space(False), f"params <= {b}", BUDGET // len(BUDGETS)) for b in BUDGETS]
    return list(dict.fromkeys(one for own in each for one in own))


def told(truth: Truth, seed: int) -> list[Architecture]:
    rows, measure = singles(), _measure(truth)
    optimizers = [
        nb.Optimizer(space(), "loss", where=f"params <= {most}", first=len(rows), seed=seed)
        for most in BUDGETS
    ]
    for opt in optimizers:
        opt.tell(rows, [{"loss": truth(one)} for one in rows])
    turn = 0
    while len(rows) < BUDGET:
        for row in optimizers[turn % len(BUDGETS)].ask(min(5, BUDGET - len(rows))):
            values = measure(row["arch"])
            one = architecture(
                np.flatnonzero([c == _OFF for (own,) in row["arch"]["stages"] for c in own.values()])
            )
            rows.append(one)
            for opt in optimizers:
                opt.tell(one, values)
        turn += 1
    for opt in optimizers:
        opt.close()
    return rows


WAYS: dict[str, Callable[[Truth, int], list[Architecture]]] = {
    "sum": lambda truth, seed: summed(truth, seed, len(BUDGETS)),
    "sums": lambda truth, seed: summed(truth, seed, BUDGET - len(singles())),
    "random": random_and_fit,
    "nothing": from_nothing,
    "told": told,
    "loop": loop,
}


def found_best(truth: Truth, rows: Sequence[Architecture]) -> list[list[int] | None]:
    """The best measured within each budget, as the parts that are off; None if nothing is within it."""
    masks = np.array([mask(one) for one in rows])
    losses, sizes = truth.of(masks), (~masks) @ SIZES
    best = []
    for most in BUDGETS:
        inside = np.flatnonzero(sizes <= most + 1e-9)
        best.append(
            np.flatnonzero(masks[inside[np.argmin(losses[inside])]]).tolist() if len(inside) else None
        )
    return best


def least_known(truth: Truth, starts: Sequence[Sequence[int]], most: float) -> float:
    rows = [mask(architecture(own)) for own in starts]
    return min(
        truth.of(descended(truth, row, most)[None])[0] for row in rows if (~row) @ SIZES <= most + 1e-9
    )


def main() -> None:
    parser = arguments("loops within budgets", "budget_loop")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=["stand-in", "vectors"])
    parser.add_argument("--ways", nargs="*", default=[way for way in WAYS if way != "told"])
    parser.add_argument("--label", default="", help="another name of the way in the result")
    options = parser.parse_args()
    result = resume(options.out)
    rows = result.setdefault("rows", {})
    for name in options.only:
        for seed in range(options.seeds):
            truth = stand_in(options.data) if name == "stand-in" else vectors(seed)
            for way in options.ways:
                key = f"{name} {options.label or way} {seed}"
                if key in rows:
                    continue
                found = WAYS[way](truth, seed)
                best = found_best(truth, found)
                losses = [None if off is None else truth(architecture(off)) for off in best]
                rows[key] = {"evaluations": len(set(found)), "losses": losses, "off": best}
                save(options.out, result)
                print(key, len(set(found)), losses, flush=True)
    result["least"] = _least(options, rows)
    save(options.out, result)
    print(table(result))


def _least(options: Any, rows: dict[str, Any]) -> dict[str, list[float]]:
    """The least loss known within each budget, from descents that begin at every way's best."""
    found = {}
    for name in ("stand-in", "vectors"):
        for seed in range(options.seeds):
            own = [r for key, r in rows.items() if key.startswith(name) and key.endswith(f" {seed}")]
            if name == "stand-in":
                own = [r for key, r in rows.items() if key.startswith(name)]
                if seed:
                    found[f"{name} {seed}"] = found.get(f"{name} 0", [])
                    continue
            if not own:
                continue
            truth = stand_in(options.data) if name == "stand-in" else vectors(seed)
            starts = [off for r in own for off in r["off"] if off is not None]
            if name == "stand-in":
                bounds = [read_bounds([f"params <= {most}"]) for most in BUDGETS]
                built = [build_predicted(_stand_in(options.data), "loss", 1, b).built[0] for b in bounds]
                starts += [np.flatnonzero(mask(one.architecture)).tolist() for one in built]
            starts = [list(own) for own in dict.fromkeys(map(tuple, starts))]
            found[f"{name} {seed}"] = [least_known(truth, starts, most) for most in BUDGETS]
    return found


def table(result: dict[str, Any]) -> str:
    """Mean excess over the seeds within each budget, in nats; the worst seed in brackets."""
    lines = []
    for name in ("stand-in", "vectors"):
        ways = dict.fromkeys(key.rsplit(" ", 1)[0] for key in result["rows"] if key.startswith(name))
        for way in ways:
            each = [
                (r, result["least"][f"{name} {key.rsplit(' ', 1)[1]}"])
                for key, r in result["rows"].items()
                if key.rsplit(" ", 1)[0] == way
            ]
            excess = np.array(
                [
                    [np.nan if a is None else a - b for a, b in zip(r["losses"], least, strict=True)]
                    for r, least in each
                ]
            )
            cells = [f"{np.mean(own):.3f} ({np.max(own):.3f})" for own in excess.T]
            count = max(r["evaluations"] for r, _ in each)
            lines.append([name, way.removeprefix(f"{name} "), str(count), *cells, f"{np.mean(excess):.3f}"])
    header = ["truth", "way", "evaluations", *(f"{share:.0%}" for share in SHARES), "mean"]
    return markdown(header, lines)


if __name__ == "__main__":
    main()
