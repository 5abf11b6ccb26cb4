"""Batches for several budgets, which take turns, and joint rows that show whether single changes add up."""

from __future__ import annotations

from collections.abc import Sequence

from nasbuild.builder import Bound, failure_bound, joint_design, knows_joint_rows
from nasbuild.errors import Infeasible
from nasbuild.optimize._next_batch import FAILURE_LIMITS, JOINT, SHARE, Candidate, next_batch
from nasbuild.score import LEAST_JOINT, Fit, count_tested_joint
from nasbuild.space import Architecture

JOINT_SHARE = 0.5
"""Share of a batch that shows whether effects add up, until enough joint rows do."""


def batch_by_turns(
    fit: Fit,
    n: int,
    seen: Sequence[Architecture],
    *,
    targets: Sequence[str],
    budgets: Sequence[Sequence[Bound]],
) -> list[Candidate]:
    """Returns up to ``n`` new candidates, of which each budget has its share.

    Budgets take turns, and the next batch begins with another one. The candidates for each are those of `next_batch`
    within it. In a table of single changes of which fewer than `nasbuild.score.LEAST_JOINT` joint rows can be held out,
    every second candidate of a batch is a joint row that tells most about interactions (`nasbuild.builder.joint_design`).

    Raises
    ------
    Infeasible
        If nothing is within any of the budgets, as far as they are known exactly.

    Examples
    --------
    >>> from nasbuild.builder import read_sweep
    >>> from nasbuild.optimize import batch_by_turns
    >>> seen = state.evaluated.architectures
    >>> batch = batch_by_turns(state.fit, 4, seen, targets=["acc"], budgets=read_sweep(["layers <= 3 | 4"]))
    >>> [sum(map(len, one.architecture)) for one in batch], [one.origin for one in batch]
    ([3, 4, 3, 4], ['built', 'built', 'proposed', 'proposed'])
    """
    tests = _joint_tests(fit, targets[0], n)
    if len(budgets) == 1 and not tests:
        return next_batch(fit, n, seen, targets=targets, bounds=budgets[0])
    taken, turn = list(seen), len(seen)
    queues: list[list[Candidate]] = []
    refused: list[Infeasible] = []
    order = [(turn + b) % len(budgets) for b in range(len(budgets))]
    # What one budget cannot fill falls to those after it, and at last to those before it.
    for place, b in enumerate([*order, *order]):
        wanted = _part(n, min(place + 1, len(order)), len(order)) - sum(map(len, queues))
        if wanted <= 0:
            continue
        tested = min(_part(tests, place + 1, len(order)) - _part(tests, place, len(order)), wanted)
        if place >= len(order):
            tested = 0
        found: list[Candidate] = []
        try:
            if tested > 0:
                rows = _joint_rows(fit, targets[0], tested, budgets[b], taken, turn + place)
                found += [Candidate(one, JOINT) for one in rows]
                taken += rows
            if more := wanted - len(found):
                share = (int(SHARE * more) + (place + turn) % 2 * (more % 2)) / more
                new = next_batch(fit, more, taken, share=share, targets=targets, bounds=budgets[b])
                taken += [one.architecture for one in new]
                found = [*new, *found]
        except Infeasible as error:
            refused.append(error)
        queues.append(found)
    if not any(queues) and refused:
        raise refused[0]
    return [queue[i] for i in range(n) for queue in queues if i < len(queue)][:n]


def _joint_rows(
    fit: Fit, target: str, n: int, bounds: Sequence[Bound], taken: Sequence[Architecture], seed: int
) -> list[Architecture]:
    """New joint rows, where evaluations are not more likely to fail than to succeed, if there are such rows."""
    for risk in ([failure_bound(FAILURE_LIMITS[1])], []) if fit.failures else ([],):
        rows = joint_design(fit, target, n, [*bounds, *risk], taken=taken, seed=seed)
        if rows:
            return [one.architecture for one in rows]
    return []


def _part(total: int, place: int, of: int) -> int:
    """How many of a total fall to the first ``place`` of so many shares."""
    return total // of * place + min(place, total % of)


def _joint_tests(fit: Fit, target: str, n: int) -> int:
    """How many of ``n`` candidates show whether effects add up."""
    scorer = fit.of(target).scorer
    if not knows_joint_rows(scorer):
        return 0
    tested = count_tested_joint(scorer.space, scorer.architectures)
    return 0 if tested >= LEAST_JOINT else min(max(1, round(JOINT_SHARE * n)), n)
