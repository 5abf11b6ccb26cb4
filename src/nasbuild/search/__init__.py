"""Room ``search``: evolutionary search of a full or reduced space with a budget of evaluations."""

from nasbuild.search._goal import Box, Goal, layer_counts, parse_goal
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
    "layer_counts",
    "layer_insight_space",
    "parse_goal",
    "search",
]
