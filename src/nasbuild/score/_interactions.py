"""Interactions of pairs of choices by a fit."""

from __future__ import annotations

from nasbuild.predictor import AdditiveRecipe, AnyRecipe, PairEffects, one_thread, pair_effects
from nasbuild.score._additive_scorer import AdditiveScorer
from nasbuild.score._fit import TargetFit


def interactions(
    target_fit: TargetFit, recipe: AnyRecipe | None = None, *, seed: int = 0
) -> PairEffects | None:
    """What pairs of choices do together beyond their sum, and which pairs stand out.

    None for recipes other than ``default``, whose models do not separate pairs, and for fits with a proxy, whose rows are not
    all of the target.

    Parameters
    ----------
    recipe
        The fit's.

    Examples
    --------
    >>> from nasbuild.score import interactions
    >>> found = interactions(acc)
    >>> found.looked_at, len(found.named)
    (67, 0)
    """
    scorer = target_fit.scorer
    if not isinstance(scorer, AdditiveScorer) or scorer.gp.proxy is not None:
        return None
    own = recipe if isinstance(recipe, AdditiveRecipe) else None
    with one_thread():
        return pair_effects(scorer.gp, scorer.labels[scorer.gp.rows], own, seed=seed)
