"""Plain data about the trade-off between targets: the measured and the predicted Pareto front."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nasbuild.report.data._architecture_rows import ArchitectureRows
from nasbuild.report.data._health import DOUBT, OF_TRUST, extrapolating, health
from nasbuild.report.data._number_format import plural

if TYPE_CHECKING:
    from nasbuild.builder import Front
    from nasbuild.score import Fit
    from nasbuild.score.graphs import GraphFit

_MAX_POINTS = 3_000  # measured architectures that are drawn
_MANY_STAGES = 20  # above, the front is that of summed scores
_MAX_MEASURED = 20  # of the measured front, in the table


def tradeoff_data(fit: Fit, rows: ArchitectureRows, n: int) -> dict[str, Any]:
    """Returns the measured front, and ``n`` architectures built along the predicted one.

    ``points`` holds the measured values of the targets, ``on_front`` which of them no other dominates. ``rows`` has
    the built architectures, then the measured front; ``kind`` is ``"built"``, ``"measured"`` or ``"both"``, and
    ``dominated`` whether a measured architecture is better in every target.
    """
    targets = fit.targets
    signs = np.array([one.target.sign for one in targets], dtype=np.float64)
    measured, values = common_labels(fit)
    on_front = nondominated(values * signs)
    front = _built_front(fit, n)
    best = np.flatnonzero(on_front)
    best = best[np.argsort(-(values * signs)[best, 0], kind="stable")]
    if len(best) > _MAX_MEASURED:
        best = best[np.linspace(0, len(best) - 1, _MAX_MEASURED).astype(int)]
    architectures = list(front.architectures)
    known = {fit.table.row_of.get(a) for a in architectures}
    more = [fit.table.architectures[measured[i]] for i in best if measured[i] not in known]
    found = rows.rows(
        [*architectures, *more], selected=len(architectures), by=[one.target.name for one in targets]
    )
    measured_front = {fit.table.architectures[measured[i]] for i in np.flatnonzero(on_front)}
    for position, (row, architecture) in enumerate(zip(found, [*architectures, *more], strict=True)):
        built = position < len(architectures)
        row["kind"] = "measured" if not built else "both" if architecture in measured_front else "built"
        row["dominated"] = built and is_dominated(front.prediction[position] * signs, values * signs)
    shown = np.arange(len(values))
    if len(shown) > _MAX_POINTS:
        some = np.linspace(0, len(shown) - 1, _MAX_POINTS).astype(int)
        shown = np.union1d(shown[some], np.flatnonzero(on_front))
    beyond = sum(not row["dominated"] for row in found[: len(architectures)])
    return {
        "targets": [
            {
                "name": one.target.name,
                "direction": "maximize" if one.target.sign > 0 else "minimize",
                "unit": one.target.unit,
                "sign": one.target.sign,
            }
            for one in targets
        ],
        "columns": rows.columns,
        "points": values[shown].tolist(),
        "on_front": on_front[shown].tolist(),
        "rows": found,
        "built": len(architectures),
        "by_score": len(fit.space.stages) > _MANY_STAGES,
        "beyond": beyond,
        "measured": len(values),
        "measured_front": int(on_front.sum()),
        "volume": _number(front.volume),
        "labelled_volume": _number(front.labelled_volume),
        "reference": {"id": rows.reference.id, "text": rows.reference.text},
        "health": health(_doubts(fit, found, beyond), _fine(beyond, len(architectures))),
        "next": [],
    }


def has_tradeoff(fit: Fit) -> bool:
    """Whether a fit has two different targets."""
    return len({one.target.name for one in fit.targets}) > 1


def common_labels(fit: Fit | GraphFit) -> tuple[np.ndarray, np.ndarray]:
    """Returns the rows of the table with labels of all targets, (rows,), and these, (rows, targets)."""
    table = np.full((len(fit.table), len(fit.targets)), np.nan)
    for t, one in enumerate(fit.targets):
        table[one.labels.rows, t] = one.labels.values
    rows = np.flatnonzero(np.isfinite(table).all(axis=1))
    return rows, table[rows]


def nondominated(values: np.ndarray) -> np.ndarray:
    """Returns which points no other dominates, (points,) bool; more is better in every column."""
    import moocore

    if not len(values):
        return np.zeros(0, dtype=bool)
    return np.asarray(moocore.is_nondominated(values, maximise=True, keep_weakly=True), dtype=bool)


def is_dominated(point: np.ndarray, others: np.ndarray) -> bool:
    """Whether one of the others is at least as good in every column and better in one."""
    return bool(((others >= point).all(axis=1) & (others > point).any(axis=1)).any())


def _built_front(fit: Fit, n: int) -> Front:
    """Builds the front as ``nasbuild build --front`` does: away from likely failures, if it can.

    For many stages, by summed scores alone: the search for interactions takes time by the square of their number.
    """
    from nasbuild.builder import build_front, failure_bound, front_by_score
    from nasbuild.errors import Infeasible
    from nasbuild.optimize import FAILURE_LIMITS
    from nasbuild.score import with_failures

    names = [one.target.name for one in fit.targets]
    used = with_failures(fit, names)
    for risk in FAILURE_LIMITS if used.failures else ():
        try:
            return build_front(used, n, bounds=[failure_bound(risk)])
        except Infeasible:
            continue
    return front_by_score(fit, n) if len(fit.space.stages) > _MANY_STAGES else build_front(used, n)


def _fine(beyond: int, built: int) -> str:
    return (
        f"{beyond} of {plural(built, 'built architecture')} {'is' if beyond == 1 else 'are'} predicted beyond the "
        "measured front: no measured architecture is as good in all targets"
    )


def _doubts(fit: Fit, rows: list[dict[str, Any]], beyond: int) -> list[tuple[str, str]]:
    found = [
        (OF_TRUST[one.trust.level], f"predictions of {one.target.name} {DOUBT[one.trust.level]}")
        for one in fit.targets
        if one.trust.level in DOUBT
    ]
    if not beyond:
        found.append(("note", "no built architecture is predicted beyond the measured front"))
    return found + extrapolating([row for row in rows if row["kind"] != "measured"])


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
