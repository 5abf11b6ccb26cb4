"""Predictions of architectures as rows of plain data, for files and frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nasbuild.score._fit import TargetFit, predict
from nasbuild.space import Architecture


def prediction_rows(target_fit: TargetFit, named: Sequence[tuple[str, Architecture]]) -> list[dict[str, Any]]:
    """Predicts named architectures; returns a row for each, in the target's unit.

    Returns
    -------
    Rows with the keys ``id``, ``target``, ``prediction``, ``std``, ``shares`` (the score of each
    stage's module) and ``extrapolates``.

    Examples
    --------
    >>> from nasbuild.score import prediction_rows
    >>> [row] = prediction_rows(acc, [("mine", table.architectures[0])])
    >>> list(row), row["id"], len(row["shares"])
    (['id', 'target', 'prediction', 'std', 'shares', 'extrapolates'], 'mine', 3)
    """
    found = predict(target_fit, [architecture for _, architecture in named])
    return [
        {
            "id": name,
            "target": target_fit.target.name,
            "prediction": float(found.value[n]),
            "std": float(found.std[n]),
            "shares": [float(v) for v in found.shares[n]],
            "extrapolates": bool(found.extrapolates[n]),
        }
        for n, (name, _) in enumerate(named)
    ]
