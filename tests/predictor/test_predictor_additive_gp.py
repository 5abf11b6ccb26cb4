"""The additive GP against a dense Gaussian process: every covariance from readable keys, solved at once."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from gp_samples import SPACE, Dense

from nasbuild.predictor import AdditiveGP, AdditiveRecipe, fit_additive_gp
from nasbuild.predictor.additive_gp._design_matrix import design
from nasbuild.predictor.additive_gp._fit_gp import _Learnt, _parts, _posterior
from nasbuild.predictor.additive_gp._interaction_kernels import Variances
from nasbuild.predictor.additive_gp._marginal_likelihood import JITTER
from nasbuild.predictor.additive_gp._pair_interactions import Interaction
from nasbuild.predictor.additive_gp._rbf_interactions import Radial
from nasbuild.predictor.additive_gp._terms import reach
from nasbuild.space import Architecture, Module, sample

SAMPLES = 3_000
RECIPE = AdditiveRecipe(samples=SAMPLES, rows=40, iterations=25)
OTHERS = sample(SPACE, 30, np.random.default_rng(9))


def labelled(rows: int = 40, seed: int = 0) -> tuple[list[Architecture], np.ndarray]:
    """Architectures without kernel 7 in stage one, labels with an interaction and noise."""
    rng = np.random.default_rng(seed)
    found = [a for a in sample(SPACE, 300, rng) if all(layer[0] != 7 for layer in a.modules[0])][:rows]
    labels = [
        2.0 * len(a.modules[0])
        + sum(k == 7 for k, *_ in a.modules[1])
        - 0.5 * a.modules[2][1][0]
        + (len(a.modules[0]) - 1.5) * (a.modules[3][0][0] == 224)
        for a in found
    ]
    return found, np.exp(np.array(labels) / 6) + 0.05 * rng.normal(size=rows)


@pytest.fixture(scope="module")
def process() -> AdditiveGP:
    return fit_additive_gp(SPACE, *labelled(), RECIPE, seed=1)


class Exact:
    """The same process by dense algebra, at its variances; z, covariances, posterior."""

    def __init__(self, process: AdditiveGP, others: list[Architecture]) -> None:
        architectures, labels = labelled()
        self.process, self.n = process, len(architectures)
        self.rows = Dense(SPACE, architectures, others)
        self.z = process.warp.forward(labels)
        # No row has kernel 7 in stage one: what it does there is unknown, with the variance of all labels.
        self.unseen = np.array(
            [float(any(layer[0] == 7 for layer in a.modules[0])) for a in [*architectures, *others]]
        )
        assert not self.unseen[: self.n].any()
        total = np.outer(self.unseen, self.unseen)
        own = np.zeros((len(SPACE.stages), *total.shape))
        for term, theta, other in zip(process.terms, process.theta, process.interaction_theta, strict=True):
            total += theta * self.rows.kernel(term.name)
            for u in range(len(SPACE.stages)):
                # Interactions are of what the table has.
                part = self.rows.stages[term.name][:, u] * self.rows.seen[term.name]
                own[u] += other * part @ part.T
        pairs = sum(own[u] * own[v] for u, v in combinations(range(len(own)), 2))
        self.pairs = process.interaction_variance * pairs / np.diag(pairs)[: self.n].mean()
        self.additive, self.prior = total, total + self.pairs
        # Radial kernels by the distances themselves, one pair of rows after another.
        self.radial = np.zeros(total.shape)
        for radial in process.radials:
            rows = np.hstack(
                [
                    np.sqrt(theta) * self.rows.rows(term.name)
                    for term, theta in zip(process.terms, radial.theta, strict=True)
                ]
            )
            apart = ((rows[:, None, :] - rows[None, :, :]) ** 2).sum(axis=2)
            for width, variance in zip(radial.widths, radial.variances, strict=True):
                self.radial += variance * np.exp(-apart / width)
        self.prior = self.prior + self.radial
        self.noisy = self.prior[: self.n, : self.n] + (process.noise + JITTER) * np.eye(self.n)

    def at(self, cross: np.ndarray, prior: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Posterior mean and variance, from covariances with the table and prior variances."""
        solved = np.linalg.solve(self.noisy, np.column_stack([self.z, cross.T]))
        return cross @ solved[:, 0], prior - (cross * solved[:, 1:].T).sum(axis=1)

    def share(self, stage: int, index: int, names: set[str] | None = None) -> tuple[float, float]:
        """Posterior mean and variance of f_u at the module of one of all architectures."""
        cross, prior = np.zeros((1, self.n)), np.full(1, self.unseen[index] if stage == 0 else 0.0)
        for term, theta in zip(self.process.terms, self.process.theta, strict=True):
            if names is None or term.name in names:
                row = self.rows.stages[term.name][index, stage]
                cross += theta * row @ self.rows.rows(term.name)[: self.n].T
                prior += theta * row @ row
        mean, variance = self.at(cross, prior)
        return float(mean[0]), float(variance[0])


