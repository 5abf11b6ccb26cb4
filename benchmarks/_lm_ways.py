"""Ways to make a language model smaller within budgets: ours, and what others do."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import nasbuild as nb
from _lm_sums import best_sums
from _lm_tables import CONTEXT, Measured
from nasbuild.space import Architecture, Space, parse_architecture, to_dict
from nasbuild.zoo.lm import model_space
from nasbuild.zoo.lm.parts_to_vary import OUTER

SHARES = (0.95, 0.9, 0.85, 0.8)  # of the parameters of the blocks
BITS = (4.5, 4.25, 4.0, 3.75, 3.5)  # a weight of the blocks
TYPES = ("q4_1", "q4_0", "w3g32", "w3g64", "w2g32")
FREE = {"drop": ("influence",), "bits": ("uniform", "pattern")}
_OFFSPRING = 8  # of a generation
Chosen = list[Architecture | None]


@dataclass(frozen=True)
class Job:
    """A space of a model, the cost that has budgets, and these."""

    measured: Measured
    space: Space
    cost_name: str
    budgets: list[float]

    @property
    def reference(self) -> Architecture:
        assert self.space.reference is not None
        return self.space.reference

    def cost(self, one: Architecture) -> float:
        return float(self.space.costs[self.cost_name].values(self.space, [one])[0])

    def loss(self, one: Architecture) -> float:
        return self.measured.learn(self.space, one)["loss"]

    def known(self, one: Architecture) -> float:
        return self.loss(one)

    def plain(self, one: Architecture) -> dict[str, Any]:
        return to_dict(self.space, one)

    def changed(self, one: Architecture, changes: dict[tuple[int, int], Any]) -> Architecture:
        """An architecture with other choices at (stage, feature)."""
        modules = [list(layer) for (layer,) in one.modules]
        for (u, f), choice in changes.items():
            modules[u][f] = choice
        return Architecture(tuple((tuple(layer),) for layer in modules))

    @property
    def places(self) -> list[tuple[int, int]]:
        """(stage, feature) of every choice."""
        return [(u, f) for u, stage in enumerate(self.space.stages) for f in range(len(stage.features))]

    def choices(self, place: tuple[int, int]) -> tuple[Any, ...]:
        return self.space.stages[place[0]].features[place[1]].choices

    def best_within(self, rows: Sequence[Architecture]) -> Chosen:
        """The best measured within each budget."""
        rows = list(dict.fromkeys(rows))
        losses, costs = np.array([self.loss(one) for one in rows]), np.array([self.cost(one) for one in rows])
        found: Chosen = []
        for budget in self.budgets:
            inside = np.flatnonzero(costs <= budget + 1e-6)
            found.append(rows[inside[np.argmin(losses[inside])]] if len(inside) else None)
        return found


def drop_job(measured: Measured) -> Job:
    space = model_space(measured.tasks["learn"].model.shape, ["attention", "mlp"], context=CONTEXT)
    blocks = space.costs["params"]
    whole, constant = blocks.values(space, [space.reference])[0], blocks.constant
    return Job(measured, space, "params", [float(constant + share * (whole - constant)) for share in SHARES])


def bits_job(measured: Measured) -> Job:
    """Types of the blocks' matrices; the embeddings stay as they are."""
    space = model_space(measured.tasks["learn"].model.shape, ["bits"], types=TYPES, context=CONTEXT)
    space = nb.space.fix_parts(space, [f"{OUTER}.*.token_embd = {space.reference.modules[-1][0][0]}"])
    size = space.costs["bytes"]
    shape = measured.tasks["learn"].model.shape
    weights = sum(t.rows * t.columns for block in shape.blocks for t in block.tensors.values())
    now = sum(t.bytes for block in shape.blocks for t in block.tensors.values())
    rest = size.values(space, [space.reference])[0] - now
    return Job(measured, space, "bytes", [float(rest + bits * weights / 8) for bits in BITS])


def singles(job: Job) -> list[Architecture]:
    """Single changes of the reference, by place."""
    return [
        job.changed(job.reference, {place: choice})
        for place in job.places
        for choice in job.choices(place)
        if choice != job.choices(place)[0]
    ]


def ours(job: Job, evaluations: int, seed: int) -> Chosen:
    where = f"{job.cost_name} <= " + " | ".join(f"{budget:.17g}" for budget in job.budgets)
    rows: list[Architecture] = []

    def measure(plain: dict[str, Any]) -> dict[str, float]:
        one = parse_architecture(job.space, plain)
        rows.append(one)
        return {"loss": job.loss(one)}

    with tempfile.TemporaryDirectory() as place:
        state = nb.optimize(
            job.space, measure, "loss", out=f"{place}/out", where=where, budget=evaluations + 1, seed=seed
        )
    return job.best_within(list(state.evaluated.architectures))


