"""Room ``bench``: benchmarks that users can run, on the tables on which the published figures rest.

The examples of this room start from

>>> from pathlib import Path
>>> from nasbuild.bench import cells
>>> cell = cells(quick=True)[1]
>>> result = {
...     "rows": [
...         {"cell": cell.name, "method": method, "draw": draw, "prediction": value}
...         for method, value in (("default", 0.9), ("ridge", 0.8), ("lightgbm", 0.95))
...         for draw in range(cell.draws)
...     ]
... }
"""

from nasbuild.bench._cells import METHODS, Cell, cells
from nasbuild.bench._external_baselines import BASELINES, fit_external_baseline, installed
from nasbuild.bench._ground_truth import Truth, read, truth
from nasbuild.bench._plot import plot
from nasbuild.bench._run_bench import bench_scores
from nasbuild.bench._summary import FIGURES, behind, cells_of, margins, summary, values_of

__all__ = [
    "BASELINES",
    "FIGURES",
    "METHODS",
    "Cell",
    "Truth",
    "behind",
    "bench_scores",
    "cells",
    "cells_of",
    "fit_external_baseline",
    "installed",
    "margins",
    "plot",
    "read",
    "summary",
    "truth",
    "values_of",
]
