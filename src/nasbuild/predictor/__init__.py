"""Room ``predictor``: what is learnt. Graph batches, FE-MLP, GNN, ranking losses, fit, ensemble, files."""

from nasbuild.predictor._batch import GraphBatch
from nasbuild.predictor._convolution import Convolution, convolution
from nasbuild.predictor._ensemble import Ensemble, Progress, fit_ensembles, plan_splits, weighted
from nasbuild.predictor._every import predict_every
from nasbuild.predictor._file import ensembles_from_bytes, ensembles_to_bytes
from nasbuild.predictor._fit import Member, Task, fit_member, last_norms, outputs, srcc
from nasbuild.predictor._fit_process import fit_process
from nasbuild.predictor._loss import Ranking, autobuild_loss, pearson, spearman
from nasbuild.predictor._network import FeatureEmbedding, Network, Shape
from nasbuild.predictor._pairs import Pairs
from nasbuild.predictor._process import Process
from nasbuild.predictor._process_file import process_from_arrays, process_to_arrays
from nasbuild.predictor._recipe import (
    KINDS,
    RECIPES,
    AdditiveRecipe,
    AnyRecipe,
    BaselineRecipe,
    OperatorRecipe,
    Recipe,
    recipe,
    recipe_from_dict,
    recipe_kind,
)
from nasbuild.predictor._settings import Baseline
from nasbuild.predictor._soft_rank import soft_rank
from nasbuild.predictor._threads import one_thread
from nasbuild.predictor._warp import Warp

__all__ = [
    "KINDS",
    "RECIPES",
    "AdditiveRecipe",
    "AnyRecipe",
    "Baseline",
    "BaselineRecipe",
    "Convolution",
    "Ensemble",
    "FeatureEmbedding",
    "GraphBatch",
    "Member",
    "Network",
    "OperatorRecipe",
    "Pairs",
    "Process",
    "Progress",
    "Ranking",
    "Recipe",
    "Shape",
    "Task",
    "Warp",
    "autobuild_loss",
    "convolution",
    "ensembles_from_bytes",
    "ensembles_to_bytes",
    "fit_ensembles",
    "fit_member",
    "fit_process",
    "last_norms",
    "one_thread",
    "outputs",
    "pearson",
    "plan_splits",
    "predict_every",
    "process_from_arrays",
    "process_to_arrays",
    "recipe",
    "recipe_from_dict",
    "recipe_kind",
    "soft_rank",
    "spearman",
    "srcc",
    "weighted",
]
