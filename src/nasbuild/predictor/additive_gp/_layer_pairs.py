"""Interactions of pairs of layers within a module."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from nasbuild.predictor.additive_gp._design_matrix import Term
from nasbuild.predictor.additive_gp._terms import Terms

_NEXT, _FAR = ("follow", "follow@stage"), "duo@stage"


def layer_pairs(
    terms: Terms, used: Mapping[str, tuple[Term, np.ndarray]], stage: int, options: Sequence[np.ndarray]
) -> dict[tuple[int, int], np.ndarray]:
    """For two places, the smaller first, (layers of the first, layers of the second), on the warped scale.

    Parameters
    ----------
    used
        Terms of a process with their posterior mean weights, by name.
    options
        As in `AdditiveGP.layer_pairs`.
    """
    found: dict[tuple[int, int], np.ndarray] = {}
    if not {*_NEXT, _FAR} & used.keys():
        return found
    for i, first in enumerate(options):
        for j in range(i + 1, len(options) if _FAR in used else min(i + 2, len(options))):
            total = np.zeros((len(first), len(options[j])))
            for name, keys in terms.of_two(stage, (i, j), first, options[j]):
                if name in used:
                    term, weights = used[name]
                    total += term.weighted_values(keys, weights)
            if total.any():
                found[i, j] = total
    return found
