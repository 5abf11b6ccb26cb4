"""The page of a run on networks that are graphs of operations."""

from nasbuild.report.networks._layout import Layout, lay_out
from nasbuild.report.networks._network import drawn_network
from nasbuild.report.networks._views import graph_sections

__all__ = ["Layout", "drawn_network", "graph_sections", "lay_out"]
