"""An Optuna sampler that learns from a study by an additive Gaussian process, conditional parameters included."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from nasbuild.integrations._study_space import StudySpace, union_distributions
from nasbuild.predictor import AdditiveGP, AdditiveRecipe, fit_additive_gp, one_thread
from nasbuild.space import Architecture

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.study import Study

_RECIPE = AdditiveRecipe(samples=2, rows=200, iterations=20)
_ELITE = 5  # best trials that candidates are changes of
_KNOWN = 1e6  # what was tried already comes last
_RHO = 0.05  # weight of the sum in the augmented Chebyshev norm (ParEGO)


class NasbuildSampler(BaseSampler):
    """Samples by an additive Gaussian process of all complete trials.

    Categorical, integer, float and conditional parameters are sampled together: which parameters exist is taken from the
    trial that is most like a candidate. A parameter that turns out to be needed and was not sampled, or whose range
    changes from trial to trial, is sampled independently.

    Half of the trials are what is predicted to be best, the others the best of a posterior sample (Thompson sampling).
    Several objectives are compared under random weights (ParEGO's scalarisation).

    Parameters
    ----------
    n_startup_trials
        Trials that are sampled independently at first.
    n_candidates
        Random configurations, changes of the best trials and changes of the best of both, compared for each trial.
    independent_sampler
        Samples at first, and what can't be sampled together; random if None.
    seed
        Of candidates and of the random sampler.

    Examples
    --------
    >>> import optuna
    >>> from nasbuild.integrations.optuna import NasbuildSampler
    >>> optuna.logging.set_verbosity(optuna.logging.WARNING)
    >>> study = optuna.create_study(sampler=NasbuildSampler(seed=0))
    >>> study.optimize(lambda trial: (trial.suggest_float("x", -1, 1) - 0.5) ** 2, n_trials=13)
    >>> study.best_value < 0.01
    True
    """

    def __init__(
        self,
        *,
        n_startup_trials: int = 10,
        n_candidates: int = 200,
        independent_sampler: BaseSampler | None = None,
        seed: int | None = None,
    ) -> None:
        self._startup, self._candidates = n_startup_trials, n_candidates
        self._independent = independent_sampler or RandomSampler(seed=seed)
        self._rng = np.random.default_rng(seed)

    def reseed_rng(self) -> None:
        self._rng = np.random.default_rng()
        self._independent.reseed_rng()

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:  # noqa: ARG002
        complete = _complete(study)
        if len(complete) < self._startup:
            return {}
        found = union_distributions(complete)
        return {name: one for name, one in found.items() if not one.single()}

    def sample_relative(
        self,
        study: Study,
        trial: FrozenTrial,  # noqa: ARG002
        search_space: dict[str, BaseDistribution],
    ) -> dict[str, Any]:
        trials = _complete(study)
        if not search_space or not trials:
            return {}
        study_space = StudySpace.of(trials, search_space)
        levels = study_space.levels(trials)
        losses = np.array([t.values for t in trials]) * _signs(study)
        losses = losses[:, np.ptp(losses, axis=0) > 0]
        if not losses.shape[1]:
            return {}
        weights = self._rng.dirichlet(np.ones(losses.shape[1]))
        best = np.argsort(_chebyshev(losses, losses, weights), kind="stable")[:_ELITE]
        with one_thread():
            tried = study_space.architectures(levels)
            gps = [fit_additive_gp(study_space.space, tried, column, _RECIPE) for column in losses.T]
            # As in the closed loop: what is predicted to be best, and posterior samples, take turns.
            sampled = len(trials) % 2 == 1

            def worth(some: np.ndarray) -> np.ndarray:
                present = _with_presence(study_space, some, levels)
                drawn = self._predicted(gps, study_space.architectures(present), sampled)
                known = (present[:, None] == levels[None]).all(axis=2).any(axis=1)
                return -_chebyshev(drawn, losses, weights) - _KNOWN * known

            some = np.concatenate([self._random(study_space), self._changes(study_space, levels[best])])
            # Changes of the best candidates, too: levels are many, and the best lies rarely among random ones.
            first = some[np.argsort(-worth(some), kind="stable")[:_ELITE]]
            some = np.concatenate([first, self._changes(study_space, first)])
            chosen = some[int(np.argmax(worth(some)))]
        chosen = _with_presence(study_space, chosen[None], levels)[0]
        return {
            one.name: one.value(int(level), self._rng)
            for one, level in zip(study_space.parameters, chosen, strict=True)
            if level >= 0
        }

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        return self._independent.sample_independent(study, trial, param_name, param_distribution)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        self._independent.before_trial(study, trial)

    def after_trial(
        self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None
    ) -> None:
        self._independent.after_trial(study, trial, state, values)

    def _random(self, study_space: StudySpace) -> np.ndarray:
        sizes = [one.size for one in study_space.parameters]
        return self._rng.integers(0, sizes, size=(self._candidates, len(sizes)))

    def _changes(self, study_space: StudySpace, best: np.ndarray) -> np.ndarray:
        """Copies of some of the best with one or two changes; an absent parameter gets any level."""
        random, rng = self._random(study_space), self._rng
        sizes = np.array([one.size for one in study_space.parameters])
        near = best[rng.integers(0, len(best), size=len(random))]
        # Numbers move to a neighbouring level as often as to any.
        moved = np.clip(near + rng.integers(-2, 3, size=near.shape), 0, sizes - 1)
        ordered = np.array([not one.categorical for one in study_space.parameters])
        changed = np.where(ordered & (rng.random(near.shape) < 0.5), moved, random)
        kept = (rng.random(near.shape) >= 1.5 / len(sizes)) & (near >= 0)
        return np.where(kept, near, np.where(near >= 0, changed, random))

    def _predicted(
        self, gps: Sequence[AdditiveGP], architectures: Sequence[Architecture], sampled: bool
    ) -> np.ndarray:
        """Predicted losses or a posterior sample of them, (architectures, objectives)."""
        if not sampled:
            return np.column_stack([gp.predict(architectures)[0] for gp in gps])
        seed = int(self._rng.integers(2**31))
        return np.column_stack([gp.warp.back(gp.posterior_samples(architectures, 1, seed)[0]) for gp in gps])


def _with_presence(study_space: StudySpace, some: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Candidates without the parameters that the most similar trial lacks."""
    parameters = study_space.parameters
    if not any(one.conditional for one in parameters):
        return some
    alike = np.zeros((len(some), len(levels)))
    for p, one in enumerate(parameters):
        distance = np.abs(some[:, None, p] - levels[None, :, p]) / max(one.size - 1, 1)
        # Categories decide about the existence of others most often.
        distance = (distance > 0).astype(float) if one.categorical else distance
        alike -= np.where(levels[None, :, p] >= 0, distance, 0.0)
    return np.where(levels[alike.argmax(axis=1)] >= 0, some, -1)


def _chebyshev(losses: np.ndarray, known: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Augmented Chebyshev norm of losses, scaled by the range of known ones, (rows,)."""
    scaled = weights * (losses - known.min(axis=0)) / np.ptp(known, axis=0)
    return np.asarray(scaled.max(axis=1) + _RHO * scaled.sum(axis=1))


def _complete(study: Study) -> list[FrozenTrial]:
    trials = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return [trial for trial in trials if trial.values and np.isfinite(trial.values).all()]


def _signs(study: Study) -> np.ndarray:
    return np.array([-1.0 if one == StudyDirection.MAXIMIZE else 1.0 for one in study.directions])
