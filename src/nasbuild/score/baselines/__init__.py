"""Baselines for the scores: ridge regression, LightGBM, marginal means, PED-ANOVA.

The examples of this package start from

>>> import numpy as np
>>> from nasbuild.score import baselines
>>> from nasbuild.space import module_codes
>>> from nasbuild.table import load_builtin
>>> table = load_builtin("digits-macro").select(range(0, 1728, 43))
>>> space, architectures, labels = table.space, table.architectures, table.columns["acc"]
>>> linear = baselines.fit_ridge(space, architectures, labels)
>>> single_layers = module_codes(space.stages[0], depth=1)  # (3 modules, depth 1, 1 feature)
"""

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
