"""The report page of a fit on operator graphs.

The examples of this package start from

>>> import numpy as np
>>> from torch import nn, zeros
>>> from nasbuild.ir import from_torch
>>> from nasbuild.report import networks
>>> network = from_torch(nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)), zeros(1, 4), name="mlp")
"""

from nasbuild.report.networks._graph_cards import graph_sections
from nasbuild.report.networks._graph_fit_data import features_data as graph_features_data
from nasbuild.report.networks._layout import Layout, lay_out
from nasbuild.report.networks._network_view import drawn_network

__all__ = ["Layout", "drawn_network", "graph_features_data", "graph_sections", "lay_out"]
