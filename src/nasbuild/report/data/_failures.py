"""Plain data about failed evaluations: which choices go with failures that are not random."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from nasbuild.score import Fit
    from nasbuild.space import Architecture, Space

UNMEASURED = "If they were only not measured, build with --may-fail (in Python, may_fail=True)"
"""What to do where a value is missing for another reason than failure."""


def failures_data(fit: Fit) -> list[dict[str, Any]]:
    """Returns failure rules for missing values of target metrics; metrics missing in the same rows share one.

    Empty if no value is missing, or if the missing values look random.
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
            names = " and ".join(metrics)
            head = f"{rule['failed']:,} of {rule['evaluated']:,} rows have no value of {names} and count as failed evaluations"
            text = f"{head}: {rule['text']}. {UNMEASURED}."
            found.append({"metrics": metrics, **rule, "text": text})
    return found


def failing_data(
    space: Space, architectures: Sequence[Architecture], failed: np.ndarray
) -> dict[str, Any] | None:
    """Returns which choices go with failures (`rule_data`); None if failures look random.

    Examples
    --------
    >>> from nasbuild.report import failing_data
    >>> import numpy as np
    >>> deep = np.array([len(a.modules[0]) == 2 for a in table.architectures])
    >>> failing_data(space, table.architectures, failed=deep)["text"]
    '30 of 30 with layers >= 2 in stage1, 0 of 11 otherwise'
    """
    from nasbuild.score import fit_failures

    return rule_data(space, architectures, failed) if fit_failures(space, architectures, failed) else None


def rule_data(space: Space, architectures: Sequence[Architecture], failed: np.ndarray) -> dict[str, Any]:
    """Returns which choices go with non-random failures, as counts and as ``text``.

    ``conditions`` is empty if no one or two choices describe the failures.

    Examples
    --------
    >>> from nasbuild.report import rule_data
    >>> import numpy as np
    >>> deep = np.array([len(a.modules[0]) == 2 for a in table.architectures])
    >>> rule = rule_data(space, table.architectures, failed=deep)
    >>> rule["conditions"], rule["inside"], rule["otherwise"]
    (['layers >= 2 in stage1'], [30, 30], [0, 11])
    """
    from nasbuild.score import failure_rule

    rule = failure_rule(space, architectures, failed)
    counts: dict[str, Any] = {"evaluated": len(failed), "failed": int(failed.sum()), "conditions": []}
    if rule is None:
        return {
            **counts,
            "text": "which rows fail does not look like chance, but no one or two choices describe it",
        }
    return {
        **counts,
        "conditions": list(rule.conditions),
        "inside": [rule.failed, rule.count],
        "otherwise": [rule.other_failed, rule.other_count],
        "text": rule.text,
    }
