"""Room ``search``: evolutionary search of a full or reduced space with a budget of evaluations.

The examples of this room start from

>>> from nasbuild.evaluate import load_evaluator
>>> from nasbuild.search import SearchSettings, parse_goal
>>> from nasbuild.space import load_space, sample
>>> space = load_space("digits-macro")
>>> evaluate = load_evaluator("digits-macro", space)  # looks architectures up in the built-in table
>>> goal = parse_goal(space, ["acc"], ["macs <= 200000"], evaluate.metrics)
"""

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
