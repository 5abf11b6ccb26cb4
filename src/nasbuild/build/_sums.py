"""The whole front of sums of two or three scores, one stage after another."""

from __future__ import annotations

from collections.abc import Sequence

import moocore
import numpy as np

_MOST_TARGETS = 3  # of more, nearly everything is on the front
_MOST_POINTS = 1 << 19  # sums that are compared at a time


def front_of_sums(worth: Sequence[np.ndarray]) -> np.ndarray | None:
    """Picks, one module of each stage, whose summed worth no other pick's beats; ascending.

    What a pick of the first stages adds to is on the front only if they are: whatever is added, the pick that
    beats it stays ahead. So stages are taken in one at a time, and what is beaten is left out at once.

    Parameters
    ----------
    worth
        Of each stage, (modules, targets), to be maximised.

    Returns
    -------
    (picks, stages), of equal sums one; None where a front is too large to be listed.
    """
    targets = worth[0].shape[1]
    if targets > _MOST_TARGETS:
        return None
    sums, picks = np.zeros((1, targets)), np.zeros((1, 0), dtype=np.int64)
    for own in worth:
        if len(sums) * len(own) > _MOST_POINTS:
            return None
        every = (sums[:, None] + own[None]).reshape(-1, targets)
        kept = np.flatnonzero(moocore.is_nondominated(every, maximise=True, keep_weakly=False))
        before, module = np.divmod(kept, len(own))
        sums, picks = every[kept], np.column_stack([picks[before], module])
    return np.unique(picks, axis=0)
