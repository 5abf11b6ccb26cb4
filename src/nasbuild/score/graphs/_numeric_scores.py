"""Effects of numeric features of nodes, such as channels: the FE-MLP's scalar over the range of a number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from nasbuild.ir import decode_numbers, encode_numbers
from nasbuild.predictor import Ensemble, weighted_mean_std
from nasbuild.score._feature_scores import graph_norm_std
from nasbuild.space import Graphs

_TITLES = {
    "inputs": "channels in",
    "outputs": "channels out",
    "positions": "pixels or tokens",
    "macs": "MACs",
}
_POINTS = 24
_MIDDLE = (0.05, 0.95)  # quantiles of nodes between which the range of a curve is measured


@dataclass(frozen=True)
class NumberCurve:
    """The effect of a number, such as the channels of a node, over its range in the table.

    Attributes
    ----------
    values
        Points of the curve, ascending, (points,), above 0: all values that occur, or a logarithmic grid.
    effect, effect_std
        The FE-MLP's scalar minus its mean over all nodes, in deviations of the 0-hop graph norm, and its spread over the
        members; (points,) each.
    member_effects
        Effect by each member, (members,) of (points,).
    counts
        Number of nodes whose value is nearest to each point (in logarithms), (points,).
    absent
        Effect, spread and number of the nodes for which the number is missing or unknown (0). None if there are no such
        nodes.
    range
        Range of the mean effect between the 5 % and 95 % quantiles of nodes.

    Examples
    --------
    >>> from nasbuild.score.graphs import number_curves
    >>> curve = next(one for one in number_curves(acc.ensemble, fit.graphs) if one.feature == "inputs")
    >>> curve.title, len(curve.values) == len(curve.effect)
    ('channels in', True)
    """

    feature: str
    values: tuple[float, ...]
    effect: tuple[float, ...]
    effect_std: tuple[float, ...]
    member_effects: tuple[tuple[float, ...], ...]
    counts: tuple[int, ...]
    absent: tuple[float, float, int] | None
    range: float

    @property
    def title(self) -> str:
        """The feature in words."""
        return size_title(self.feature)


def size_title(feature: str) -> str:
    """A numeric feature of nodes in words.

    >>> from nasbuild.score.graphs import size_title
    >>> size_title("inputs"), size_title("parameters")
    ('channels in', 'parameters')
    """
    return _TITLES.get(feature, feature)


def number_curves(ensemble: Ensemble, graphs: Graphs) -> list[NumberCurve]:
    """Curves of all numeric features that differ between nodes, largest range first.

    Parameters
    ----------
    graphs
        The graphs that the ensemble was fitted on.

    Examples
    --------
    >>> from nasbuild.score.graphs import number_curves
    >>> sorted(one.feature for one in number_curves(acc.ensemble, fit.graphs))
    ['inputs', 'macs', 'parameters']
    """
    spread, weights = graph_norm_std(ensemble, graphs), ensemble.weights(0)
    found = []
    for column, feature in enumerate(ensemble.schema.numeric):
        encoded = graphs.numbers[:, column].astype(np.float64)
        known = encoded[encoded > 0]
        if not len(known) or len(np.unique(encoded)) < 2:
            continue
        points = _points(known)
        centre = np.array([_scalars(ensemble, m, column, encoded).mean() for m in range(len(spread))])

        def effects(
            at: np.ndarray, column: int = column, centre: np.ndarray = centre
        ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            raw = np.stack([_scalars(ensemble, m, column, at) for m in range(len(spread))])
            member_effects = (raw - centre[:, None]) / spread[:, None]
            return (member_effects, *weighted_mean_std(member_effects, weights))

        member_effects, mean, std = effects(points)
        low, high = np.quantile(known, _MIDDLE)
        middle = effects(np.linspace(low, high, _POINTS))[1]
        absent = None
        if len(known) < len(encoded):
            _, at_zero, std_zero = effects(np.zeros(1))
            absent = float(at_zero[0]), float(std_zero[0]), int(len(encoded) - len(known))
        nearest = np.searchsorted((points[1:] + points[:-1]) / 2, known)
        found.append(
            NumberCurve(
                feature.name,
                tuple(np.rint(decode_numbers(points)).tolist()),
                tuple(mean.tolist()),
                tuple(std.tolist()),
                tuple(tuple(row) for row in member_effects.tolist()),
                tuple(np.bincount(nearest, minlength=len(points)).tolist()),
                absent,
                float(np.ptp(middle)),
            )
        )
    return sorted(found, key=lambda one: -one.range)


def _points(known: np.ndarray) -> np.ndarray:
    different = np.unique(known)
    if len(different) <= _POINTS:
        return different
    low, high = decode_numbers(different[[0, -1]])
    return encode_numbers(np.geomspace(low, high, _POINTS))


def _scalars(ensemble: Ensemble, member: int, column: int, encoded: np.ndarray) -> np.ndarray:
    """The FE-MLP's scalar of one number, (values,)."""
    with torch.no_grad():
        at = torch.from_numpy(encoded.astype(np.float32))[:, None]
        return ensemble.networks[member].embedding.numbers[column](at).squeeze(-1).abs().double().numpy()
