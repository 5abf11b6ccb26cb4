"""Scores without a search space: networks are graphs of operations (the paper's IR graphs)."""

from nasbuild.score.graphs._compare_sets import Difference, compare
from nasbuild.score.graphs._graph_fit import GraphFit, GraphTargetFit, fit_graphs, predict_graphs
from nasbuild.score.graphs._graph_folder import is_graph_fit, load_graph_fit, save_graph_fit
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
    "is_graph_fit",
    "load_graph_fit",
    "mine_pieces",
    "node_scores",
    "number_curves",
    "predict_graphs",
    "save_graph_fit",
    "size_title",
]
