"""Linear baselines, with one weight for each choice of each layer: ridge regression and marginal means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nasbuild.score.baselines._one_hot import Columns
from nasbuild.space import Architecture, Space

_PENALTIES = np.logspace(-2, 3, 16)


@dataclass(frozen=True)
class Linear:
    """A linear model; a module's score is its part of the sum, centred over the table.

    Attributes
    ----------
    weights, means
        Of each column, (columns,).
    level
        Mean label.
    error
        Expected error of a prediction, relative to its distance from ``level``; 0 where deviations say it all.

    Examples
    --------
    >>> linear.score(0, single_layers).shape, linear.predict(architectures[:2]).shape
    ((3,), (2,))
    >>> again = baselines.Linear.from_arrays(space, linear.arrays())
    >>> bool((again.weights == linear.weights).all())
    True
    """

    columns: Columns
    weights: np.ndarray
    means: np.ndarray
    level: float
    error: float = 0.0

    def score(self, stage: int, codes: np.ndarray) -> np.ndarray:
        """Scores of modules of one depth, (modules,), from codes (modules, depth, features), in the label's unit."""
        block = self.columns.block(stage)
        own = self.columns.of_modules(stage, codes) - self.means[block]
        return own @ self.weights[block] + self.level / len(self.columns.space.stages)

    def predict(self, architectures: Sequence[Architecture]) -> np.ndarray:
        """Predicted labels, (architectures,)."""
        return (self.columns.of_architectures(architectures) - self.means) @ self.weights + self.level

    def arrays(self) -> dict[str, np.ndarray]:
        """All that `from_arrays` needs."""
        return {"weights": self.weights, "means": self.means, "level": np.array([self.level, self.error])}

    @classmethod
    def from_arrays(cls, space: Space, arrays: dict[str, np.ndarray]) -> Linear:
        """The model of ``arrays``.

        Raises
        ------
        ValueError
            If the arrays are of another space.
        """
        columns = Columns(space, one_hot=True)
        width = sum(columns.width(u) for u in range(len(space.stages)))
        expected = {"weights": (width,), "means": (width,), "level": (2,)}
        if {n: a.shape for n, a in arrays.items()} != expected or any(
            a.dtype != np.float64 or not np.isfinite(a).all() for a in arrays.values()
        ):
            raise ValueError("arrays of a linear model of another space")
        level, error = arrays["level"].tolist()
        if error < 0:
            raise ValueError("an error below 0")
        return cls(columns, arrays["weights"], arrays["means"], level, error)


def fit_ridge(space: Space, architectures: Sequence[Architecture], labels: np.ndarray) -> Linear:
    """Ridge regression on one-hot layers, with the penalty chosen by leave-one-out error.

    Examples
    --------
    >>> fitted = baselines.fit_ridge(space, architectures, labels)
    >>> fitted.weights.shape == fitted.means.shape
    True
    """
    from sklearn.linear_model import RidgeCV

    columns = Columns(space, one_hot=True)
    rows = columns.of_architectures(architectures)
    if not rows.shape[1]:  # layers without features
        return Linear(columns, np.zeros(0), np.zeros(0), float(labels.mean()))
    scale = labels.std() or 1.0
    model = RidgeCV(_PENALTIES).fit(rows, (labels - labels.mean()) / scale)
    return Linear(columns, np.asarray(model.coef_) * scale, rows.mean(axis=0), float(labels.mean()))


def fit_marginal(space: Space, architectures: Sequence[Architecture], labels: np.ndarray) -> Linear:
    """Mean label of the architectures with a choice at a layer, minus the mean of all labels.

    A choice that no architecture has gets weight 0, and the number of a range its regression slope. Means of few labels are not shrunk.

    Examples
    --------
    >>> marginal = baselines.fit_marginal(space, architectures, labels)
    >>> have_it = [a.modules[0][0] == ("mb_e1_k3",) for a in architectures]  # the first choice of the first layer
    >>> bool(np.isclose(labels[have_it].mean() - labels.mean(), marginal.weights[0]))
    True
    """
    columns = Columns(space, one_hot=True)
    rows = columns.of_architectures(architectures)
    count, centred = rows.sum(axis=0), labels - labels.mean()
    weights = np.where(count > 0, rows.T @ centred / np.maximum(count, 1), 0.0)
    for n in np.flatnonzero(((rows != 0) & (rows != 1)).any(axis=0)):
        # The number of a range has a slope instead.
        own = rows[:, n] - rows[:, n].mean()
        weights[n] = own @ centred / (own @ own)
    return Linear(columns, weights, rows.mean(axis=0), float(labels.mean()))
