"""The report page of a fit on operator graphs."""

from nasbuild.report.networks._graph_cards import graph_sections
from nasbuild.report.networks._graph_fit_data import features_data as graph_features_data
from nasbuild.report.networks._layout import Layout, lay_out
from nasbuild.report.networks._network_view import drawn_network

__all__ = ["Layout", "drawn_network", "graph_features_data", "graph_sections", "lay_out"]
