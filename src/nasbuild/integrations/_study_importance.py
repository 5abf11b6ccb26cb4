"""The importance of the parameters of an Optuna study: variance of their shares of an additive Gaussian process."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from optuna.importance import BaseImportanceEvaluator
from optuna.trial import FrozenTrial, TrialState

from nasbuild.errors import NasbuildError
from nasbuild.integrations._study_space import StudySpace, union_distributions
from nasbuild.predictor import AdditiveRecipe, fit_additive_gp, one_thread

if TYPE_CHECKING:
    from optuna.study import Study

_LEAST = 10  # trials
_REPEATED = 3  # trials for each level of a parameter that decides about another


class NasbuildImportanceEvaluator(BaseImportanceEvaluator):
    """Importance of each parameter: the variance of its share of the prediction.

    The objective is learnt as a sum of one function for each parameter, with interactions apart, by the Gaussian
    process of recipe ``default``. The importance is the variance of a parameter's function over its range: all values
    count the same, however often a sampler chose them. A conditional parameter is absent as often as among the trials.
    What its presence is worth belongs to the parameter that decides about it, such as the kind of a model.

    Parameters
    ----------
    seed
        Of the trials chosen from a very large study.

    Examples
    --------
    >>> import optuna
    >>> from nasbuild.integrations.optuna import NasbuildImportanceEvaluator
    >>> optuna.logging.set_verbosity(optuna.logging.WARNING)
    >>> study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    >>> def objective(trial):
    ...     return 3 * trial.suggest_float("x", 0, 1) + trial.suggest_float("y", 0, 1)
    >>> study.optimize(objective, n_trials=40)
    >>> found = optuna.importance.get_param_importances(study, evaluator=NasbuildImportanceEvaluator())
    >>> {name: round(share, 2) for name, share in found.items()}
    {'x': 0.9, 'y': 0.1}
    """

    def __init__(self, *, seed: int = 0) -> None:
        self._seed = seed

    def evaluate(
        self,
        study: Study,
        params: list[str] | None = None,
        *,
        target: Callable[[FrozenTrial], float] | None = None,
    ) -> dict[str, float]:
        """Variance of each parameter's share, in the objective's unit squared, largest first.

        Parameters
        ----------
        params
            Parameters of the answer; all that complete trials have, conditional ones included, if None. All are learnt
            from in any case.
        target
            Value of a trial; needed for several objectives.

        Raises
        ------
        NasbuildError
            If there are several objectives and no target, too few trials, or an unknown parameter.
        """
        if target is None and len(study.directions) > 1:
            raise NasbuildError(
                f"the study has {len(study.directions)} objectives",
                where="target",
                todo="name one, such as target=lambda trial: trial.values[0]",
            )
        trials, values = [], []
        for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
            value = trial.value if target is None else target(trial)
            if value is not None and np.isfinite(value):
                trials.append(trial)
                values.append(float(value))
        if len(trials) < _LEAST:
            raise NasbuildError(
                f"{len(trials)} trials are complete", where="study", allowed=f"{_LEAST} or more"
            )
        names = sorted({name for trial in trials for name in trial.params})
        if unknown := [name for name in params or () if name not in names]:
            raise NasbuildError(f"no trial has the parameter {unknown[0]!r}", where="params", allowed=names)
        found = dict.fromkeys(names, 0.0) | self._variances(trials, np.array(values))
        wanted = names if params is None else params
        return dict(sorted(((name, found[name]) for name in wanted), key=lambda one: -one[1]))

    def _variances(self, trials: list[FrozenTrial], values: np.ndarray) -> dict[str, float]:
        study_space = StudySpace.of(trials, union_distributions(trials))
        if not study_space.parameters or np.ptp(values) == 0:
            return {}
        levels = study_space.levels(trials)
        with one_thread():
            gp = fit_additive_gp(
                study_space.space,
                study_space.architectures(levels),
                values,
                AdditiveRecipe(),
                seed=self._seed,
            )
        weights, shares = [], []
        for stage, (one, own) in enumerate(zip(study_space.parameters, levels.T, strict=True)):
            every = np.arange(-1, one.size)
            absent = float((own < 0).mean())
            weights.append(np.where(every < 0, absent, (1 - absent) / one.size))
            share = gp.score(stage, one.codes(every if one.conditional else every[1:]))[0]
            shares.append(share if one.conditional else np.concatenate([[0.0], share]))
        _give_presence_to_parents(levels, weights, shares)
        variances = [float(w @ (share - w @ share) ** 2) for w, share in zip(weights, shares, strict=True)]
        return {one.name: v for one, v in zip(study_space.parameters, variances, strict=True)}


def _give_presence_to_parents(
    levels: np.ndarray, weights: list[np.ndarray], shares: list[np.ndarray]
) -> None:
    """Moves what a parameter's presence is worth to the parameter that decides about it, where one does.

    Shares are by level, absent first, (levels + 1,). A parameter that exists for one choice of another always changes
    together with it; only what its own values add is its own.
    """
    present = levels >= 0
    # Rarest first: what exists within a condition may have conditions of its own.
    for child in np.argsort(present.mean(axis=0), kind="stable"):
        parent = _parent(levels, int(child))
        if present[:, child].all() or parent is None:
            continue
        inner = weights[child][1:] @ shares[child][1:] / weights[child][1:].sum()
        effect = inner - shares[child][0]
        shares[child] = np.concatenate([[0.0], shares[child][1:] - inner])
        decided = np.unique(levels[present[:, child], parent])
        shares[parent][decided + 1] += effect


def _parent(levels: np.ndarray, child: int) -> int | None:
    """The parameter with the fewest levels that decides whether another exists; None if none does."""
    present, found = levels[:, child] >= 0, []
    for other in range(levels.shape[1]):
        own = levels[:, other]
        decided = not set(own[present]) & set(own[~present])
        # A parameter whose levels hardly repeat would decide about anything.
        if other != child and decided and len(np.unique(own)) * _REPEATED <= len(own):
            found.append((len(np.unique(own)), other))
    return min(found)[1] if found else None
