"""Proxies: used where held-out labels confirm them, without effect where not, and named where they can't be used."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nasbuild.builder import build, propose
from nasbuild.errors import FitError, TargetError
from nasbuild.predictor import recipe, srcc
from nasbuild.score import Agreement, Fit, HeldOut, ProxyWorth, Trust, fit, load_fit, predict, save_fit
from nasbuild.score._proxy import density_gain, with_best_used, worth_text
from nasbuild.space import Architecture
from nasbuild.table import Table, load_builtin

TABLE = load_builtin("digits-macro")
ROWS = np.random.default_rng(2).permutation(len(TABLE))
QUICK = recipe("default", samples=4)
REST = ROWS[120:400]


def table(**more: np.ndarray) -> Table:
    """120 rows: 20 have a loss, 110 an accuracy."""
    some = TABLE.select(ROWS[:120])
    loss, acc = some.columns["loss"].copy(), some.columns["acc"].copy()
    loss[20:], acc[:10] = np.nan, np.nan
    return replace(some, columns={"loss": loss, "acc": acc, **more})


@pytest.fixture(scope="module")
def fitted() -> Fit:
    noise = np.random.default_rng(0).normal(size=120)
    return fit(table(junk=noise), ["loss"], recipe=QUICK, proxies=["junk", "acc"], baselines=False)


def trust(fit: Fit) -> Trust:
    return fit.targets[0].trust


def test_the_proxy_that_helps_is_used(fitted):
    junk, acc = trust(fitted).proxies
    assert (junk.proxy, junk.used, acc.proxy, acc.used) == ("junk", False, "acc", True)
    assert (acc.labels, acc.alone, acc.fitted) == (110, 100, 110)
    assert (junk.labels, junk.alone) == (120, 100)
    assert acc.correlation == srcc(fitted.table.columns["acc"][10:20], fitted.table.columns["loss"][10:20])
    assert acc.evidence > 5 > junk.evidence
    assert trust(fitted).prediction == acc.with_proxy
    assert trust(fitted).labels == fitted.targets[0].scorer.n_fitted == 20
    assert "With the proxy acc (110 labels, 100 of them where the target has none) the SRCC of y' is" in (
        trust(fitted).verdict
    )
    alone = fit(table(), ["loss"], recipe=QUICK, baselines=False)
    truth, others = TABLE.columns["loss"][REST], [TABLE.architectures[i] for i in REST]
    found, without = (srcc(predict(one.targets[0], others).value, truth) for one in (fitted, alone))
    assert found > without + 0.02
    assert acc.without == trust(alone).prediction


def test_a_proxy_that_is_not_used_changes_nothing():
    noise = np.random.default_rng(1).normal(size=120)
    with_it = fit(table(junk=noise), ["loss"], recipe=QUICK, proxies=["junk"], baselines=False)
    alone = fit(table(junk=noise), ["loss"], recipe=QUICK, baselines=False)
    [junk] = trust(with_it).proxies
    assert not junk.used
    assert "so the fit does not use it" in trust(with_it).verdict
    others = TABLE.architectures[:50]
    a, b = (predict(one.targets[0], others) for one in (with_it, alone))
    assert a.value.tobytes() == b.value.tobytes()
    assert a.std.tobytes() == b.std.tobytes()
    assert trust(with_it).modules == trust(alone).modules


def test_everything_else_speaks_of_the_target(fitted, tmp_path):
    [loss] = fitted.targets
    low, high = loss.labels.values.min(), loss.labels.values.max()
    found = predict(loss, [TABLE.architectures[i] for i in REST])
    assert low - 0.5 < found.value.min() < found.value.max() < high + 0.5
    summed = found.shares.sum(axis=1)
    assert srcc(summed, TABLE.columns["loss"][REST]) > 0.8
    assert [len(some) for some in (build(loss, 3), propose(loss, 3))] == [3, 3]
    save_fit(fitted, tmp_path / "fit")
    again = load_fit(tmp_path / "fit", "space")
    assert again.proxies == ("junk", "acc")
    assert trust(again) == trust(fitted)
    same = predict(again.targets[0], [TABLE.architectures[i] for i in REST])
    assert same.value.tobytes() == found.value.tobytes()
    assert same.std.tobytes() == found.std.tobytes()


def test_choices_that_only_rows_of_the_proxy_have_are_known():
    """The proxy's rows say what such a choice is worth; without them it is unseen."""

    def has(architecture: Architecture) -> bool:
        return any("mb_e6_k5" in layer for module in architecture for layer in module)

    some = table()
    loss = np.where([has(a) for a in some.architectures], np.nan, TABLE.columns["loss"][ROWS[:120]])
    some = replace(some, columns={"loss": loss, "acc": TABLE.columns["acc"][ROWS[:120]]})
    alone = fit(some, ["loss"], recipe=QUICK, baselines=False)
    linked = fit(some, ["loss"], recipe=QUICK, proxies=["acc"], baselines=False)
    assert trust(alone).unseen
    assert trust(linked).proxies[0].used == (not trust(linked).unseen)


