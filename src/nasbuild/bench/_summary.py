"""Summary tables of a result: means over draws, leads and gaps."""

from __future__ import annotations

from typing import Any

import numpy as np

from nasbuild.bench._cells import METHODS, Cell, cells

FIGURES = {
    "fidelity": "fidelity of module scores",
    "held_out": "SRCC of summed module scores",
    "prediction": "SRCC of prediction y'",
    "best_rank": "true rank of the best of 27",
    "company_rank": "true rank of the best of 27, modules by their best company",
    "predicted_rank": "true rank of the best of 27, all chosen by y'",
    "best_value": "label of the best of the combined",
    "company_value": "label of the best of the combined, modules by their best company",
    "predicted_value": "label of the best of as many, all chosen by y'",
    "coverage": "share of labels in 90 % intervals",
}
_ADDITIVE = ("ridge", "lightgbm")


def summary(result: dict[str, Any]) -> list[tuple[list[str], list[list[str]]]]:
    """A table for each figure, a row for each cell, a column for each method; draws in brackets where some are missing.

    Examples
    --------
    >>> from nasbuild.bench import summary
    >>> [(columns, rows)] = summary(result)
    >>> columns
    ["SRCC of prediction y'", 'default', 'ridge', 'lightgbm']
    >>> rows
    [['digits-macro loss 50', '0.900', '0.800', '0.950']]
    """
    found = []
    for key, title in FIGURES.items():
        values = values_of(result, key)
        methods = [m for m in METHODS if any(m == method for _, method in values)]
        rows = [
            [cell.name, *(_mean_text(values.get((cell.name, m)), cell.draws) for m in methods)]
            for same in cells_of(values).values()
            for cell in same
        ]
        if rows:
            found.append(([title, *methods], rows))
    return found


def margins(result: dict[str, Any]) -> list[str]:
    """Leads of recipe ``default``, over all cells and draws that all compared methods have.

    Examples
    --------
    >>> from nasbuild.bench import margins
    >>> margins(result)[0]
    "SRCC of prediction y': default leads LightGBM's by -0.0500 on average over 1 cells; least in digits-macro loss 50: -0.0500"
    """
    lines = []
    for key in ("fidelity", "held_out"):
        lines += _lead_lines(result, key, "the better of ridge and LightGBM", _ADDITIVE)
        lines += _lead_lines(result, key, "paper", ("paper",))
    lines += _lead_lines(result, "prediction", "LightGBM's", ("lightgbm",))
    every = _measured(result, "prediction")
    return lines + _lead_lines(result, "prediction", "the best other method's", every, some=True)


def _measured(result: dict[str, Any], key: str) -> tuple[str, ...]:
    """Methods other than ``default`` that have a figure anywhere."""
    found = {row["method"] for row in result["rows"] if key in row}
    return tuple(m for m in METHODS if m != "default" and m in found)


def behind(result: dict[str, Any], key: str, least: float = 0.005) -> list[tuple[str, str, float]]:
    """Cells in which another method leads ``default`` by more than ``least``: cell, best method, lead of its mean.

    Each method is compared on the draws that it shares with ``default``.

    Examples
    --------
    >>> from nasbuild.bench import behind
    >>> [(where, method, round(lead, 3)) for where, method, lead in behind(result, "prediction")]
    [('digits-macro loss 50', 'lightgbm', 0.05)]
    """
    worst: dict[str, tuple[str, float]] = {}
    for method in _measured(result, key):
        for cell, lead in _leads(result, key, (method,)).items():
            if -lead > max(least, worst.get(cell, ("", 0.0))[1]):
                worst[cell] = method, -lead
    return [(cell, method, gap) for cell, (method, gap) in worst.items()]


def _lead_lines(
    result: dict[str, Any], key: str, whom: str, others: tuple[str, ...], *, some: bool = False
) -> list[str]:
    lead = _leads(result, key, others, some=some)
    if not lead:
        return []
    worst = min(lead, key=lambda cell: lead[cell])
    mean = float(np.mean(list(lead.values())))
    lead_text = f"{FIGURES[key]}: default leads {whom} by {mean:+.4f} on average over {len(lead)} cells"
    return [f"{lead_text}; least in {worst}: {lead[worst]:+.4f}"]


def _leads(
    result: dict[str, Any], key: str, others: tuple[str, ...], *, some: bool = False
) -> dict[str, float]:
    """Mean of ``default`` minus the best mean of the others, on the draws that all of them have.

    With ``some``, only methods that were measured in a cell count there.
    """
    of: dict[tuple[str, str], dict[int, float]] = {}
    for row in result["rows"]:
        if key in row:
            of.setdefault((row["cell"], row["method"]), {})[row["draw"]] = row[key]
    leads = {}
    for cell in dict.fromkeys(row["cell"] for row in result["rows"]):
        sides = [of.get((cell, m), {}) for m in ("default", *others)]
        if some:
            sides = [sides[0], *(side for side in sides[1:] if side)]
        if len(sides) < 2:
            continue
        common = set.intersection(*(set(side) for side in sides))
        if common:
            means = [float(np.mean([side[d] for d in sorted(common)])) for side in sides]
            leads[cell] = means[0] - max(means[1:])
    return leads


def cells_of(values: dict[tuple[str, str], list[float]]) -> dict[tuple[str, str], list[Cell]]:
    """Cells that were measured, by table and target, in order of size.

    Examples
    --------
    >>> from nasbuild.bench import cells_of, values_of
    >>> {where: [cell.size for cell in same] for where, same in cells_of(values_of(result, "prediction")).items()}
    {('digits-macro', 'loss'): [50]}
    """
    found: dict[tuple[str, str], list[Cell]] = {}
    for cell in cells():
        if any((cell.name, m) in values for m in METHODS):
            found.setdefault((cell.table, cell.target), []).append(cell)
    return found


def values_of(result: dict[str, Any], key: str) -> dict[tuple[str, str], list[float]]:
    """Values of a figure over the draws, by cell and method.

    Examples
    --------
    >>> from nasbuild.bench import values_of
    >>> values_of(result, "prediction")[cell.name, "ridge"][:3]
    [0.8, 0.8, 0.8]
    """
    found: dict[tuple[str, str], list[float]] = {}
    for row in result["rows"]:
        if key in row:
            found.setdefault((row["cell"], row["method"]), []).append(row[key])
    return found


def _mean_text(values: list[float] | None, draws: int) -> str:
    if not values:
        return "-"
    mean = float(np.mean(values))
    text = f"{mean:.3f}" if abs(mean) < 10 else f"{mean:.1f}"
    return text if len(values) >= draws else f"{text} ({len(values)})"
