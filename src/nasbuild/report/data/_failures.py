"""Plain data about evaluations that failed: which choices go with that, where it is no bad luck."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from nasbuild.score import Fit
    from nasbuild.space import Architecture, Space


def failures_data(fit: Fit) -> list[dict[str, Any]]:
    """Metrics of targets that rows have no value of, where choices go with that: metrics that lack the same rows together.

    Nothing where no value is missing, or where nothing tells it from bad luck.
    """
    names = dict.fromkeys(n for target_fit in fit.targets for n in target_fit.target.equation.names)
    lacking: dict[bytes, list[str]] = {}
    for name in names:
        missing = np.isnan(fit.table.columns[name]) if name in fit.table.columns else np.zeros(0, dtype=bool)
        if missing.any():
            lacking.setdefault(missing.tobytes(), []).append(name)
    found = []
    for mask, metrics in lacking.items():
        rule = failing_data(fit.space, fit.table.architectures, np.frombuffer(mask, dtype=bool))
        if rule is not None:
            of = " and ".join(metrics)
            head = f"{rule['failed']:,} of {rule['evaluated']:,} rows have no value of {of}, as of evaluations that failed"
            found.append({"metrics": metrics, **rule, "text": f"{head}: {rule['text']}."})
    return found


def failing_data(
    space: Space, architectures: Sequence[Architecture], failed: np.ndarray
) -> dict[str, Any] | None:
    """Which choices go with failure (`rule_data`); None where nothing tells failures from bad luck."""
    from nasbuild.score import fit_failures

    return rule_data(space, architectures, failed) if fit_failures(space, architectures, failed) else None


def rule_data(space: Space, architectures: Sequence[Architecture], failed: np.ndarray) -> dict[str, Any]:
    """Which choices go with failure, in counts and as ``text``, where that is known to be no bad luck.

    Where no choice, nor two of them, tell of it, ``conditions`` are empty.
    """
    from nasbuild.score import failure_rule

    rule = failure_rule(space, architectures, failed)
    told: dict[str, Any] = {"evaluated": len(failed), "failed": int(failed.sum()), "conditions": []}
    if rule is None:
        return {**told, "text": "choices go with it, but no one or two of them tell where"}
    return {
        **told,
        "conditions": list(rule.conditions),
        "inside": [rule.failed, rule.count],
        "otherwise": [rule.other_failed, rule.other_count],
        "text": rule.text,
    }
