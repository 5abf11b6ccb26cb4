"""The page of a run on networks that are graphs of operations."""

from nasbuild.report.networks._views import graph_sections

__all__ = ["graph_sections"]
