"""Room ``search``: evolution and its baselines on a full or reduced space, for a given number of evaluations."""

from nasbuild.search._goal import Box, Goal, layers, parse_goal
from nasbuild.search._insight import layer_insight_space
from nasbuild.search._search_loop import (
    METHODS,
    Evaluate,
    Metrics,
    Search,
    SearchResult,
    SearchSettings,
    search,
)

__all__ = [
    "METHODS",
    "Box",
    "Evaluate",
    "Goal",
    "Metrics",
    "Search",
    "SearchResult",
    "SearchSettings",
    "layer_insight_space",
    "layers",
    "parse_goal",
    "search",
]