@pytest.fixture(scope="module")
def exact(process) -> Exact:
    return Exact(process, OTHERS)


def code(stage: int, module: Module) -> np.ndarray:
    return SPACE.stages[stage].encode(module)[None]


def test_the_fit_has_something_of_everything(process):
    assert process.interaction_variance > 1e-4
    assert sum(radial.variance for radial in process.radials) > 1e-4
    assert len(process.radials) == 2
    assert not process.exact_pairs
    assert len(process.terms) >= 5
    assert np.count_nonzero(process.interaction_theta) >= 2
    assert process.warp.power != 1
    assert process.samples == SAMPLES


def test_shares_are_posterior_means_and_their_deviations_posterior_deviations(process, exact):
    for index, architecture in enumerate(OTHERS[:12], exact.n):
        for u, module in enumerate(architecture.modules):
            score, std = process.score(u, code(u, module))
            mean, variance = exact.share(u, index)
            assert score[0] == pytest.approx(mean * process.slope + process.level / 4, rel=1e-6)
            # The deviation of 3,000 draws is off by 1.3 % on average.
            assert std[0] == pytest.approx(variance**0.5 * process.slope, rel=0.07, abs=1e-5)
            each = process.member_scores(u, code(u, module))
            assert each.shape == (SAMPLES, 1)
            assert each.mean() == pytest.approx(score[0], abs=5 * std[0] / SAMPLES**0.5 + 1e-9)


def test_samples_of_architectures_have_the_posterior_covariance(process, exact):
    # Modules of one architecture are not independent: their joint deviation is that of the posterior.
    index = slice(exact.n, exact.n + 12)
    cross = exact.additive[index, : exact.n]
    _, variance = exact.at(cross, np.diag(exact.additive)[index])
    total = sum(
        np.column_stack([process.member_scores(u, code(u, a.modules[u])) for a in OTHERS[:12]])
        for u in range(4)
    )
    assert total.std(axis=0) == pytest.approx(np.sqrt(variance) * process.slope, rel=0.07)


def test_hops_are_the_terms_that_look_no_further(process, exact):
    assert process.hops == (0, 1)
    for hop in process.hops:
        names = {term.name for term in process.terms if reach(term.name) <= hop}
        shares = [[exact.share(u, exact.n + i, names)[0] for u in range(4)] for i in range(5)]
        expected = np.sum(shares, axis=1) * process.slope + process.level
        assert process.sums(OTHERS[:5], hop) == pytest.approx(expected, rel=1e-6)
    assert process.sums(OTHERS) == pytest.approx(process.sums(OTHERS, 2))


def test_shares_sum_to_the_additive_prediction(process):
    shares = [[process.score(u, code(u, m))[0][0] for u, m in enumerate(a.modules)] for a in OTHERS]
    assert np.sum(shares, axis=1) == pytest.approx(process.sums(OTHERS), rel=1e-12)


def test_slope_and_level_are_those_of_least_squares(process, exact):
    architectures, labels = labelled()
    sums = exact.additive[: exact.n, : exact.n] @ np.linalg.solve(exact.noisy, exact.z)
    slope, level = np.polyfit(sums, labels, 1)
    assert (process.slope, process.level) == (pytest.approx(slope), pytest.approx(level))
    assert process.level == pytest.approx(labels.mean())
    assert process.sums(architectures) == pytest.approx(sums * slope + level)


