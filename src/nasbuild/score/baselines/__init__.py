"""Baselines for the scores: ridge regression, LightGBM, marginal means, PED-ANOVA."""

from nasbuild.score.baselines._boosted import Boosted, fit_boosted
from nasbuild.score.baselines._folded import FoldedScorer, fit_baseline, fit_model, held_out_baseline
from nasbuild.score.baselines._linear import Linear, fit_marginal, fit_ridge
from nasbuild.score.baselines._one_hot import Columns, columns_of
from nasbuild.score.baselines._ped_anova import ped_anova

__all__ = [
    "Boosted",
    "Columns",
    "FoldedScorer",
    "Linear",
    "columns_of",
    "fit_baseline",
    "fit_boosted",
    "fit_marginal",
    "fit_model",
    "fit_ridge",
    "held_out_baseline",
    "ped_anova",
]
