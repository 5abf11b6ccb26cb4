"""Room ``optimize``: the closed loop of fitting, proposing and evaluating until the budget is spent."""

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
from nasbuild.optimize._round_summary import Evaluations, LoopSettings, RoundPlan, RoundSummary
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
    "live_demo",
    "most_promising",
    "next_batch",
    "optimize",
    "race",
    "random_batch",
]
