"""Room ``optimize``: the closed loop of evaluating, fitting and building, until the budget is spent.

``nasbuild.optimize(...)`` calls `nasbuild.api.optimize`.

The examples of this room start from

>>> from pathlib import Path
>>> from nasbuild.evaluate import Result, Spec, Store
>>> from nasbuild.optimize import LoopSettings, optimize
>>> from nasbuild.predictor import recipe
>>> from nasbuild.search import parse_goal
>>> from nasbuild.space import load_space, sample
>>> space = load_space("digits-macro")
>>> first, second = sample(space, 2, 0)
>>> spec = Spec("digits-macro", space)  # looks architectures up in the built-in table
>>> goal = parse_goal(space, ["acc"], ["macs <= 200000"], space.metrics)
>>> settings = LoopSettings(rounds=1, batch=8, race=4)
>>> store = Store("runs.db", space, spec.name)
>>> state = optimize(Path("loop"), spec, goal, settings, store, recipe=recipe("ridge"))
>>> store.close()
"""

from nasbuild._callable_room import make_callable
from nasbuild.optimize._ask import plan_round
from nasbuild.optimize._budget_turns import batch_by_turns
from nasbuild.optimize._learn import Learned, learn, with_costs
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
from nasbuild.optimize._loop_settings import LoopSettings
from nasbuild.optimize._next_batch import (
    BUILT,
    FAILURE_LIMITS,
    JOINT,
    NEAREST,
    PROPOSED,
    RANDOM,
    REFERENCE,
    SINGLE,
    Candidate,
    next_batch,
    random_batch,
)
from nasbuild.optimize._race import Race, Racer, most_promising, race
from nasbuild.optimize._reference_start import changed_batch, count_singles, left_of_start, reference_start
from nasbuild.optimize._round_summary import (
    BudgetBest,
    Evaluations,
    RoundPlan,
    RoundSummary,
    best_rows,
    best_within_budgets,
    gather_rounds,
)
from nasbuild.optimize._search_folder import SearchFolder

__all__ = [
    "BUILT",
    "FAILURE_LIMITS",
    "FIT",
    "FRESH_TRAININGS",
    "JOINT",
    "LIVE_SETTINGS",
    "NEAREST",
    "PROPOSED",
    "RANDOM",
    "REFERENCE",
    "SIGNIFICANT_ERRORS",
    "SINGLE",
    "BudgetBest",
    "Candidate",
    "Evaluations",
    "Learned",
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
    "batch_by_turns",
    "best_rows",
    "best_within_budgets",
    "changed_batch",
    "count_singles",
    "gather_rounds",
    "learn",
    "left_of_start",
    "live_demo",
    "most_promising",
    "next_batch",
    "optimize",
    "plan_round",
    "race",
    "random_batch",
    "reference_start",
    "with_costs",
]

make_callable(__name__)
