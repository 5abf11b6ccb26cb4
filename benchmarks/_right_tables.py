"""Small synthetic tables with right labels, of seven kinds, in which no row should be suspect."""

from __future__ import annotations

import numpy as np

from nasbuild.space import Architecture, Feature, Space, Stage, count_architectures, sample

KINDS = ("additive", "interactions", "heavy", "fatal", "uneven noise", "single changes", "skewed")
_FEATURES = {
    "kernel": (3, 5, 7),
    "expand": (3, 4, 6),
    "op": ("conv", "pool", "mixer", "attention", "none"),
    "se": (False, True),
    "bits": (2, 3, 4, 6, 8),
}


def right_table(number: int) -> tuple[str, Space, tuple[Architecture, ...], np.ndarray]:
    """Kind, space, 15 to 60 different architectures, and their labels with at most ordinary noise."""
    rng = np.random.default_rng([20_261_129, number])
    kind = KINDS[number % len(KINDS)]
    space = _space(rng)
    while count_architectures(space) < 200:
        space = _space(rng)
    rows = int(rng.integers(15, 61))
    if kind == "single changes":
        some = _single_changes(space, rows, rng)
    else:
        some = sample(space, min(rows, count_architectures(space)), rng)
    value = _latent(space, some, kind, rng)
    value = (value - value.mean()) / max(float(value.std()), 1e-9)
    noise = float(rng.choice([0.01, 0.05, 0.15, 0.3]))
    spread = noise * (np.exp(rng.normal(0, 0.7, len(some))) if kind == "uneven noise" else 1.0)
    if kind == "fatal":
        value = value + _fatal(space, some, rng)
    value = value + spread * rng.normal(size=len(some))
    if kind == "skewed":
        value = np.exp(rng.uniform(0.5, 1.5) * value)
    return kind, space, tuple(some), rng.choice([-1.0, 1.0]) * value * 10.0 ** rng.integers(-2, 4)


def _space(rng: np.random.Generator) -> Space:
    stages = []
    for u in range(int(rng.integers(2, 6))):
        names = rng.choice(list(_FEATURES), int(rng.integers(1, 3)), replace=False)
        depths = tuple(range(1, 1 + int(rng.integers(1, 4))))
        stages.append(Stage(f"stage{u}", depths, tuple(Feature(str(n), _FEATURES[str(n)]) for n in names)))
    return Space("right", tuple(stages))


def _single_changes(space: Space, rows: int, rng: np.random.Generator) -> list[Architecture]:
    """A reference, and architectures that differ from it by one layer's choice each."""
    reference = sample(space, 1, rng)[0]
    found = []
    for u, module in enumerate(reference.modules):
        for place, layer in enumerate(module):
            for f, feature in enumerate(space.stages[u].features):
                for choice in feature.choices:
                    if choice != layer[f]:
                        other = (*layer[:f], choice, *layer[f + 1 :])
                        found.append(reference.replace(u, (*module[:place], other, *module[place + 1 :])))
    order = rng.permutation(len(found))[: rows - 1]
    some = [reference, *(found[i] for i in order)]
    # Too few changes to fill a table: pairs of them as well.
    return some if len(some) >= 15 else list(dict.fromkeys([*some, *sample(space, 30, rng)]))[:20]


def _latent(space: Space, some: list[Architecture], kind: str, rng: np.random.Generator) -> np.ndarray:
    heavy = kind in ("heavy", "single changes")

    def draw(size: tuple[int, ...]) -> np.ndarray:
        return rng.standard_t(1.5, size) if heavy else rng.normal(size=size)

    values = np.zeros(len(some))
    shares = []
    for u, stage in enumerate(space.stages):
        depth = 0.7 * draw((max(stage.depths) + 1,))
        effects = [draw((max(stage.depths), len(f.choices))) for f in stage.features]
        common = [draw((len(f.choices),)) for f in stage.features]
        own = np.zeros(len(some))
        for n, architecture in enumerate(some):
            code = stage.encode(architecture.modules[u])
            own[n] = depth[len(code)]
            for f, (at, everywhere) in enumerate(zip(effects, common, strict=True)):
                own[n] += sum(everywhere[c] + 0.5 * at[place, c] for place, c in enumerate(code[:, f]))
        shares.append(own * rng.uniform(0.2, 1.5))
        values += shares[-1]
    if kind == "interactions":
        for u in range(1, len(shares)):
            values = values + 0.3 * rng.normal() * shares[u] * shares[u - 1]
    return values


def _fatal(space: Space, some: list[Architecture], rng: np.random.Generator) -> np.ndarray:
    """Loss of a choice that ruins every network that contains it."""
    u = int(rng.integers(len(space.stages)))
    stage = space.stages[u]
    f = int(rng.integers(len(stage.features)))
    choice = int(rng.integers(len(stage.features[f].choices)))
    bad = [bool((stage.encode(a.modules[u])[:, f] == choice).any()) for a in some]
    return -rng.uniform(3, 15) * np.array(bad, dtype=float)
