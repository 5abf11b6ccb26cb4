"""Room ``optimize``: the closed loop of evaluating, fitting and building, until the budget is spent.

``nasbuild.optimize(...)`` calls `nasbuild.api.optimize`.
"""

from nasbuild._callable_room import make_callable
from nasbuild.optimize._ask import plan_round
from nasbuild.optimize._learn import Learnt, learn, with_costs
from nasbuild.optimize._live_demo import (
    FRESH_TRAININGS,
    LIVE_SETTINGS,
    SIGNIFICANT_ERRORS,
    LiveChoice,
    LiveResult,
    LossGap,
    live_demo,
)
from nasbuild.optimize._loop import FIT, LoopState, optimize
from nasbuild.optimize._next_batch import (
    BUILT,
    FAILURE_LIMITS,
    NEAREST,
    PROPOSED,
    RANDOM,
    Candidate,
    next_batch,
    random_batch,
)
from nasbuild.optimize._race import Race, Racer, most_promising, race
from nasbuild.optimize._round_summary import (
    Evaluations,
    LoopSettings,
    RoundPlan,
    RoundSummary,
    best_rows,
    gather_rounds,
)
from nasbuild.optimize._search_folder import SearchFolder

__all__ = [
    "BUILT",
    "FAILURE_LIMITS",
    "FIT",
    "FRESH_TRAININGS",
    "LIVE_SETTINGS",
    "NEAREST",
    "PROPOSED",
    "RANDOM",
    "SIGNIFICANT_ERRORS",
    "Candidate",
    "Evaluations",
    "Learnt",
    "LiveChoice",
    "LiveResult",
    "LoopSettings",
    "LoopState",
    "LossGap",
    "Race",
    "Racer",
    "RoundPlan",
    "RoundSummary",
    "SearchFolder",
    "best_rows",
    "gather_rounds",
    "learn",
    "live_demo",
    "most_promising",
    "next_batch",
    "optimize",
    "plan_round",
    "race",
    "random_batch",
    "with_costs",
]

make_callable(__name__)
