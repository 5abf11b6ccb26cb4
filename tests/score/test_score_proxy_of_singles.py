"""Proxies in tables of single changes: effects that only the proxy has measured are known, in the target's unit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nasbuild.errors import TargetError
from nasbuild.predictor import Warp, recipe, srcc
from nasbuild.predictor.additive_gp._proxy_sizes import proxy_sizes
from nasbuild.score import Fit, Trust, fit, load_fit, predict, save_fit
from nasbuild.space import Architecture, space_from_dict
from nasbuild.table import ReferenceChanges, Table

STAGES, CHOICES, DEAR = 18, ("q8", "q4", "q2"), 14
QUICK = recipe("default", samples=4, folds=2)
SPACE = space_from_dict(
    {
        "name": "quantised",
        "metrics": {"loss": {"direction": "minimize"}, "kld": {"direction": "minimize"}},
        "reference": {"type": "full"},
        "stages": [
            {"name": f"blk.{u}", "depth": [1], "features": {"type": ["full", *CHOICES]}}
            for u in range(STAGES)
        ],
    }
)
RNG = np.random.default_rng(3)
SIZES = np.exp(
    RNG.normal(size=(STAGES, 1)) + np.array([-3.0, -2.0, -0.5]) + 0.1 * RNG.normal(size=(STAGES, 3))
)
"""True effects on the loss, (stages, choices)."""


def changed(u: int | None = None, choice: str = "full") -> Architecture:
    return Architecture(tuple(((choice if own == u else "full",),) for own in range(STAGES)))


PAIRS = [(u, c) for u in range(STAGES) for c in range(3)]
ROWS = (changed(), *(changed(u, CHOICES[c]) for u, c in PAIRS))
TRUTH = np.array([0.0, *(SIZES[u, c] for u, c in PAIRS)]) + 3
KLD = np.array([0.0, *(7 * SIZES[u, c] * np.exp(0.1 * RNG.normal()) for u, c in PAIRS)])
MEASURED = np.append(0, 1 + RNG.permutation(len(PAIRS))[:DEAR])


def table(**more: np.ndarray) -> Table:
    """All single changes have a divergence, 14 a loss."""
    loss = np.full(len(ROWS), np.nan)
    loss[MEASURED] = TRUTH[MEASURED]
    names = tuple(str(n) for n in range(len(ROWS)))
    return Table(SPACE, names, ROWS, {"loss": loss, "kld": KLD, **more})


@pytest.fixture(scope="module")
def fitted() -> Fit:
    return fit(table(), ["loss"], recipe=QUICK, proxies=["kld"], baselines=False)


def trust(fit: Fit) -> Trust:
    return fit.targets[0].trust


REST = np.setdiff1d(np.arange(len(ROWS)), MEASURED)


def test_effects_that_the_proxy_measured_are_known(fitted):
    [kld] = trust(fitted).proxies
    assert (kld.used, kld.labels, kld.alone, kld.single_changes) == (True, 55, 40, 14)
    assert kld.correlation == srcc(KLD[MEASURED], TRUTH[MEASURED])
    assert "the SRCC of 14 held-out single changes is" in trust(fitted).verdict
    assert not trust(fitted).unseen
    found = predict(fitted.targets[0], [ROWS[i] for i in REST])
    effects = TRUTH[REST] - 3
    # The proxy is off by 10 %, so effects can be known about as well.
    assert np.median(np.abs((found.value - 3) / effects - 1)) < 0.15
    inside = np.abs(found.value - TRUTH[REST]) < 1.645 * found.std
    assert 0.75 < inside.mean() < 1
    alone = fit(table(), ["loss"], recipe=QUICK, baselines=False)
    without = predict(alone.targets[0], [ROWS[i] for i in REST]).value
    assert srcc(found.value, effects) > 0.97 > srcc(without, effects)


def test_measured_effects_stay_as_measured(fitted):
    found = predict(fitted.targets[0], [ROWS[i] for i in MEASURED]).value
    assert found == pytest.approx(TRUTH[MEASURED], abs=1e-3)


def test_a_saved_fit_is_the_same(fitted, tmp_path):
    save_fit(fitted, tmp_path / "fit")
    again = load_fit(tmp_path / "fit", "space")
    assert trust(again) == trust(fitted)
    assert again.targets[0].scorer.unseen == ()
    some = [ROWS[i] for i in REST]
    a, b = predict(again.targets[0], some), predict(fitted.targets[0], some)
    assert a.value.tobytes() == b.value.tobytes()
    assert a.std.tobytes() == b.std.tobytes()


@pytest.mark.parametrize("seed", range(2))
def test_a_useless_proxy_changes_nothing(seed):
    junk = np.append(0.0, np.random.default_rng(seed).permutation(KLD[1:]))
    with_it = fit(table(junk=junk), ["loss"], recipe=QUICK, proxies=["junk"], baselines=False)
    alone = fit(table(junk=junk), ["loss"], recipe=QUICK, baselines=False)
    [worth] = trust(with_it).proxies
    assert not worth.used
    a, b = (predict(one.targets[0], ROWS[:20]) for one in (with_it, alone))
    assert a.value.tobytes() == b.value.tobytes()


def test_sizes_are_the_proxys_in_the_targets_unit():
    some = [changed(), *(changed(u, "q4") for u in range(5))]
    labels = np.array(
        [3.0, 3.2, 3.4, 3.8]
    )  # effects of 0.2, 0.4, 0.8 of three changes: a fifth of the proxy's
    own = ReferenceChanges.of(SPACE, some[:4])
    assert own is not None
    ruined = np.zeros(4, dtype=bool)
    warp = replace(Warp.of(labels, 1.0), mean=3.0, std=1.0, shift=0.0, spread=1.0)
    cheap = some, np.array([0.5, 1.5, 2.5, 4.5, 0.0, 10.5])
    found = proxy_sizes(SPACE, some[:4], labels, own, ruined, cheap, warp)
    assert [one.architecture for one in found] == some[1:]
    assert [one.size for one in found] == pytest.approx([0.2, 0.4, 0.8, 0.1, 2.0])
    # Where the target is off by its own noise, no effect is expected to be smaller than that.
    noisy = np.array([3.0, 3.3, 3.4, 3.8])  # off by 0.1 and 0 where the proxy is small: 1.4826 × 0.05
    found = proxy_sizes(SPACE, some[:4], noisy, own, ruined, cheap, warp)
    assert found[3].size == pytest.approx(np.hypot(0.1, 1.4826 * 0.05))
    fewer = proxy_sizes(SPACE, some[:3], labels[:3], own.among(np.arange(3)), ruined[:3], cheap, warp)
    assert fewer == []


@pytest.mark.parametrize(
    ("gone", "text"),
    [
        ([0], "proxy 'kld': the reference has no value; measure the reference by both metrics"),
        (MEASURED[3:], "proxy 'kld': 2 single changes have a value of both metrics; at least 3 are needed"),
    ],
)
def test_what_can_not_be_a_proxy_is_refused(gone, text):
    kld = KLD.copy()
    kld[gone] = np.nan
    with pytest.raises(TargetError, match=text):
        fit(table(kld=kld), ["loss"], proxies=["kld"], baselines=False)


def test_targets_with_too_few_single_changes_are_refused():
    few = table()
    loss = np.where(np.isin(np.arange(len(ROWS)), MEASURED[:7]), few.columns["loss"], np.nan)
    with pytest.raises(TargetError, match="the target has 6 single changes; at least 7 are needed to test a"):
        fit(replace(few, columns={"loss": loss, "kld": KLD}), ["loss"], proxies=["kld"], baselines=False)
