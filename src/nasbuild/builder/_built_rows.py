"""Built architectures as rows of plain data, as they are written to files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nasbuild.builder._topk import SELECTION_STD_FACTOR, Built
from nasbuild.builder._within_bounds import expected_values
from nasbuild.score import Fit, TargetFit
from nasbuild.space import architecture_id, to_dict


def built_rows(
    fit: Fit,
    target_fit: TargetFit,
    built: Sequence[Built],
    also: Sequence[str] = (),
    selected_by: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """Converts built architectures to rows of ``archs.jsonl`` with scores and predictions.

    Parameters
    ----------
    target_fit
        The target that was built for.
    also
        Names of other targets or exact costs, whose expected values are added as ``expected``.
    selected_by
        Names in ``also`` that selected the architectures as well (as along a front): their deviations are widened as
        those of ``target_fit`` are.

    Returns
    -------
    Rows with the keys ``id``, ``arch``, ``metrics`` (known labels, empty for architectures that the table
    does not have), ``target``, ``score``, ``shares``, ``prediction``, ``std``, ``extrapolates``, and
    ``expected`` if ``also`` is given: for each name its ``prediction`` and ``std``, in its own unit.

    Raises
    ------
    NasbuildError
        If a name in ``also`` is neither an exact cost nor a target of the fit.

    Examples
    --------
    >>> from nasbuild.builder import build, built_rows
    >>> [row] = built_rows(fit, acc, build(acc, 1), also=["macs"])
    >>> row["id"], list(row["expected"])
    ('mb_e6_k5-mb_e6_k5/mb_e6_k5-mb_e6_k5/mb_e6_k5-mb_e6_k5', ['macs'])
    """
    expected: list[dict[str, Any]] = [{} for _ in built]
    for name in dict.fromkeys(also):
        value, std = expected_values(fit, name, [one.architecture for one in built])
        if name in selected_by:
            std = SELECTION_STD_FACTOR * std
        for n, row in enumerate(expected):
            row[name] = {"prediction": float(value[n]), "std": float(std[n])}
    rows = []
    for candidate, more in zip(built, expected, strict=True):
        known = fit.table.row_of.get(candidate.architecture)
        values = {} if known is None else {m: float(v[known]) for m, v in fit.table.columns.items()}
        rows.append(
            {
                "id": architecture_id(fit.space, candidate.architecture)
                if known is None
                else fit.table.ids[known],
                "arch": to_dict(fit.space, candidate.architecture),
                "metrics": {m: v if v == v else None for m, v in values.items()},
                "target": target_fit.target.name,
                "score": candidate.score,
                "shares": list(candidate.shares),
                "prediction": candidate.prediction,
                "std": candidate.std,
                "extrapolates": candidate.extrapolates,
                **({"expected": more} if also else {}),
            }
        )
    return rows
