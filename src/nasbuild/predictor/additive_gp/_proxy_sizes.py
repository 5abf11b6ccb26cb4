"""Sizes that single changes are expected to have by a cheap metric: its own effects, in the unit of the target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from nasbuild.predictor.additive_gp._ruined_rows import ruined_rows
from nasbuild.predictor.additive_gp._warp import Warp
from nasbuild.space import Architecture, Space
from nasbuild.table import Part, ReferenceChanges, changed_parts

LEAST_BOTH = 3
"""Minimum number of single changes with an effect by both metrics, by which a proxy has a unit."""
_NORMAL = 1.4826  # deviation of normal errors, over the median of their sizes


class ProxySize(NamedTuple):
    """Expected size of one single change on the warped scale; by the proxy, it may ruin the network."""

    architecture: Architecture
    part: Part
    size: float
    ruined: bool


def proxy_changes(
    space: Space, reference: Architecture, architectures: Sequence[Architecture]
) -> ReferenceChanges:
    """The rows of a proxy as changes of the target's reference.

    Examples
    --------
    >>> from nasbuild.predictor import proxy_changes
    >>> proxy_changes(space, architectures[0], architectures[:2]).counts.tolist()[0]
    0
    """
    row = next((i for i, one in enumerate(architectures) if one == reference), None)
    parts = tuple(changed_parts(space, reference, one) for one in architectures)
    return ReferenceChanges(reference, row, space.reference is not None, parts)


def proxy_sizes(
    space: Space,
    architectures: Sequence[Architecture],
    labels: np.ndarray,
    changes: ReferenceChanges,
    ruined: np.ndarray,
    proxy: tuple[Sequence[Architecture], np.ndarray],
    own: Warp,
) -> list[ProxySize]:
    """Expected size of every single change that a proxy has measured.

    Where both metrics have measured a change, the median ratio of their effects is the proxy's unit. Small effects of the
    target are off by its own noise, whatever the proxy says: the median distance among the smaller half of the proxy's
    effects. So an effect has the expected size sqrt((unit x)² + noise²), where x is the proxy's.

    Parameters
    ----------
    changes
        Of the target's rows; its ``row`` is the measured reference.
    ruined
        Which of the target's rows are ruined, (rows,) bool. They have no part in the unit.
    proxy
        Architectures and labels of the proxy, in its own unit and direction.
    own
        The target's scale.

    Returns
    -------
    Nothing where the proxy has not measured the reference, or has too few changes in common with the target.
    """
    cheap, values = proxy
    of_proxy = proxy_changes(space, changes.reference, cheap)
    if of_proxy.row is None or changes.row is None:
        return []
    size = np.abs(values - values[of_proxy.row])
    single = np.flatnonzero(of_proxy.counts == 1).tolist()
    known = {cheap[i]: size[i] for i in single if size[i] > 0}
    both = [
        i
        for i in np.flatnonzero((changes.counts == 1) & ~ruined).tolist()
        if architectures[i] in known and labels[i] != labels[changes.row]
    ]
    if len(both) < LEAST_BOTH:
        return []
    effects = labels[both] - labels[changes.row]
    by_proxy = np.array([known[architectures[i]] for i in both])
    unit = float(np.median(np.abs(effects) / by_proxy))
    small = by_proxy <= np.median(by_proxy)
    noise = _NORMAL * float(np.median(np.abs(np.abs(effects) - unit * by_proxy)[small]))
    # The scale may be bent, so effects are taken to the side on which most lie.
    side = 1.0 if np.median(effects) >= 0 else -1.0
    reference = labels[changes.row]
    ends = own.forward(reference + side * np.append(np.hypot(unit * size, noise), 0.0))
    sizes, spoilt = np.abs(ends[:-1] - ends[-1]), ruined_rows(space, cheap, values, of_proxy)
    return [ProxySize(cheap[i], of_proxy.parts[i][0], float(sizes[i]), bool(spoilt[i])) for i in single]
