"""Room ``score``: what matters. Feature choices, modules, trust in them, and the run that holds them."""

from nasbuild.score._additive import AdditiveScorer, fit_additive
from nasbuild.score._advice import Rival, better_method
from nasbuild.score._better_part import PartOrder, better_parts
from nasbuild.score._choices import choice_effects
from nasbuild.score._failure_rule import FailureRule, failure_rule
from nasbuild.score._failures import Failures, learn_failures
from nasbuild.score._features import ChoiceScore, feature_scores
from nasbuild.score._fit import Learnt, Prediction, Progress, Run, learn, predict
from nasbuild.score._fit_folder import load_run, save_run
from nasbuild.score._fit_schema import RUN as RUN_FILE
from nasbuild.score._fit_schema import SCHEMA_VERSION, versions
from nasbuild.score._fit_scorers import Fitted, absent_rivals, choice_scores, fit_rivals, fit_scorers
from nasbuild.score._fixed_parts import narrowed
from nasbuild.score._held_out import DEVIATIONS, Agreement, Evidence, HeldOut, evidence_of
from nasbuild.score._module_rows import module_rows
from nasbuild.score._modules import LabelStatistics, ModuleScorer, label_statistics, shifted
from nasbuild.score._scorer import Scorer, combined
from nasbuild.score._stage_scores import MAX_MODULES, StageScores, score_stage, score_stages
from nasbuild.score._suspect_labels import Suspect, suspect_labels
from nasbuild.score._tied_modules import COMPARED, member_scores, untold
from nasbuild.score._trust import METHOD_NAMES, Trust, measure_trust, part_text
from nasbuild.score.baselines import FoldedScorer, fit_baseline, fit_model

__all__ = [
    "COMPARED",
    "DEVIATIONS",
    "MAX_MODULES",
    "METHOD_NAMES",
    "RUN_FILE",
    "SCHEMA_VERSION",
    "AdditiveScorer",
    "Agreement",
    "ChoiceScore",
    "Evidence",
    "FailureRule",
    "Failures",
    "Fitted",
    "FoldedScorer",
    "HeldOut",
    "LabelStatistics",
    "Learnt",
    "ModuleScorer",
    "PartOrder",
    "Prediction",
    "Progress",
    "Rival",
    "Run",
    "Scorer",
    "StageScores",
    "Suspect",
    "Trust",
    "absent_rivals",
    "better_method",
    "better_parts",
    "choice_effects",
    "choice_scores",
    "combined",
    "evidence_of",
    "failure_rule",
    "feature_scores",
    "fit_additive",
    "fit_baseline",
    "fit_model",
    "fit_rivals",
    "fit_scorers",
    "label_statistics",
    "learn",
    "learn_failures",
    "load_run",
    "measure_trust",
    "member_scores",
    "module_rows",
    "narrowed",
    "part_text",
    "predict",
    "save_run",
    "score_stage",
    "score_stages",
    "shifted",
    "suspect_labels",
    "untold",
    "versions",
]
