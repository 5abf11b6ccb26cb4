"""Refuses proxies where no model can learn from them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nasbuild.errors import TargetError
from nasbuild.predictor import LEAST_BOTH, AdditiveRecipe, AnyRecipe, proxy_changes, single_changes
from nasbuild.score._proxy import ProxyLabels
from nasbuild.score._proxy_of_singles import LEAST_TESTED
from nasbuild.space import Architecture, Space


def check_proxies(
    recipe: AnyRecipe,
    space: Space,
    targets: Sequence[Sequence[Architecture]],
    proxies: Sequence[ProxyLabels],
) -> None:
    """Refuse proxies where no model can learn from them; ``targets`` are the architectures with a label of each.

    Raises
    ------
    TargetError
        If the recipe is not ``default``. In a table of single changes, if target and proxy have too few rows in common.
    """
    if proxies and not isinstance(recipe, AdditiveRecipe):
        raise TargetError(
            f"recipe {recipe.name!r} learns from no proxy", todo="use recipe default, or leave the proxy out"
        )
    for architectures in targets:
        for proxy in proxies:
            _check(space, architectures, proxy)


def _check(space: Space, architectures: Sequence[Architecture], proxy: ProxyLabels) -> None:
    changes, where = single_changes(space, architectures), f"proxy {proxy.name!r}"
    if changes is None:
        if single_changes(space, proxy.architectures) is not None:
            raise TargetError(
                "has single changes of a reference, but the target does not",
                where=where,
                todo=f"measure the reference and {LEAST_TESTED} single changes by the target, or leave the proxy out",
            )
        return
    of_proxy = proxy_changes(space, changes.reference, proxy.architectures)
    if of_proxy.row is None:
        raise TargetError(
            "the reference has no value", where=where, todo="measure the reference by both metrics"
        )
    single = {architectures[i] for i in np.flatnonzero(changes.counts == 1).tolist()}
    if len(single) < LEAST_TESTED:
        raise TargetError(
            f"the target has {len(single)} single changes",
            where=where,
            todo=f"at least {LEAST_TESTED} are needed to test a proxy",
        )
    both = sum(proxy.architectures[i] in single for i in np.flatnonzero(of_proxy.counts == 1).tolist())
    if both < LEAST_BOTH:
        raise TargetError(
            f"{both} single changes have a value of both metrics",
            where=where,
            todo=f"at least {LEAST_BOTH} are needed to know the proxy's unit",
        )
