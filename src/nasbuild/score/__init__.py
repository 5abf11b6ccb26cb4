"""Room ``score``: what matters. Scores of feature choices and modules, trust in them, fits, and fit folders.

The examples of this room start from

>>> import numpy as np
>>> from nasbuild import score
>>> from nasbuild.predictor import recipe
>>> from nasbuild.space import module_codes
>>> from nasbuild.table import load_builtin
>>> table = load_builtin("digits-macro").select(range(0, 1728, 43))
>>> space, labels = table.space, table.columns["acc"]
>>> fit = score.fit(table, ["acc"], baselines=False)
>>> acc = fit["acc"]
>>> scorer = acc.scorer
>>> ridge, held_out = score.fit_baseline(space, table.architectures, labels, recipe("ridge"))
>>> failed = np.array([len(a.modules[0]) == 2 for a in table.architectures])
>>> failures = score.fit_failures(space, table.architectures, failed)
>>> single_layers = module_codes(space.stages[0], depth=1)  # (3 modules, depth 1, 1 feature)
"""

from nasbuild._atomic_write import FIT_FILE
from nasbuild.score._additive_scorer import AdditiveScorer, fit_additive, fit_additive_with_proxy
from nasbuild.score._any_fit import AnyFit, AnyTargetFit
from nasbuild.score._better_method import Baseline, better_method
from nasbuild.score._better_part import PartOrder, better_parts
from nasbuild.score._choice_effects import choice_effects
from nasbuild.score._comparison import Comparison, Contribution, compare_architectures
from nasbuild.score._failure_rule import FailureRule, failure_rule
from nasbuild.score._failures import Failures, fit_failures
from nasbuild.score._feature_scores import ChoiceScore, feature_scores
from nasbuild.score._fit import Fit, Prediction, Progress, TargetFit, fit, predict
from nasbuild.score._fit_file import SCHEMA_VERSION, versions
from nasbuild.score._fit_folder import load_fit, save_fit
from nasbuild.score._fit_rows import fit_rows
from nasbuild.score._fit_scorers import Fitted, absent_baselines, choice_scores, fit_baselines, fit_scorers
from nasbuild.score._gnn_scorer import GNNScorer, LabelStatistics, label_statistics, shifted
from nasbuild.score._held_out import (
    DEVIATIONS,
    LEAST_JOINT,
    Agreement,
    Evidence,
    HeldOut,
    count_tested_joint,
    evidence_of,
)
from nasbuild.score._interactions import interactions
from nasbuild.score._known_noise import known_noise
from nasbuild.score._module_rows import module_rows
from nasbuild.score._prediction_rows import prediction_rows
from nasbuild.score._proxy import ProxyLabels, ProxyWorth
from nasbuild.score._restricted_fit import restrict_fit
from nasbuild.score._rows_without_values import rows_without_values, with_failures
from nasbuild.score._scorer import Scorer, sums_of_combinations
from nasbuild.score._stage_scores import MAX_MODULES, StageScores, score_stage, score_stages
from nasbuild.score._suspect_labels import SuspectLabel, suspect_labels
from nasbuild.score._tied_modules import COMPARED, member_scores_at, n_tied, tied_ranks
from nasbuild.score._trust import METHOD_NAMES, Trust, better_part_text, measure_trust
from nasbuild.score.baselines import FoldedScorer, fit_baseline, fit_model

__all__ = [
    "COMPARED",
    "DEVIATIONS",
    "FIT_FILE",
    "LEAST_JOINT",
    "MAX_MODULES",
    "METHOD_NAMES",
    "SCHEMA_VERSION",
    "AdditiveScorer",
    "Agreement",
    "AnyFit",
    "AnyTargetFit",
    "Baseline",
    "ChoiceScore",
    "Comparison",
    "Contribution",
    "Evidence",
    "FailureRule",
    "Failures",
    "Fit",
    "Fitted",
    "FoldedScorer",
    "GNNScorer",
    "HeldOut",
    "LabelStatistics",
    "PartOrder",
    "Prediction",
    "Progress",
    "ProxyLabels",
    "ProxyWorth",
    "Scorer",
    "StageScores",
    "SuspectLabel",
    "TargetFit",
    "Trust",
    "absent_baselines",
    "better_method",
    "better_part_text",
    "better_parts",
    "choice_effects",
    "choice_scores",
    "compare_architectures",
    "count_tested_joint",
    "evidence_of",
    "failure_rule",
    "feature_scores",
    "fit",
    "fit_additive",
    "fit_additive_with_proxy",
    "fit_baseline",
    "fit_baselines",
    "fit_failures",
    "fit_model",
    "fit_rows",
    "fit_scorers",
    "interactions",
    "known_noise",
    "label_statistics",
    "load_fit",
    "measure_trust",
    "member_scores_at",
    "module_rows",
    "n_tied",
    "predict",
    "prediction_rows",
    "restrict_fit",
    "rows_without_values",
    "save_fit",
    "score_stage",
    "score_stages",
    "shifted",
    "sums_of_combinations",
    "suspect_labels",
    "tied_ranks",
    "versions",
    "with_failures",
]
