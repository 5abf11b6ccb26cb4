"""Room ``score``: what matters. Feature choices, modules, trust in them, and the run that holds them."""

from nasbuild.score._features import ChoiceScore, feature_scores
from nasbuild.score._module_rows import module_rows
from nasbuild.score._modules import LabelStatistics, ModuleScorer, label_statistics, shifted
from nasbuild.score._run import Learnt, Prediction, Progress, Run, learn, predict
from nasbuild.score._stage_scores import MAX_MODULES, StageScores, score_stage, score_stages
from nasbuild.score._store import SCHEMA_VERSION, load_run, save_run, versions
from nasbuild.score._trust import Agreement, Trust, measure_trust

__all__ = [
    "MAX_MODULES",
    "SCHEMA_VERSION",
    "Agreement",
    "ChoiceScore",
    "LabelStatistics",
    "Learnt",
    "ModuleScorer",
    "Prediction",
    "Progress",
    "Run",
    "StageScores",
    "Trust",
    "feature_scores",
    "label_statistics",
    "learn",
    "load_run",
    "measure_trust",
    "module_rows",
    "predict",
    "save_run",
    "score_stage",
    "score_stages",
    "shifted",
    "versions",
]
