"""Learning rates, rows and parameter groups of trainings whose steps depend on seed and step only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import nn


def rate_at(step: int, steps: int, highest: float, warmup: int) -> float:
    """Learning rate of a step: it rises over ``warmup`` steps, then follows a cosine to 0."""
    rise = min(1.0, (step + 1) / max(1, warmup))
    return highest * rise * float(1 + np.cos(np.pi * step / steps)) / 2


def rows_at(step: int, batch: int, count: int, seed: int) -> np.ndarray:
    """Row indices of a step: every epoch visits all ``count`` rows once, in a new order."""
    first = step * batch
    found: list[np.ndarray] = []
    while sum(map(len, found)) < batch:
        epoch, position = divmod(first + sum(map(len, found)), count)
        order = np.random.default_rng((seed, 0, epoch)).permutation(count)
        found.append(order[position : position + batch])
    return np.concatenate(found)[:batch]


def decay_groups(named: Mapping[str, nn.Parameter], decay: float) -> list[dict[str, Any]]:
    """Groups for AdamW: no weight decay for biases and the scales of norms."""
    return [
        {"params": [p for p in named.values() if p.ndim > 1], "weight_decay": decay},
        {"params": [p for p in named.values() if p.ndim <= 1], "weight_decay": 0.0},
    ]
