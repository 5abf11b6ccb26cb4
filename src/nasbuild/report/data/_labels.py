"""Plain data about the labels of a target."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nasbuild.report.data._health import health
from nasbuild.report.data._number_format import plural

if TYPE_CHECKING:
    from nasbuild.score import Fit, TargetFit
    from nasbuild.score.graphs import GraphFit, GraphTargetFit

_SKEWED = 2.0
_MARGIN = 10.0  # beyond this multiple of the range of nine labels in ten, a label is not in the histogram
_FEWEST_BINS, _MOST_BINS = 6, 32
_MOST_POINTS = 5_000


def labels_data(fit: Fit | GraphFit, target_fit: TargetFit | GraphTargetFit) -> dict[str, Any]:
    """Returns the distribution of a target's labels."""
    values, target = target_fit.labels.values, target_fit.target
    shown = values[_within_axis(values)]
    counts, edges = np.histogram(shown, bins=_bins(shown))
    low, q25, median, q75, high = (float(q) for q in np.quantile(values, (0, 0.25, 0.5, 0.75, 1)))
    std = float(values.std())
    skewness = float(np.mean(((values - values.mean()) / std) ** 3)) if std else 0.0
    distinct = len(np.unique(values))
    best = int(np.argmax(target.sign * values))
    found, advice = [], []
    if abs(skewness) > _SKEWED:
        found.append(("note", f"the labels are strongly skewed (skewness {skewness:.1f})"))
        if skewness > 0 and low > 0 and not _is_logarithm(target_fit):
            written = f"{'' if target.sign > 0 else '-'}log10({target.name})"
            text = f"The labels have a long upper tail: {written} has the same order and is easier to fit."
            advice.append({"kind": "skew", "text": text})
    if distinct < len(values) / 2:
        found.append(("note", f"the {len(values)} labels have only {plural(distinct, 'distinct value')}"))
    if target_fit.labels.missing:
        found.append(("note", f"{plural(len(target_fit.labels.missing), 'row')} without a label skipped"))
    if target_fit.labels.undefined:
        skipped = plural(len(target_fit.labels.undefined), "row")
        found.append(("warn", f"{skipped} skipped, where the equation has no finite value"))
    return {
        "count": len(values),
        "distinct": distinct,
        "missing": len(target_fit.labels.missing),
        "undefined": len(target_fit.labels.undefined),
        "min": low,
        "q25": q25,
        "median": median,
        "q75": q75,
        "max": high,
        "mean": float(values.mean()),
        "std": std,
        "skewness": skewness,
        "best": {"id": fit.table.ids[target_fit.labels.rows[best]], "label": float(values[best])},
        "histogram": {
            "edges": [float(e) for e in edges],
            "counts": [int(c) for c in counts],
            "beyond": len(values) - len(shown),
        },
        "health": health(found, f"{len(values)} labels, {distinct} of them distinct, without a heavy tail"),
        "next": advice,
    }


def _is_logarithm(target_fit: TargetFit | GraphTargetFit) -> bool:
    """Whether the fit is on a logarithm already, as those with ruined networks are."""
    from nasbuild.score import TargetFit

    return isinstance(target_fit, TargetFit) and target_fit.scorer.n_ruined > 0


def _within_axis(values: np.ndarray) -> np.ndarray:
    """Labels that a histogram shows, (labels,) bool: beside a few ruined networks, all others would be one bar."""
    low, middle, high = np.quantile(values, (0.05, 0.5, 0.95))
    if high <= low:
        return np.ones(len(values), dtype=bool)
    return np.abs(values - middle) <= _MARGIN * (high - low)


def scatter_data(fit: Fit | GraphFit, target_fit: TargetFit | GraphTargetFit) -> dict[str, Any] | None:
    """Returns the two quantities of a scatter plot of labels; None if the table has only one.

    These are the first two metrics of an equation, else the metric and another target, else another metric.
    """
    from nasbuild.table import GraphTable

    names = _pair(fit, target_fit)
    if names is None:
        return None
    axes = [(name, fit.table.columns[name]) for name in names]
    known = np.isfinite(axes[0][1]) & np.isfinite(axes[1][1])
    rows = target_fit.labels.rows[known[target_fit.labels.rows]]
    if len(rows) < 2:
        return None
    if len(rows) > _MOST_POINTS:
        rows = rows[np.linspace(0, len(rows) - 1, _MOST_POINTS).astype(int)]
    label = dict(zip(target_fit.labels.rows.tolist(), target_fit.labels.values.tolist(), strict=True))
    return {
        "axes": [{"name": n, "unit": _unit(fit, n), "values": [float(v) for v in c[rows]]} for n, c in axes],
        "labels": [label[int(row)] for row in rows],
        "what": "labelled network" if isinstance(fit.table, GraphTable) else "labelled architecture",
        "shaded": target_fit.target.metric is None,
        "of": len(target_fit.labels.rows),
    }


def _pair(fit: Fit | GraphFit, target_fit: TargetFit | GraphTargetFit) -> tuple[str, str] | None:
    metric, *more = target_fit.target.equation.names
    if more:
        return more[0], metric
    others = [name for one in fit.targets for name in one.target.equation.names]
    for name in [*others, *fit.table.metrics]:
        if name != metric:
            return name, metric
    return None


def _unit(fit: Fit | GraphFit, name: str) -> str:
    return fit.table.metrics[name].unit if name in fit.table.metrics else ""


def _bins(values: np.ndarray) -> np.ndarray:
    """Returns edges of equal bins by the Freedman-Diaconis rule, with a limited number of bins."""
    low, high = float(values.min()), float(values.max())
    q25, q75 = np.quantile(values, (0.25, 0.75))
    width = 2 * (q75 - q25) / len(values) ** (1 / 3)
    wanted = (high - low) / width if width > 0 else _FEWEST_BINS
    n = int(np.clip(np.ceil(wanted), _FEWEST_BINS, _MOST_BINS))
    return np.linspace(low, high, n + 1)