def summed(job: Job, evaluations: int, _seed: int) -> Chosen:
    rows = singles(job)
    some = rows
    if len(rows) > evaluations:  # as many as are affordable, evenly
        some = [rows[i] for i in np.linspace(0, len(rows) - 1, evaluations).round().astype(int)]
    effects = {one: job.loss(one) - job.loss(job.reference) for one in some}
    left = evaluations - len(some)
    each = max(1, -(-left // len(job.budgets)))
    listed = [best_sums(job, effects, budget, each) for budget in job.budgets]
    if not left:
        return [own[0] for own in listed]
    turns = list(dict.fromkeys(own[i] for i in range(each) for own in listed if i < len(own)))
    return job.best_within([*some, *turns[:left]])


def random(job: Job, evaluations: int, seed: int) -> Chosen:
    rng = np.random.default_rng([seed, 1])
    return job.best_within([_random(job, job.budgets[i % len(job.budgets)], rng) for i in range(evaluations)])


def _random(job: Job, budget: float, rng: np.random.Generator) -> Architecture:
    """Smaller choices at random places until the budget holds."""
    one = job.reference
    while job.cost(one) > budget + 1e-6:
        place = job.places[rng.integers(len(job.places))]
        choices = job.choices(place)
        now = choices.index(one.modules[place[0]][0][place[1]])
        if now + 1 < len(choices):
            one = job.changed(one, {place: choices[int(rng.integers(now + 1, len(choices)))]})
    return one


def evolution(job: Job, evaluations: int, seed: int) -> Chosen:
    rows: list[Architecture] = []
    for at, budget in enumerate(job.budgets):
        # Of each budget's own draws, so that few evaluations are the first of many.
        rng = np.random.default_rng([seed, 2, at])
        best = _random(job, budget, rng)
        rows.append(best)
        left = evaluations // len(job.budgets) + (at < evaluations % len(job.budgets)) - 1
        while left > 0:
            offspring = [_swapped(job, best, budget, rng) for _ in range(min(_OFFSPRING, left))]
            rows += offspring
            left -= len(offspring)
            best = min([best, *offspring], key=job.loss)
    return job.best_within(rows)


def _swapped(job: Job, one: Architecture, budget: float, rng: np.random.Generator) -> Architecture:
    """One to three choices of places made larger, and others smaller until the budget holds."""
    found, changed = one, set()
    for _ in range(int(rng.integers(1, 4))):
        able = [p for p in job.places if _at(job, found, p) > 0]
        if able:
            place = able[int(rng.integers(len(able)))]
            changed.add(place)
            found = job.changed(found, {place: job.choices(place)[int(rng.integers(_at(job, found, place)))]})
    while job.cost(found) > budget + 1e-6:
        able = [p for p in job.places if p not in changed and _at(job, found, p) + 1 < len(job.choices(p))]
        if not able:
            return one
        place = able[int(rng.integers(len(able)))]
        choices = job.choices(place)
        found = job.changed(
            found, {place: choices[int(rng.integers(_at(job, found, place) + 1, len(choices)))]}
        )
    return found


def _at(job: Job, one: Architecture, place: tuple[int, int]) -> int:
    return job.choices(place).index(one.modules[place[0]][0][place[1]])


def influence(job: Job, _evaluations: int, _seed: int) -> Chosen:
    """Block influence of Men et al., "ShortGPT" (2024): 1 less the cosine of a block's input and output."""
    losses = job.measured.tasks["learn"].losses
    values = losses.block_influence()
    order, found = np.argsort(values, kind="stable"), []
    for budget in job.budgets:
        one = job.reference
        for block in order:
            if job.cost(one) <= budget + 1e-6:
                break
            one = job.changed(one, {(int(block), f): "off" for f in range(2)})
        found.append(one)
    return found


def uniform(job: Job, _evaluations: int, _seed: int) -> Chosen:
    found: Chosen = []
    for budget in job.budgets:
        each = [_all(job, dict.fromkeys(job.places, kind)) for kind in TYPES]
        found.append(next((one for one in each if job.cost(one) <= budget + 1e-6), None))
    return found


def pattern(job: Job, _evaluations: int, _seed: int) -> Chosen:
    """More bits where llama.cpp's ``_M`` mixes have them: the best pair of types within each budget, neighbours first."""
    blocks = len(job.measured.tasks["learn"].model.shape.blocks)

    def more(n: int) -> bool:
        return n < blocks // 8 or n >= 7 * blocks // 8 or (n - blocks // 8) % 3 == 2

    special = [
        (u, f)
        for u, f in job.places
        if job.space.stages[u].name != OUTER
        and job.space.stages[u].features[f].name in ("attn_v", "ffn_down")
        and more(int(job.space.stages[u].name.removeprefix("block")))
    ]
    found: Chosen = []
    for budget in job.budgets:
        pairs = [(TYPES[i], TYPES[max(i - 1, 0)]) for i in range(len(TYPES))]
        each = [
            _all(job, {**dict.fromkeys(job.places, low), **dict.fromkeys(special, high)})
            for low, high in pairs
        ]
        found.append(next((one for one in each if job.cost(one) <= budget + 1e-6), None))
    return found


def _all(job: Job, choices: dict[tuple[int, int], str]) -> Architecture:
    """The reference with these choices where a place has them."""
    return job.changed(job.reference, {p: kind for p, kind in choices.items() if kind in job.choices(p)})


WAYS: dict[str, Callable[[Job, int, int], Chosen]] = {
    "ours": ours,
    "sum": summed,
    "random": random,
    "evolution": evolution,
    "influence": influence,
    "uniform": uniform,
    "pattern": pattern,
}
