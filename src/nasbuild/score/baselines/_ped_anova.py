"""Importances of choices by Optuna's PED-ANOVA (Watanabe et al., IJCAI 2023)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nasbuild.errors import NasbuildError
from nasbuild.space import Architecture, Space, features_by_name

Count = tuple[int | None, str, int]
"""Stage (None for all of them), feature, and position among the feature's choices."""


def ped_anova(
    space: Space, architectures: Sequence[Architecture], labels: np.ndarray, *, maximise: bool
) -> dict[Count, float]:
    """How much the number of layers with a choice matters for being among the best tenth.

    The parameters of a trial are these numbers, over the whole architecture and in each stage;
    importances of either kind sum to 1. Their sign says whether higher labels go with more
    of such layers.

    Raises
    ------
    NasbuildError
        If Optuna is not installed, or the space has a range.

    Examples
    --------
    >>> found = baselines.ped_anova(space, architectures, labels, maximise=True)
    >>> round(sum(abs(value) for (stage, _, _), value in found.items() if stage is None), 6)
    1.0
    """
    try:
        import optuna
    except ImportError:
        raise NasbuildError(
            "recipe ped-anova needs Optuna", todo="install nasbuild[optuna], or use recipe marginal"
        ) from None
    for feature in (f for stage in space.stages for f in stage.features if f.range is not None):
        raise NasbuildError(
            f"recipe ped-anova counts layers with a choice, but {feature.name} is a range",
            todo="list its choices, or use recipe default",
        )
    counted = _counts(space, architectures)
    found: dict[Count, float] = {}
    for whole in (True, False):
        counts_of = {key: values for key, values in counted.items() if (key[0] is None) == whole}
        names = {f"p{n}": key for n, key in enumerate(counts_of)}
        distributions: dict[str, optuna.distributions.BaseDistribution] = {
            name: optuna.distributions.IntDistribution(0, max(int(counts_of[key].max()), 1))
            for name, key in names.items()
        }
        # Optuna logs every study to stderr, which belongs to the command line.
        before = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        study = optuna.create_study(direction="maximize" if maximise else "minimize")
        study.add_trials(
            [
                optuna.trial.create_trial(
                    params={name: int(counts_of[key][i]) for name, key in names.items()},
                    distributions=distributions,
                    value=float(label),
                )
                for i, label in enumerate(labels)
            ]
        )
        optuna.logging.set_verbosity(before)
        evaluator = optuna.importance.PedAnovaImportanceEvaluator()
        importances = optuna.importance.get_param_importances(study, evaluator=evaluator)
        for name, value in importances.items():
            counts = counts_of[names[name]]
            varies = np.ptp(counts) > 0
            sign = np.sign(np.corrcoef(counts, labels)[0, 1]) if varies else 0.0
            found[names[name]] = float(value * sign)
    return found


def _counts(space: Space, architectures: Sequence[Architecture]) -> dict[Count, np.ndarray]:
    """Layers with each choice, (architectures,), by stage and in all; choices that vary."""
    found: dict[Count, np.ndarray] = {}
    for u, stage in enumerate(space.stages):
        codes = [stage.encode(a.modules[u]) for a in architectures]
        for f, feature in enumerate(stage.features):
            for c in range(len(feature.present)):
                counts = np.array([int((code[:, f] == c).sum()) for code in codes])
                found[u, feature.name, c] = counts
    totals: dict[Count, np.ndarray] = {}
    merged = features_by_name(space.stages)
    for (u, name, c), counts in found.items():
        if u is None:
            continue
        key = (None, name, merged[name].index(space.stages[u].feature(name).choices[c]))
        totals[key] = totals.get(key, np.zeros(len(architectures), dtype=np.int64)) + counts
    every = found | totals
    return {key: values for key, values in every.items() if np.ptp(values) > 0}
