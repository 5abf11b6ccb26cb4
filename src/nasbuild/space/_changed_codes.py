"""All modules of a stage that differ from one module by a single choice or by their number of layers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from nasbuild.space._layer_choices import exists, topological
from nasbuild.space._stage import Stage


class ChangedCode(NamedTuple):
    """A module that differs from another one in one part.

    Attributes
    ----------
    place, feature
        Layer and position of the feature; both -1 where the number of layers differs.
    choice
        The choice's code, or the position of the number of layers among the stage's depths.
    code
        The module, (depth, features).

    Examples
    --------
    >>> import numpy as np
    >>> from nasbuild.space import changed_codes, load_space
    >>> deeper, *_ = changed_codes(load_space("digits-macro").stages[0], np.array([[2]]))
    >>> deeper.feature, deeper.choice, deeper.code.shape
    (-1, 1, (2, 1))
    """

    place: int
    feature: int
    choice: int
    code: np.ndarray


def changed_codes(stage: Stage, code: np.ndarray) -> Iterator[ChangedCode]:
    """Changes of a module's code (depth, features): every other number of layers, then every other choice of each layer.

    A deeper module repeats the last layer. A feature that layers share changes in all of them. Features that begin to exist
    with a choice have their first choice, those that cease to are absent.

    Examples
    --------
    >>> import numpy as np
    >>> from nasbuild.space import changed_codes, load_space
    >>> stage = load_space("digits-macro").stages[0]
    >>> [(one.place, one.choice, one.code.ravel().tolist()) for one in changed_codes(stage, np.array([[2]]))]
    [(-1, 1, [2, 2]), (0, 0, [0]), (0, 1, [1])]
    """
    for d, depth in enumerate(stage.depths):
        if depth != len(code):
            last = code[-1:] if len(code) else np.zeros((1, code.shape[1]), dtype=code.dtype)
            more = np.repeat(last, max(depth - len(code), 0), axis=0)
            yield ChangedCode(-1, -1, d, np.concatenate([code[:depth], more]))
    for n, layer in enumerate(code):
        for f, feature in enumerate(stage.features):
            shared = feature.name in stage.shared
            if layer[f] == feature.absent or (shared and n):
                continue
            for choice in range(len(feature.choices)):
                if choice not in (layer[f], feature.absent):
                    changed = code.copy()
                    changed[slice(None) if shared else n, f] = choice
                    yield ChangedCode(n, f, choice, _consistent(stage, changed, f))


def _consistent(stage: Stage, code: np.ndarray, changed: int) -> np.ndarray:
    """A module whose features exist where their conditions hold; one that begins to exist has its first choice."""
    found = code.copy()
    for f in topological(stage) if stage.conditional else ():
        feature = stage.features[f]
        if f == changed or not feature.when:
            continue
        first = next(c for c in range(len(feature.choices)) if c != feature.absent)
        own = np.where(found[:, f] == feature.absent, first, found[:, f])
        found[:, f] = np.where(exists(stage, f, found), own, feature.absent)
    return found
