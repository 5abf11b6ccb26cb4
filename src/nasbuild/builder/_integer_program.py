"""The knapsack problem as an integer program, solved by HiGHS."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.optimize import LinearConstraint, milp
from scipy.sparse import csr_matrix

from nasbuild.builder._knapsack_problem import Problem, rounding_slack


def integer_program(
    problem: Problem, before: Sequence[np.ndarray], apart: int, nodes: int | None = None
) -> Any:
    """Solves the problem as an integer program with HiGHS, to be minimised; stops after ``nodes`` nodes."""
    sizes = [len(s) for s in problem.scores]
    starts = np.concatenate([[0], np.cumsum(sizes)])
    stage = np.repeat(np.arange(problem.stages), sizes)
    one = csr_matrix((np.ones(starts[-1]), (stage, np.arange(starts[-1]))))
    constraints = [LinearConstraint(one, 1, 1)]
    if len(problem.bounds):
        constraints.append(
            LinearConstraint(
                np.concatenate(problem.costs).T, ub=(problem.bounds + rounding_slack(problem)).tolist()
            )
        )
    if before:
        columns = np.concatenate([pick + starts[:-1] for pick in before])
        rows = np.repeat(np.arange(len(before)), problem.stages)
        cuts = csr_matrix((np.ones(len(columns)), (rows, columns)), shape=(len(before), starts[-1]))
        constraints.append(LinearConstraint(cuts, -np.inf, problem.stages - max(apart, 1)))
    return milp(
        -np.concatenate(problem.scores),
        constraints=constraints,
        integrality=np.ones(starts[-1]),
        bounds=(0, 1),
        options={"mip_rel_gap": 0.0, **({} if nodes is None else {"node_limit": nodes})},
    )
