"""Joint rows near bounds: the most informative ones, against conditioning by linear algebra, and near-optimal picks."""

from __future__ import annotations

import numpy as np
import pytest

from nasbuild.builder import joint_design, knows_joint_rows, propose_jointly, read_bounds
from nasbuild.builder._bounded_topk import bounded_topk
from nasbuild.builder._joint_design import most_informative
from nasbuild.builder._joint_pool import _priced, joint_pool
from nasbuild.builder._knapsack_problem import Problem
from nasbuild.predictor import recipe, single_changes
from nasbuild.score import fit
from nasbuild.space import Architecture, space_from_dict
from nasbuild.table import Table, changed_parts

BLOCKS = 12
SPACE = space_from_dict(
    {
        "name": "blocks",
        "metrics": {"loss": {"direction": "minimize"}},
        "stages": [
            {"name": f"block{n}", "depth": 1, "features": {"mlp": ["on", "off"]}} for n in range(BLOCKS)
        ],
        "costs": {"params": {"sum": [{"feature": "mlp", "values": {"on": 1, "off": 0}}]}},
        "reference": {"mlp": "on"},
    }
)
EFFECTS = np.array([0.1, 0.12, 0.4, 0.44, 0.1, 0.15, 0.1, 0.36, 0.1, 0.12, 0.1, 0.11])


def row(*off):
    return Architecture(tuple((("off" if n in off else "on",),) for n in range(BLOCKS)))


@pytest.fixture(scope="module")
def singles():
    rows = [row(), *(row(n) for n in range(BLOCKS))]
    table = Table(
        SPACE,
        tuple(f"r{n}" for n in range(len(rows))),
        tuple(rows),
        {"loss": np.concatenate([[3.0], 3 + EFFECTS])},
    )
    return fit(table, ["loss"], recipe=recipe("default", folds=2, samples=4), baselines=False)


def test_the_most_informative_are_those_that_conditioning_finds():
    rng = np.random.default_rng(0)
    samples = rng.normal(size=(400, 9)) @ rng.normal(size=(9, 9)) * rng.uniform(0.2, 3, size=9)
    covariance = np.cov(samples.T, bias=True)
    noise = 0.05 * np.diag(covariance)
    taken, found = [0, 1], []
    while len(found) < 4:

        def left(measured):
            between = covariance[np.ix_(measured, range(9))]
            inner = covariance[np.ix_(measured, measured)] + np.diag(noise[measured])
            after = np.diag(covariance) - np.einsum("ij,ij->j", between, np.linalg.solve(inner, between))
            return (after / np.diag(covariance))[2:].sum()

        new = [i for i in range(2, 9) if i not in taken]
        best = min(new, key=lambda i: left([*taken, i]))
        taken.append(best)
        found.append(best - 2)
    assert most_informative(samples, 2, 4) == found


def test_joint_rows_lie_near_the_bounds_and_change_several_parts(singles):
    assert knows_joint_rows(singles["loss"].scorer)
    for most in (10, 8):
        found = joint_design(singles, "loss", 4, read_bounds([f"params <= {most}"]))
        off = [BLOCKS - len(changed_parts(SPACE, row(), one.architecture)) for one in found]
        assert len({one.architecture for one in found}) == 4
        assert all(most - 1 <= kept <= most for kept in off)
    before = [one.architecture for one in joint_design(singles, "loss", 3, read_bounds(["params <= 9"]))]
    more = joint_design(singles, "loss", 3, read_bounds(["params <= 9"]), taken=before)
    assert not {one.architecture for one in more} & set(before)
    assert joint_design(singles, "loss", 3, read_bounds(["params <= -1"])) == []


def test_suspected_pairs_come_together_first(singles):
    """Neighbours with large effects have the most uncertain interaction: one is among the first rows, random rows have few."""
    changes = single_changes(SPACE, singles["loss"].scorer.architectures)
    pool = list(joint_pool(singles, singles["loss"], changes, (), 64, seed=0, suspected=True))
    scorer = singles["loss"].scorer
    pairs = [(i, j) for i in range(BLOCKS) for j in range(i)]
    deviation = scorer.posterior_samples([row(*pair) for pair in pairs], 4_000).std(axis=0)
    assert set(pairs[int(np.argmax(deviation))]) == {2, 3}
    chosen = [one.architecture for one in joint_design(singles, "loss", 3)]
    assert any(a.modules[2] == a.modules[3] == (("off",),) for a in chosen)

    def left(measured):
        samples = scorer.posterior_samples([*pool, *measured], 2_000)
        a = samples[:, : len(pool)] - samples[:, : len(pool)].mean(axis=0)
        b = samples[:, len(pool) :] - samples[:, len(pool) :].mean(axis=0)
        rest = a - b @ np.linalg.lstsq(b, a, rcond=None)[0]
        return float((rest.var(axis=0) / a.var(axis=0)).mean())

    rng = np.random.default_rng(1)
    others = [left([pool[i] for i in rng.choice(len(pool), 3, replace=False)]) for _ in range(20)]
    assert left(chosen) < np.median(others)


def test_samples_propose_different_rows_within_the_bounds(singles):
    found = propose_jointly(singles, "loss", 5, read_bounds(["params <= 8"]))
    kept = [BLOCKS - len(changed_parts(SPACE, row(), one.architecture)) for one in found]
    assert 2 <= len({one.architecture for one in found}) == len(found) <= 5
    assert max(kept) <= 8
    best = min(3 + np.sort(EFFECTS)[:4].sum() for _ in found)
    assert min(one.prediction for one in found) <= best + 0.2


def test_priced_picks_are_within_the_bounds_and_nearly_the_best():
    short = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        problem = Problem(
            tuple(rng.normal(size=4) for _ in range(12)),
            tuple(rng.uniform(size=(4, 1)) for _ in range(12)),
            np.array([4.5]),
        )
        picks, best = _priced(problem), bounded_topk(problem, 1).picks
        assert bool(problem.feasible(picks).all())
        short.append(float(problem.values(best)[0] - problem.values(picks)[0]))
    assert min(short) > -1e-9
    assert np.mean(short) < 0.25  # a stage's scores differ by about 2
    nothing = Problem((np.zeros(2),), (np.ones((2, 1)),), np.array([0.5]))
    assert len(_priced(nothing)) == 0
