"""What is said where no evaluation of the first ones tells what is wanted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from nasbuild.errors import NasbuildError
from nasbuild.evaluate import Result


def nothing_measured(wanted: Sequence[str], results: Sequence[Result], first: str) -> NasbuildError:
    """An error with the most frequent reason.

    Parameters
    ----------
    first
        Which evaluations these were, such as the first round.
    """
    reasons = Counter(why for r in results if (why := r.reason or "; ".join(r.notes)))
    why = f" ({reasons.most_common(1)[0][0]})" if reasons else ""
    return NasbuildError(
        f"none of the {len(results)} evaluations of the {first} told {' and '.join(wanted)}{why}",
        where="--evaluator",
        todo="mend it and go on with --retry-failed or --again, or name another one",
    )
