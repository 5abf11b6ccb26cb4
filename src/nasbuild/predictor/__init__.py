"""Room ``predictor``: the models. The additive Gaussian process, the graph network of the paper, recipes and files.

The examples of this room start from

>>> import numpy as np
>>> import torch
>>> from nasbuild.predictor import fit_additive_gp, fit_ensembles, recipe
>>> from nasbuild.space import encode, graph_schema, module_codes
>>> from nasbuild.table import load_builtin
>>> table = load_builtin("digits-macro").select(range(0, 1728, 43))
>>> space, architectures, labels = table.space, table.architectures, table.columns["acc"]
>>> gp = fit_additive_gp(space, architectures, labels, recipe("default"))
>>> small = recipe("paper", epochs=2, width=4, hops=2, folds=2, repeats=1)
>>> schema, graphs = graph_schema(space), encode(space, architectures)
>>> shape = small.shape(space.max_depth)
>>> [ensemble] = fit_ensembles(schema, shape, [(graphs, labels)], small)
>>> network = ensemble.networks[0]
"""

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
from nasbuild.predictor._settings import BaselineName
from nasbuild.predictor._threads import one_thread
from nasbuild.predictor.additive_gp._additive_gp import AdditiveGP
from nasbuild.predictor.additive_gp._fit_gp import fit_additive_gp
from nasbuild.predictor.additive_gp._fit_proxy import fit_with_proxy
from nasbuild.predictor.additive_gp._gp_arrays import additive_gp_from_arrays, additive_gp_to_arrays
from nasbuild.predictor.additive_gp._improving_changes import count_improving_changes, improving_changes
from nasbuild.predictor.additive_gp._interpolated_choices import interpolated_choices
from nasbuild.predictor.additive_gp._low_rank_pairs import Pairs
from nasbuild.predictor.additive_gp._pair_columns import PartChoice
from nasbuild.predictor.additive_gp._pair_effects import PairEffect, PairEffects, pair_effects
from nasbuild.predictor.additive_gp._proxy_sizes import LEAST_BOTH, proxy_changes
from nasbuild.predictor.additive_gp._ruined_rows import RUINED, ruined_rows
from nasbuild.predictor.additive_gp._single_changes import LEAST_SINGLES, single_changes
from nasbuild.predictor.additive_gp._warp import Warp
from nasbuild.predictor.gnn._convolution import Convolution, convolution
from nasbuild.predictor.gnn._ensemble import Ensemble, Progress, fit_ensembles, plan_splits, weighted_mean_std
from nasbuild.predictor.gnn._ensemble_file import ensembles_from_bytes, ensembles_to_bytes
from nasbuild.predictor.gnn._exhaustive import predict_combinations
from nasbuild.predictor.gnn._fit_member import Member, Task, fit_member, last_node_norms, outputs, srcc
from nasbuild.predictor.gnn._graph_batch import GraphBatch
from nasbuild.predictor.gnn._loss import Ranking, autobuild_loss, pearson, spearman
from nasbuild.predictor.gnn._network import FeatureEmbedding, Network, Shape
from nasbuild.predictor.gnn._soft_rank import soft_rank

__all__ = [
    "KINDS",
    "LEAST_BOTH",
    "LEAST_SINGLES",
    "RECIPES",
    "RUINED",
    "AdditiveGP",
    "AdditiveRecipe",
    "AnyRecipe",
    "BaselineName",
    "BaselineRecipe",
    "Convolution",
    "Ensemble",
    "FeatureEmbedding",
    "GraphBatch",
    "Member",
    "Network",
    "OperatorRecipe",
    "PairEffect",
    "PairEffects",
    "Pairs",
    "PartChoice",
    "Progress",
    "Ranking",
    "Recipe",
    "Shape",
    "Task",
    "Warp",
    "additive_gp_from_arrays",
    "additive_gp_to_arrays",
    "autobuild_loss",
    "convolution",
    "count_improving_changes",
    "ensembles_from_bytes",
    "ensembles_to_bytes",
    "fit_additive_gp",
    "fit_ensembles",
    "fit_member",
    "fit_with_proxy",
    "improving_changes",
    "interpolated_choices",
    "last_node_norms",
    "one_thread",
    "outputs",
    "pair_effects",
    "pearson",
    "plan_splits",
    "predict_combinations",
    "proxy_changes",
    "recipe",
    "recipe_from_dict",
    "recipe_kind",
    "ruined_rows",
    "single_changes",
    "soft_rank",
    "spearman",
    "srcc",
    "weighted_mean_std",
]
