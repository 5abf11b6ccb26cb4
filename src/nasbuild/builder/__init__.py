"""Room ``builder``: the best architectures by score or prediction, fronts, proposals, reduced spaces.

The examples of this room start from

>>> import numpy as np
>>> from nasbuild import score
>>> from nasbuild.builder import ScoredModules, read_bounds
>>> from nasbuild.predictor import recipe
>>> from nasbuild.table import load_builtin
>>> table = load_builtin("digits-macro").select(range(0, 1728, 43))
>>> fit = score.fit(table, ["acc", "macs"], recipe=recipe("ridge"), baselines=False)
>>> acc, space = fit["acc"], fit.space
>>> modules = ScoredModules(
...     space,
...     tuple([stage.code(rank) for rank in range(len(stage))] for stage in acc.stages),
...     tuple(stage.score[:, None] for stage in acc.stages),
... )
"""

from nasbuild.builder._best_context import best_context_modules, best_context_values, best_predicted_modules
from nasbuild.builder._bound_names import DEPTH, LAYERS, bounds_on_targets, is_exact
from nasbuild.builder._bounded_thompson import propose_within
from nasbuild.builder._bounds import (
    Bound,
    format_bounds,
    format_budgets,
    loosest_bounds,
    parse_bound,
    parse_bounds,
    read_bounds,
    read_sweep,
)
from nasbuild.builder._built_rows import built_rows
from nasbuild.builder._by_prediction import PredictedBuild, build_predicted
from nasbuild.builder._exhaustive import MAX_EXHAUSTIVE, architecture_at, build_exhaustive, exhaustive_values
from nasbuild.builder._failure_bound import FAILURE_LOG_ODDS, failure_bound
from nasbuild.builder._front import Front, build_front, front_by_score
from nasbuild.builder._joint_design import joint_design, knows_joint_rows, propose_jointly
from nasbuild.builder._joint_pool import is_large
from nasbuild.builder._k_best_sums import k_best_sums
from nasbuild.builder._layerwise import is_layerwise
from nasbuild.builder._propose_equations import ProposedEquation, propose_equations
from nasbuild.builder._reduced_space import FrontCoverage, front_coverage, reduce_space
from nasbuild.builder._scored_modules import ScoredModules
from nasbuild.builder._shortlist import Shortlist, build_shortlisted
from nasbuild.builder._thompson_sampling import propose
from nasbuild.builder._tied_features import fits_per_tie
from nasbuild.builder._topk import (
    PREDICTION_POOL,
    SELECTION_STD_FACTOR,
    Built,
    best_by_prediction,
    build,
    count_buildable,
    describe,
)
from nasbuild.builder._within_bounds import (
    BoundedBuild,
    build_within,
    expected_values,
    predicted_bound_names,
    within_bounds,
)

__all__ = [
    "DEPTH",
    "FAILURE_LOG_ODDS",
    "LAYERS",
    "MAX_EXHAUSTIVE",
    "PREDICTION_POOL",
    "SELECTION_STD_FACTOR",
    "Bound",
    "BoundedBuild",
    "Built",
    "Front",
    "FrontCoverage",
    "PredictedBuild",
    "ProposedEquation",
    "ScoredModules",
    "Shortlist",
    "architecture_at",
    "best_by_prediction",
    "best_context_modules",
    "best_context_values",
    "best_predicted_modules",
    "bounds_on_targets",
    "build",
    "build_exhaustive",
    "build_front",
    "build_predicted",
    "build_shortlisted",
    "build_within",
    "built_rows",
    "count_buildable",
    "describe",
    "exhaustive_values",
    "expected_values",
    "failure_bound",
    "fits_per_tie",
    "format_bounds",
    "format_budgets",
    "front_by_score",
    "front_coverage",
    "is_exact",
    "is_large",
    "is_layerwise",
    "joint_design",
    "k_best_sums",
    "knows_joint_rows",
    "loosest_bounds",
    "parse_bound",
    "parse_bounds",
    "predicted_bound_names",
    "propose",
    "propose_equations",
    "propose_jointly",
    "propose_within",
    "read_bounds",
    "read_sweep",
    "reduce_space",
    "within_bounds",
]
