"""Room ``optimize``: the closed loop of evaluating, fitting and building, until the budget is spent.

``nasbuild.optimize(...)`` calls `nasbuild.api.optimize`.
"""

from nasbuild._callable_room import make_callable
from nasbuild.optimize._live_demo import AFRESH, APART, LIVE, Choice, Gap, Live, live
from nasbuild.optimize._loop import FIT, State, optimize
from nasbuild.optimize._next_batch import (
    BUILT,
    NEAREST,
    PROPOSED,
    RANDOM,
    RISK,
    Asked,
    next_batch,
    random_batch,
)
from nasbuild.optimize._race import Race, Racer, promising, race
from nasbuild.optimize._round_summary import Evaluated, LoopSettings, Round, Told
from nasbuild.optimize._search_folder import SearchFolder

__all__ = [
    "AFRESH",
    "APART",
    "BUILT",
    "FIT",
    "LIVE",
    "NEAREST",
    "PROPOSED",
    "RANDOM",
    "RISK",
    "Asked",
    "Choice",
    "Evaluated",
    "Gap",
    "Live",
    "LoopSettings",
    "Race",
    "Racer",
    "Round",
    "SearchFolder",
    "State",
    "Told",
    "live",
    "next_batch",
    "optimize",
    "promising",
    "race",
    "random_batch",
]

make_callable(__name__)
