"""Scores without a search space: networks are graphs of operations (the paper's IR graphs).

The examples of this package start from 16 networks that differ in four activations, and are better the more of them are
HardSwish:

>>> from dataclasses import replace
>>> import numpy as np
>>> from torch import nn, zeros
>>> from nasbuild.ir import from_torch
>>> from nasbuild.predictor import OperatorRecipe
>>> from nasbuild.score.graphs import fit_graphs
>>> from nasbuild.table import graph_table
>>> layers = [nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4), nn.Hardswish()] * 2
>>> network = from_torch(nn.Sequential(*layers), zeros(1, 4), name="net-10")
>>> relu, swish = map(network.vocabulary.index, ("Relu", "HardSwish"))
>>> def variant(n):
...     op = network.op.copy()
...     op[np.isin(op, [relu, swish])] = [swish if n >> i & 1 else relu for i in range(4)]
...     return replace(network, name=f"net-{n}", op=op)
>>> graphs = [variant(n) for n in range(16)]
>>> table = graph_table(graphs, {f"net-{n}": {"acc": 70.0 + n.bit_count()} for n in range(16)})
>>> small = OperatorRecipe(epochs=10, feature_epochs=5, batch=8, width=4, hops=2, few=0, members=2, learning_rate=0.01)
>>> fit = fit_graphs(table, ["+acc"], recipe=small, baselines=False)
>>> acc = fit["+acc"]
"""

from nasbuild.score.graphs._compare_sets import Difference, compare
from nasbuild.score.graphs._graph_fit import GraphFit, GraphTargetFit, fit_graphs, predict_graphs
from nasbuild.score.graphs._graph_trust import GraphTrust
from nasbuild.score.graphs._node_scores import NodeScores, node_scores
from nasbuild.score.graphs._numeric_scores import NumberCurve, number_curves, size_title
from nasbuild.score.graphs._subgraph_mining import PIECE_HOP, Piece, before, mine_pieces

__all__ = [
    "PIECE_HOP",
    "Difference",
    "GraphFit",
    "GraphTargetFit",
    "GraphTrust",
    "NodeScores",
    "NumberCurve",
    "Piece",
    "before",
    "compare",
    "fit_graphs",
    "mine_pieces",
    "node_scores",
    "number_curves",
    "predict_graphs",
    "size_title",
]