def test_predictions_are_those_of_the_dense_process(process, exact):
    index = slice(exact.n, None)
    mean, variance = exact.at(exact.prior[index, : exact.n], np.diag(exact.prior)[index])
    variance += process.noise
    found, spread = process.latent(OTHERS)
    assert found == pytest.approx(mean, abs=1e-6)
    assert spread == pytest.approx(variance, rel=1e-5)
    value, std, far = process.predict(OTHERS)
    low, high = process.warp.back(mean - variance**0.5), process.warp.back(mean + variance**0.5)
    assert value == pytest.approx(process.warp.back(mean))
    # Beyond the labels, half of the way to the nearest of them is one more deviation.
    away = np.maximum(value - process.warp.high, 0) + np.maximum(process.warp.low - value, 0)
    assert std == pytest.approx(np.hypot((high - low) / 2, 0.5 * away), rel=1e-4)
    priors = np.diag(exact.prior)
    assert far.tolist() == (priors[index] > 2 * priors[: exact.n].max()).tolist()


def test_intervals_of_sums_are_as_wide_as_labels_are_expected_to_be_off(process, exact):
    index = slice(exact.n, None)
    sums, _ = exact.at(exact.additive[index, : exact.n], np.diag(exact.additive)[index])
    mean, variance = exact.at(exact.prior[index, : exact.n], np.diag(exact.prior)[index])
    off = np.sqrt(variance + process.noise + (mean - sums) ** 2)
    low, high = process.sum_interval(OTHERS, 1.5)
    assert low == pytest.approx(process.warp.back(sums - 1.5 * off), rel=1e-5)
    assert high == pytest.approx(process.warp.back(sums + 1.5 * off), rel=1e-5)


def test_joint_samples_have_mean_and_covariance_of_the_dense_posterior(process, exact):
    table, index, count = slice(exact.n), slice(exact.n, None), 20_000
    cross = exact.prior[index, table]
    mean = cross @ np.linalg.solve(exact.noisy, exact.z)
    covariance = exact.prior[index, index] - cross @ np.linalg.solve(exact.noisy, cross.T)
    deviation = np.sqrt(np.diag(covariance))
    found = process.posterior_samples(OTHERS, count, seed=3)
    assert found.shape == (count, len(OTHERS))
    assert (np.abs(found.mean(axis=0) - mean) < 5 * deviation / count**0.5).all()
    scale = np.outer(deviation, deviation)
    assert np.cov(found.T) / scale == pytest.approx(covariance / scale, abs=0.05)
    wider = replace(process, spread=1.7).posterior_samples(OTHERS, count, seed=3)
    assert np.abs(wider - mean - 1.7 * (found - mean)).max() < 1e-5
    assert (
        process.posterior_samples(OTHERS, 3, seed=3) == process.posterior_samples(OTHERS, 3, seed=3)
    ).all()
    assert (
        process.posterior_samples(OTHERS, 3, seed=3) != process.posterior_samples(OTHERS, 3, seed=4)
    ).any()


def test_a_choice_that_no_label_has_is_as_uncertain_as_the_prior(process, exact):
    # 7 is a choice of stage one in none of the table: as far as it goes, the prior is all that is known.
    found = [(i, a) for i, a in enumerate(OTHERS, exact.n) if any(k == 7 for k, _ in a.modules[0])]
    assert len(found) > 3
    for index, architecture in found:
        unseen = 0.0
        for term, theta in zip(process.terms, process.theta, strict=True):
            row = exact.rows.stages[term.name][index, 0]
            unseen += theta * (row[~exact.rows.seen[term.name]] ** 2).sum()
        assert unseen > 0
        _, std = process.score(0, code(0, architecture.modules[0]))
        assert std[0] > 0.93 * unseen**0.5 * process.slope


def test_modules_that_share_a_choice_that_no_label_has_are_uncertain_together(process):
    a, b = ((7, "conv"),), ((7, "conv"), (7, "conv"))
    one, two = (process.member_scores(0, code(0, m))[:, 0] for m in (a, b))
    assert np.corrcoef(one, two)[0, 1] > 0.5
    # The same draws whether a module is scored alone or among others.
    both = process.member_scores(0, np.concatenate([code(0, a), code(0, ((3, "skip"),))]))
    assert both[:, 0] == pytest.approx(one)


