"""Scores without a search space: networks are graphs of operations (the paper's IR graphs)."""

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