def held_out(density: list[float]) -> HeldOut:
    values = np.array(density)
    return HeldOut(np.arange(len(values)), values, values, density=values)


def test_gains_are_means_over_held_out_labels_with_their_standard_errors():
    alone = [held_out([-1.0, -3.0]), held_out([-2.0])]
    found = density_gain([held_out([-0.5, -0.5]), held_out([-0.5])], alone)  # gains of 0.5, 2.5 and 1.5
    assert found == pytest.approx((1.5, 1 / np.sqrt(3)))


def test_of_several_confirmed_proxies_the_one_with_most_nats_is_used():
    some = Agreement.of([0.9])
    clear, clearer, wrong, useless = (
        ProxyWorth("p", 100, 90, 100, None, some, some, some, some, nats, 0.1, evidence, used=False)
        for nats, evidence in ((-0.1, 12.0), (0.3, 8.0), (-0.3, 20.0), (0.9, 1.0))
    )
    used = [one.used for one in with_best_used([clear, clearer, wrong, useless])]
    assert used == [False, True, False, False]
    assert [one.used for one in with_best_used([wrong, useless])] == [False, False]
    assert with_best_used([]) == ()
    text = worth_text(with_best_used([clear, clearer, wrong, useless]))
    assert [part.split(": ")[1] for part in text.rstrip(".").split(". With")] == [
        "another proxy is worth more",
        "the labels show a clear link, so the fit uses it",
        "held-out labels contradict it, so the fit does not use it",
        "the labels show no clear link to it, so the fit does not use it",
    ]


@pytest.mark.parametrize(
    ("proxies", "more", "text"),
    [
        (["acd"], {}, "there is no metric 'acd'"),
        (["loss"], {}, "proxy 'loss': is the target itself"),
        (["-loss"], {}, "proxy 'loss': is the target itself"),
        (["acc", "acc"], {}, "proxy 'acc': is given twice"),
        (["few"], {}, "proxy 'few': only 9 rows have a value; at least 10 are needed"),
        (["acc"], {"recipe": recipe("ridge")}, "recipe 'ridge' learns from no proxy"),
    ],
)
def test_what_can_not_be_a_proxy_is_refused(proxies, more, text):
    few = np.where(np.arange(120) < 9, np.arange(120.0), np.nan)
    with pytest.raises(TargetError, match=text):
        fit(table(few=few), ["loss"], proxies=proxies, baselines=False, **more)


def test_single_changes_of_the_proxy_alone_are_refused():
    """Random rows of the target can't tell how the proxy's effects of single changes add up."""
    space = replace(TABLE.space, reference=TABLE.architectures[0])
    first = TABLE.architectures[0]
    near = [n for n, a in enumerate(TABLE.architectures) if 0 < _changes(first, a) < 3]
    some = replace(TABLE, space=space).select([*ROWS[:60], 0, *near])
    acc, loss = some.columns["acc"].copy(), some.columns["loss"].copy()
    acc[:60], loss[60:] = np.nan, np.nan
    some = replace(some, columns={"acc": acc, "loss": loss})
    with pytest.raises(TargetError, match="has single changes of a reference, but the target does not"):
        fit(some, ["loss"], proxies=["acc"], baselines=False)


def _changes(a: Architecture, b: Architecture) -> int:
    if any(len(m) != len(n) for m, n in zip(a, b, strict=True)):
        return 9
    return sum(x != y for m, n in zip(a, b, strict=True) for x, y in zip(m, n, strict=True))


def test_a_folder_whose_proxy_is_gone_is_damaged(fitted, tmp_path):
    save_fit(fitted, tmp_path / "fit")
    file = tmp_path / "fit" / "fit.json"
    file.write_text(file.read_text().replace('"proxies": [\n  "junk"', '"proxies": [\n  "acd"'))
    with pytest.raises(FitError, match="is damaged"):
        load_fit(tmp_path / "fit")
