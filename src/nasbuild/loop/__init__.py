"""Room ``loop``: draw, evaluate, learn, build, evaluate, until the budget is spent."""

from nasbuild.loop._live import AFRESH, APART, LIVE, Choice, Gap, Live, live
from nasbuild.loop._next import (
    BUILT,
    NEAREST,
    PROPOSED,
    RANDOM,
    RISK,
    Asked,
    next_batch,
    random_batch,
)
from nasbuild.loop._race import Race, Racer, promising, race
from nasbuild.loop._rounds import Evaluated, LoopSettings, Round, Told
from nasbuild.loop._run import FIT, State, run_loop

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
    "State",
    "Told",
    "live",
    "next_batch",
    "promising",
    "race",
    "random_batch",
    "run_loop",
]
