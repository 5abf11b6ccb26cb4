"""The page of a run on networks that are graphs of operations."""

from nasbuild.report.networks._layout import Layout, lay_out
from nasbuild.report.networks._network_view import drawn_network
from nasbuild.report.networks._graph_cards import graph_sections

__all__ = ["Layout", "drawn_network", "graph_sections", "lay_out"]
