"""Room ``build``: what to build or to evaluate next by module scores, and the reduced space."""

from nasbuild.build._best import CHOSEN, POOL, Built, best_predicted, build, buildable, described
from nasbuild.build._best_sums import best_sums
from nasbuild.build._bound import (
    Bound,
    parse_bound,
    parse_bounds,
    read_bounds,
    read_sweep,
    shown_bounds,
)
from nasbuild.build._columns import Columns
from nasbuild.build._company import best_in_company, best_of_modules, worth_in_company
from nasbuild.build._costs import DEPTH, LAYERS, is_exact
from nasbuild.build._deep import is_deep
from nasbuild.build._equations import Aimed, propose_equations
from nasbuild.build._exhaustive import MOST, build_exhaustive, every_architecture, rank_every
from nasbuild.build._failing import FAILING, at_most
from nasbuild.build._front import Front, build_front, swept_front
from nasbuild.build._predicted import ByPrediction, build_predicted
from nasbuild.build._propose import propose
from nasbuild.build._propose_within import propose_within, within_bounds
from nasbuild.build._reduce import Holds, holds_of_front, reduce_space
from nasbuild.build._shortlist import Shortlisted, build_shortlisted
from nasbuild.build._tied import tied_runs
from nasbuild.build._where import Within, build_within, expected, predicted_names

__all__ = [
    "CHOSEN",
    "DEPTH",
    "FAILING",
    "LAYERS",
    "MOST",
    "POOL",
    "Aimed",
    "Bound",
    "Built",
    "ByPrediction",
    "Columns",
    "Front",
    "Holds",
    "Shortlisted",
    "Within",
    "at_most",
    "best_in_company",
    "best_of_modules",
    "best_predicted",
    "best_sums",
    "build",
    "build_exhaustive",
    "build_front",
    "build_predicted",
    "build_shortlisted",
    "build_within",
    "buildable",
    "described",
    "every_architecture",
    "expected",
    "holds_of_front",
    "is_deep",
    "is_exact",
    "parse_bound",
    "parse_bounds",
    "predicted_names",
    "propose",
    "propose_equations",
    "propose_within",
    "rank_every",
    "read_bounds",
    "read_sweep",
    "reduce_space",
    "shown_bounds",
    "swept_front",
    "tied_runs",
    "within_bounds",
    "worth_in_company",
]
