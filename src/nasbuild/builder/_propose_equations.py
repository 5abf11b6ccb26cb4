"""Proposes equations of targets whose best architectures cover the predicted front."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nasbuild.builder._bounds import Bound
from nasbuild.builder._epsilon_constraint import sobol
from nasbuild.builder._front import Front, front_by_score
from nasbuild.builder._subset_selection import farthest_points
from nasbuild.builder._topk import require_positive
from nasbuild.errors import NasbuildError
from nasbuild.objective import Target
from nasbuild.score import Fit
from nasbuild.space import Architecture

_MIN_POOL, _POOL_PER_EQUATION = 40, 5  # architectures of the front that equations select from
_WEIGHTS = 256
_FORMS = ("{0}", "log10({0})")


@dataclass(frozen=True)
class ProposedEquation:
    """An equation, and the architecture that it would build.

    Attributes
    ----------
    text
        The equation, to be maximised.
    architecture
        The best by the equation along the front.
    prediction, std
        y' of each target for ``architecture`` and its standard deviation, (targets,).

    Examples
    --------
    >>> from nasbuild.builder import propose_equations
    >>> names, equations = propose_equations(fit, 3)
    >>> names, [equation.prediction.shape for equation in equations]
    (('acc', 'macs'), [(2,), (2,), (2,)])
    """

    text: str
    architecture: Architecture
    prediction: np.ndarray
    std: np.ndarray


def propose_equations(
    fit: Fit, n: int, *, targets: Sequence[str] = (), bounds: Sequence[Bound] = ()
) -> tuple[tuple[str, ...], list[ProposedEquation]]:
    """Proposes up to ``n`` equations whose best architectures lie far apart along the predicted front.

    The paper writes such equations by hand and leaves finding them to future work (section 5.1). Here,
    weighted sums of the targets are tried over a grid of weights, and also of their logarithms if all
    values are positive. An equation builds its best architecture on the front of summed scores
    (`front_by_score`). Among weights that build the same, the middle ones are taken; among forms, the
    simpler one.

    Parameters
    ----------
    targets
        Names of targets of the fit; all if empty.
    bounds
        On targets: the prediction of what an equation builds must be within them.

    Returns
    -------
    Names of the targets, and the equations, best first by the first target.

    Raises
    ------
    NasbuildError
        If ``n`` is below 1, there are fewer than two targets, a name is not valid in an equation, or
        no equation builds within the bounds.

    Examples
    --------
    >>> from nasbuild.builder import propose_equations
    >>> names, equations = propose_equations(fit, 3)
    >>> names, len(equations), "acc" in equations[0].text
    (('acc', 'macs'), 3, True)
    """
    require_positive("the number of equations", n)
    front = front_by_score(fit, max(_MIN_POOL, _POOL_PER_EQUATION * n), targets=targets)
    for bound in bounds:
        if bound.name not in front.targets:
            raise NasbuildError(
                f"{bound.name!r} is not a target of these equations",
                where=f"--where {str(bound)!r}",
                allowed=front.targets,
            )
    aimed = [fit.of(name).target for name in front.targets]
    signs = np.array([target.sign for target in aimed], dtype=np.float64)
    found = _by_position(front, signs, [_operand(target) for target in aimed])
    inside = [
        i
        for i in found
        if all(b.sign * (front.prediction[i, front.targets.index(b.name)] - b.value) <= 0 for b in bounds)
    ]
    if not inside:
        raise NasbuildError(
            "no equation would build within the bounds",
            where="--where",
            todo="widen them, or use nasbuild build --front with them",
        )
    chosen = [inside[i] for i in farthest_points(front.prediction[inside] * signs, n)]
    # The front is ordered by the first target, best first.
    return front.targets, [
        ProposedEquation(found[i], front.architectures[i], front.prediction[i], front.std[i])
        for i in sorted(chosen)
    ]


def _by_position(front: Front, signs: np.ndarray, operands: Sequence[str]) -> dict[int, str]:
    """For each position on the front that some equation selects, that equation."""
    values, found = front.prediction, dict[int, str]()
    for form in _FORMS:
        if form != _FORMS[0] and (values <= 0).any():
            continue
        moved = values if form == _FORMS[0] else np.log10(values)
        span = np.ptp(moved, axis=0)
        scaled = _weights(len(signs)) * signs / np.where(span > 0, span, 1)
        # Coefficients are tried as they are written: the first is 1, the others have three digits.
        written = np.array([[float(f"{c:.3g}") for c in row / abs(row[0])] for row in scaled])
        best: dict[int, list[int]] = {}
        for row, position in enumerate(np.argmax(moved @ written.T, axis=0)):
            best.setdefault(int(position), []).append(row)
        for position, rows in best.items():
            middle = written[rows[len(rows) // 2]]
            found.setdefault(position, _text(middle, [form.format(name) for name in operands]))
    return found


def _weights(targets: int) -> np.ndarray:
    """Positive weights that sum to 1, (equations, targets)."""
    if targets == 2:
        first = np.linspace(0, 1, _WEIGHTS + 2)[1:-1, None]
        return np.hstack([first, 1 - first])
    points = np.sort(sobol(targets - 1, _WEIGHTS), axis=1)
    edges = np.hstack([np.zeros((len(points), 1)), points, np.ones((len(points), 1))])
    return np.maximum(np.diff(edges, axis=1), 1 / _WEIGHTS)


def _text(coefficients: np.ndarray, operands: Sequence[str]) -> str:
    """The weighted sum as text; the first coefficient is 1 or -1."""
    text = operands[0] if coefficients[0] > 0 else f"-{operands[0]}"
    for value, name in zip(coefficients[1:], operands[1:], strict=True):
        text += f" {'+' if value > 0 else '-'} {abs(value):.3g} * {name}"
    return text


def _operand(target: Target) -> str:
    """A target as an operand of an equation."""
    if target.metric is None:
        return f"({target.name})"
    if not target.name.isidentifier():
        raise NasbuildError(
            f"metric {target.name!r} can't stand in an equation",
            todo="rename it with letters, digits and _",
        )
    return target.name
