"""The error if no first evaluation yields the metrics of the goal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from nasbuild.errors import NasbuildError
from nasbuild.evaluate import Result


def nothing_measured(wanted: Sequence[str], results: Sequence[Result], first: str) -> NasbuildError:
    """The error, with the most frequent reason of failure.

    Parameters
    ----------
    first
        Name of these evaluations, such as "first round".
    """
    reasons = Counter(why for r in results if (why := r.reason or "; ".join(r.notes)))
    why = f" ({reasons.most_common(1)[0][0]})" if reasons else ""
    return NasbuildError(
        f"none of the {len(results)} evaluations of the {first} measured {' and '.join(wanted)}{why}",
        where="--evaluator",
        todo="fix it and continue with --retry-failed or --again, or name another one",
    )
