"""Identity layers: removing them leaves the network unchanged."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np

from nasbuild.space import Space, Stage

_SAY_WHAT_A_LAYER_IS = ("op", "ops", "operation", "operator", "block", "layer")
_PASS = ("identity", "skip", "skipconnect", "skipconnection")


def declared_identity(space: Space) -> tuple[str, ...] | None:
    """Choices that the space declares to be identities; None where it declares nothing."""
    return getattr(space, "identity", None)


def has_identity_layers(space: Space) -> bool:
    """Whether any stage may have identity layers, as declared, else by their names.

    A stage's first layer is never one, whatever its name: it changes the input to the stage's resolution and width.
    """
    return any(max(s.depths) > 1 and any(p.any() for p in identity_choices(space, s)) for s in space.stages)


def identity_choices(space: Space, stage: Stage) -> list[np.ndarray]:
    """For each feature of a stage, which of its choices make a layer an identity, (choices,)."""
    names = declared_identity(space)
    if names is not None:
        return [np.array([choice in names for choice in feature.choices]) for feature in stage.features]
    return [
        np.array(
            [
                feature.name.lower() in _SAY_WHAT_A_LAYER_IS
                and isinstance(choice, str)
                and re.sub(r"[-_ ]", "", choice.lower()) in _PASS
                for choice in feature.choices
            ]
        )
        for feature in stage.features
    ]


def without_identity(code: np.ndarray, passing: Sequence[np.ndarray]) -> np.ndarray:
    """A module's code (depth, features) without its identity layers."""
    return code[_present(code[None], passing)[0]]


def without_identity_layers(
    codes: np.ndarray, passing: Sequence[np.ndarray]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Modules of one depth, codes (modules, depth, features), without their identity layers.

    Yields groups of modules with equal numbers of remaining layers: their positions, (group,), and their codes,
    (group, layers, features).
    """
    present = _present(codes, passing)
    layers = present.sum(axis=1)
    for count in np.unique(layers):
        rows = np.flatnonzero(layers == count)
        yield rows, codes[rows][present[rows]].reshape(len(rows), count, codes.shape[2])


def _present(codes: np.ndarray, passing: Sequence[np.ndarray]) -> np.ndarray:
    """Which layers are no identities, (modules, depth); a stage's first layer never is one."""
    present = np.ones(codes.shape[:2], dtype=bool)
    for f, passes in enumerate(passing):
        present[:, 1:] &= ~passes[codes[:, 1:, f]]
    return present
