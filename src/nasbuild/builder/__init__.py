"""Room ``build``: what to build or to evaluate next by module scores, and the reduced space."""

from nasbuild.builder._best_context import best_in_company, best_of_modules, worth_in_company
from nasbuild.builder._bounded_costs import DEPTH, LAYERS, is_exact
from nasbuild.builder._bounds import (
    Bound,
    parse_bound,
    parse_bounds,
    read_bounds,
    read_sweep,
    shown_bounds,
)
from nasbuild.builder._built_rows import built_rows
from nasbuild.builder._by_prediction import ByPrediction, build_predicted
from nasbuild.builder._exhaustive import MOST, build_exhaustive, every_architecture, rank_every
from nasbuild.builder._failure_bound import FAILING, at_most
from nasbuild.builder._front import Front, build_front, swept_front
from nasbuild.builder._k_best_sums import best_sums
from nasbuild.builder._layerwise import is_deep
from nasbuild.builder._propose import propose
from nasbuild.builder._propose_bounded import propose_within, within_bounds
from nasbuild.builder._propose_equations import Aimed, propose_equations
from nasbuild.builder._reduced_space import Holds, holds_of_front, reduce_space
from nasbuild.builder._scored_modules import Columns
from nasbuild.builder._shortlist import Shortlisted, build_shortlisted
from nasbuild.builder._tied_features import tied_fits
from nasbuild.builder._topk import CHOSEN, POOL, Built, best_predicted, build, buildable, described
from nasbuild.builder._within_bounds import Within, build_within, expected, predicted_names

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
    "built_rows",
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
    "tied_fits",
    "within_bounds",
    "worth_in_company",
]