def test_a_wider_process_has_wider_deviations_and_the_same_means(process):
    wider = replace(process, spread=1.7)
    module = OTHERS[0].modules[1]
    (score, std), (same, more) = process.score(1, code(1, module)), wider.score(1, code(1, module))
    assert (same[0], more[0]) == (score[0], pytest.approx(1.7 * std[0]))
    before, after = process.member_scores(1, code(1, module)), wider.member_scores(1, code(1, module))
    assert after.mean() == pytest.approx(before.mean())
    assert after.std() == pytest.approx(1.7 * before.std())
    assert wider.sums(OTHERS).tolist() == process.sums(OTHERS).tolist()
    mean, variance = process.latent(OTHERS)
    value, deviation, _ = wider.predict(OTHERS)
    away = 1.7 * np.sqrt(variance)
    assert value == pytest.approx(process.warp.back(mean))
    assert deviation == pytest.approx((process.warp.back(mean + away) - process.warp.back(mean - away)) / 2)
    assert wider.sum_interval(OTHERS, 1.0)[0] == pytest.approx(process.sum_interval(OTHERS, 1.7)[0])


def test_scores_of_no_module_are_none(process):
    score, std = process.score(0, np.zeros((0, 1, 2), dtype=np.int16))
    assert score.shape == std.shape == (0,)


def test_equal_seeds_give_equal_bits_and_others_other_samples():
    recipe = AdditiveRecipe(samples=8, iterations=5)
    a, b, c = (fit_additive_gp(SPACE, *labelled(), recipe, seed=s, power=1.0) for s in (3, 3, 4))
    assert all(x.tobytes() == y.tobytes() for x, y in zip(a.weights, b.weights, strict=True))
    assert (a.alpha.tobytes(), a.theta.tobytes()) == (b.alpha.tobytes(), b.theta.tobytes())
    for x, y in zip(a.weights, c.weights, strict=True):
        assert x[:, 0] == pytest.approx(y[:, 0])
        assert not np.allclose(x[:, 1:], y[:, 1:])


def test_the_order_of_rows_does_not_matter():
    architectures, labels = labelled()
    order = np.random.default_rng(5).permutation(len(labels))
    recipe = AdditiveRecipe(samples=2, iterations=200)
    a = fit_additive_gp(SPACE, architectures, labels, recipe)
    b = fit_additive_gp(SPACE, [architectures[i] for i in order], labels[order], recipe)
    # The search for variances stops a little elsewhere.
    assert a.sums(OTHERS) == pytest.approx(b.sums(OTHERS), rel=0.01)
    assert a.predict(OTHERS)[0] == pytest.approx(b.predict(OTHERS)[0], rel=0.01)


def test_large_tables_are_learnt_from_a_random_part():
    architectures, labels = labelled()
    made = fit_additive_gp(SPACE, architectures, labels, AdditiveRecipe(most_rows=20, rows=12, iterations=3))
    assert len(made.rows) == len(set(made.rows)) == 20
    assert made.architectures == tuple(architectures[i] for i in made.rows)
    assert made.level == pytest.approx(labels[made.rows].mean())


def test_without_interactions_the_prediction_is_the_sum():
    made = fit_additive_gp(SPACE, *labelled(), AdditiveRecipe(samples=2, interaction=False), power=1.0)
    assert made.interaction_variance == 0
    value = made.predict(OTHERS)[0]
    # Power 1: both are linear in the same sum.
    assert np.corrcoef(value, made.sums(OTHERS))[0, 1] == pytest.approx(1, abs=1e-9)


def test_terms_of_interactions_and_distances_are_kept_though_they_have_no_share(process):
    architectures, labels = labelled()
    table = design(SPACE, architectures)
    theta = np.full(len(table.terms), 0.1)
    interaction = Interaction.of(table.terms, table.values, theta)
    theta[:3] = 1e-7
    far = np.zeros(len(theta))
    far[1] = 0.5
    made = _posterior(
        _Learnt(SPACE, tuple(architectures), np.arange(40), labels, process.warp),
        table,
        Variances(theta, interaction, 0.2, 0.1, (Radial(far, np.array([2.0]), np.array([0.3])),)),
        4,
        np.random.default_rng(0),
    )
    rows = made._covariance() @ made.alpha
    assert rows == pytest.approx(process.warp.forward(labels), abs=1e-3)


@pytest.mark.parametrize(
    ("n", "sizes"), [(41, [41]), (50, [50]), (51, [25, 25]), (120, [40, 40, 40]), (400, [50] * 3)]
)
def test_variances_are_found_by_parts_that_share_no_row(n, sizes):
    recipe = AdditiveRecipe(rows=40, parts=3, part_rows=50)
    parts = _parts(n, recipe, np.random.default_rng(0))
    assert [len(part) for part in parts] == sizes
    rows = np.concatenate(parts)
    assert len(set(rows.tolist())) == len(rows)
    assert rows.min() >= 0
    assert rows.max() < n
