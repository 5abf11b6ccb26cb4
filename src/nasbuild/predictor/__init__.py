"""Room ``predictor``: what is learnt. Graph batches, FE-MLP, GNN, ranking losses, fit, ensemble, files."""

from nasbuild.predictor._batch import GraphBatch
from nasbuild.predictor._convolution import Convolution, convolution
from nasbuild.predictor._ensemble import Ensemble, Progress, fit_ensembles, plan_splits, weighted
from nasbuild.predictor._file import ensembles_from_bytes, ensembles_to_bytes
from nasbuild.predictor._fit import Member, Task, fit_member, last_norms, one_thread, outputs, srcc
from nasbuild.predictor._loss import Ranking, autobuild_loss, pearson, spearman
from nasbuild.predictor._network import FeatureEmbedding, Network, Shape
from nasbuild.predictor._recipe import RECIPES, Recipe, recipe
from nasbuild.predictor._soft_rank import soft_rank

__all__ = [
    "RECIPES",
    "Convolution",
    "Ensemble",
    "FeatureEmbedding",
    "GraphBatch",
    "Member",
    "Network",
    "Progress",
    "Ranking",
    "Recipe",
    "Shape",
    "Task",
    "autobuild_loss",
    "convolution",
    "ensembles_from_bytes",
    "ensembles_to_bytes",
    "fit_ensembles",
    "fit_member",
    "last_norms",
    "one_thread",
    "outputs",
    "pearson",
    "plan_splits",
    "recipe",
    "soft_rank",
    "spearman",
    "srcc",
    "weighted",
]
