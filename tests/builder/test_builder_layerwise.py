"""Deep stages against integer programs, and against the same space as many stages."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from deep_samples import QUICK, codes_of, deep_space, deep_table, integer_program

from nasbuild.builder import Bound, build_predicted, build_within, parse_bound
from nasbuild.builder._bound_columns import limits_of
from nasbuild.builder._layerwise import layerwise_space
from nasbuild.builder._layerwise_topk import layerwise_topk
from nasbuild.errors import NasbuildError
from nasbuild.predictor import recipe
from nasbuild.score import fit
from nasbuild.space import Architecture, Space, Stage

pytestmark = pytest.mark.usefixtures("few_rounds")


def drawn(layers: int, choices: int, costs: int, seed: int):
    """Worth of every choice at every layer, and costs, (layers, choices)."""
    rng = np.random.default_rng(seed)
    worth = np.cumsum(rng.exponential(size=(layers, choices)), axis=1) * rng.exponential(size=(layers, 1))
    return worth, [np.cumsum(rng.integers(1, 9, (layers, choices)), axis=1) * 1.0 for _ in range(costs)]


def metric(table: np.ndarray):
    return lambda codes: float(table[np.arange(len(codes)), codes[:, 0]].sum())


@cache
def target_fit(layers: int, choices: int, costs: int, seed: int, how: str):
    """Fits once for all tests that ask for the same."""
    worth, spent = drawn(layers, choices, costs, seed)
    names = [f"c{k}" for k in range(costs)]
    space = deep_space([layers], choices, ["acc", *names])
    values = {"acc": metric(worth)} | dict(zip(names, map(metric, spent), strict=True))
    table = deep_table(space, layers * (choices - 1) + 40, values)
    return fit(table, ["acc"], recipe=QUICK[how], baselines=False, max_modules=500), worth, spent


@pytest.mark.parametrize(
    ("layers", "choices", "costs", "how"),
    [
        (24, 2, 1, "ridge"),
        (30, 3, 2, "ridge"),
        (20, 6, 3, "ridge"),
        (24, 2, 1, "default"),
        (12, 4, 2, "default"),
    ],
)
def test_the_best_matches_an_integer_program(layers, choices, costs, how):
    fitted, worth, spent = target_fit(layers, choices, costs, 3 + layers, how)
    assert fitted.targets[0].stages[0].searched
    for share in (0.3, 0.6):
        most = [float(share * c[:, -1].sum() + (1 - share) * c[:, 0].sum()) for c in spent]
        bounds = [Bound(f"c{k}", 1, m) for k, m in enumerate(most)]
        best = integer_program(worth, spent, most)
        for found in (build_within(fitted, None, 1, bounds), build_predicted(fitted, None, 1, bounds)):
            codes = codes_of(fitted.space, found.built[0].architecture)
            assert all(metric(c)(codes) <= m + 1e-9 for c, m in zip(spent, most, strict=True))
            # Labels are sums without noise; what is learnt of them is nearly the truth, by ridge with a small shrinkage.
            assert metric(worth)(codes) >= best - 0.01 * np.ptp(worth, axis=1).sum()
        within = build_within(fitted, None, 1, bounds)
        if how == "ridge":
            # By what was learnt, exactly.
            model = fitted.targets[0].scorer
            reference = np.zeros((1, layers, 1), dtype=np.int16)
            base = float(model.score(0, reference)[0][0])
            own = np.zeros_like(worth)
            for place in range(layers):
                for choice in range(choices):
                    changed = reference.copy()
                    changed[0, place, 0] = choice
                    own[place, choice] = float(model.score(0, changed)[0][0]) - base
            assert within.built[0].score == pytest.approx(base + integer_program(own, spent, most), abs=1e-7)
            assert within.n_proven == 1


def test_a_deep_stage_equals_many_single_layer_stages():
    fitted, _, spent = target_fit(14, 3, 1, 5, "ridge")
    many = Space(
        "many",
        tuple(Stage(f"l{i}", (1,), fitted.space.stages[0].features) for i in range(14)),
        fitted.space.metrics,
    )
    split = [Architecture(tuple((layer,) for layer in a.modules[0])) for a in fitted.table.architectures]
    table = type(fitted.table)(many, fitted.table.ids, tuple(split), fitted.table.columns)
    other = fit(table, ["acc"], recipe=QUICK["ridge"], baselines=False)
    for share in (0.25, 0.5, 0.8):
        bound = Bound("c0", 1, float(share * spent[0][:, -1].sum() + (1 - share) * spent[0][:, 0].sum()))
        one, two = (build_within(r, None, 5, [bound]) for r in (fitted, other))
        assert one.n_proven == two.n_proven == 5
        assert [b.score for b in one.built] == pytest.approx([b.score for b in two.built])
        same = [tuple((layer,) for layer in b.architecture.modules[0]) for b in one.built]
        assert same[0] == two.built[0].architecture.modules


def test_two_sided_bounds_and_equalities_hold_for_exact_costs():
    fitted, _, spent = target_fit(24, 2, 1, 7, "ridge")
    middle = float(np.round((spent[0][:, 0].sum() + spent[0][:, 1].sum()) / 2))
    found = build_within(fitted, None, 3, [Bound("c0", 1, middle), Bound("c0", -1, middle)])
    assert len(found.built) == 3
    for one in found.built:
        assert metric(spent[0])(codes_of(fitted.space, one.architecture)) == middle


@pytest.mark.parametrize("how", [build_within, build_predicted])
def test_an_infeasible_bound_names_the_nearest_value(how):
    fitted, _, spent = target_fit(24, 2, 1, 7, "ridge")
    least = float(spent[0][:, 0].sum())
    with pytest.raises(NasbuildError, match="nothing is within all bounds") as caught:
        how(fitted, None, 1, [Bound("c0", 1, least - 1)])
    near = parse_bound((caught.value.todo or "").removeprefix("loosen one of them: "))
    assert near == Bound("c0", 1, pytest.approx(least, rel=1e-3))
    assert how(fitted, None, 1, [near]).built
    assert how(fitted, None, 1, [Bound("c0", 1, least)]).built


@pytest.mark.parametrize("value", [1e15, 1e300, -1e15, -1e308])
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("how", [build_within, build_predicted])
def test_extreme_bounds_are_void_or_infeasible(value, sign, how):
    fitted, *_ = target_fit(24, 2, 1, 7, "ridge")
    for name in ("c0", "acc"):
        if sign * value > 0:
            found = how(fitted, None, 1, [Bound(name, sign, value)])
            assert found.built[0].score == pytest.approx(how(fitted, None, 1, []).built[0].score)
        else:
            with pytest.raises(NasbuildError, match="nothing"):
                how(fitted, None, 1, [Bound(name, sign, value)])


def pairwise_run(depths: tuple[int, ...], max_modules: int, merges: bool = False):
    """A stage whose layers matter together, and one beside it that matters with it."""
    rng = np.random.default_rng(1)
    from nasbuild.space import Feature, Metric
    from nasbuild.table import Table

    ops = ("conv", "skip", "pool") if merges else ("a", "b", "c")
    deep_one = Stage("deep", depths, (Feature("op", ops),))
    other = Stage("flat", (1,), (Feature("size", (1, 2, 4), "numeric"),))
    metrics = {"acc": Metric("acc", "maximize"), "time": Metric("time", "minimize")}
    space = Space("pairs", (deep_one, other), metrics)
    alone, pair = rng.normal(size=(9, 3)), rng.normal(size=(9, 3, 9, 3))
    architectures, acc, time = [], [], []
    for _ in range(220):
        depth = int(rng.choice(depths))
        codes = rng.integers(3, size=depth)
        size = int(rng.integers(3))
        kept = [int(c) for i, c in enumerate(codes) if i == 0 or not merges or c != 1]
        value = sum(alone[i, c] for i, c in enumerate(kept))
        value += 0.7 * sum(pair[i, c, j, d] for i, c in enumerate(kept) for j, d in enumerate(kept) if i < j)
        architectures.append(
            Architecture(
                (
                    deep_one.decode(codes[:, None].astype(np.int16)),
                    other.decode(np.array([[size]], dtype=np.int16)),
                )
            )
        )
        acc.append(value + 0.5 * (size - 1) * kept.count(0))
        time.append(len(kept) + 0.6 * kept.count(2) * (size + 1))
    unique = {a: i for i, a in enumerate(architectures)}
    some = list(unique.values())
    table = Table(
        space,
        tuple(f"r{i}" for i in some),
        tuple(unique),
        {"acc": np.array(acc)[some], "time": np.array(time)[some]},
    )
    few = recipe("default", samples=4, folds=2, iterations=40)
    return fit(table, ["acc", "time"], recipe=few, baselines=False, max_modules=max_modules)


@pytest.fixture(scope="module")
def both():
    """The same fit, once with its deep stage listed, once too deep to list."""
    from dataclasses import replace

    from nasbuild.score import score_stages

    whole = pairwise_run((4, 6), 10_000)
    stages = [tuple(score_stages(one.scorer, max_modules=60)) for one in whole.targets]
    parts = tuple(replace(one, stages=own) for one, own in zip(whole.targets, stages, strict=True))
    return whole, replace(whole, targets=parts, max_modules=60)


@pytest.mark.parametrize("share", [0.2, 0.5, 1.1])
def test_interacting_layers_match_a_listed_stage(both, share):
    listed, searched = both
    assert searched.targets[0].stages[0].searched
    assert not listed.targets[0].stages[0].searched
    most = float(np.quantile(listed.of("time").labels.values, min(share, 1.0)) * max(share, 1.0))
    for bounds in ([Bound("time", 1, most)], [Bound("time", 1, most), Bound("layers", -1, 4)]):
        one, two = (build_within(fitted, "acc", 8, bounds) for fitted in (listed, searched))
        assert [b.score for b in two.built[:1]] == pytest.approx([b.score for b in one.built[:1]], abs=1e-7)
        assert [b.score for b in two.built] == pytest.approx([b.score for b in one.built], abs=1e-7)
        one, two = (build_predicted(fitted, "acc", 8, bounds) for fitted in (listed, searched))
        assert one.proven
        assert [b.prediction for b in two.built] == pytest.approx([b.prediction for b in one.built], abs=1e-7)
        # What is said of the best there may be is true.
        if not two.proven:
            assert two.built[0].prediction + two.gap >= one.built[0].prediction - 1e-9


def test_parts_match_the_scorer(both):
    _, fitted = both
    targets = list(fitted.targets)
    limits, costs = limits_of(targets, {}, [])
    whole = layerwise_space(targets, fitted, costs, limits, interactions=True)
    rng = np.random.default_rng(4)
    for n in range(len(whole.parts[0])):
        own = whole.grid((n, 0))
        sizes = [len(s) for s in own.predicted.scores]
        picks = np.column_stack([rng.integers(size, size=30) for size in sizes])
        picks = picks[own.valid(picks)]
        architectures = own.architectures(picks)
        values = own.predicted.values(picks)
        for t, one in enumerate(targets):
            assert one.scorer.labels_at(values[:, t]) == pytest.approx(
                one.scorer.predict(architectures)[0], abs=1e-7
            )
        for slot in range(len(sizes)):
            swapped = own.predicted.swaps(picks[:3], slot)
            for option in range(sizes[slot]):
                changed = picks[:3].copy()
                changed[:, slot] = option
                assert swapped[:, option] == pytest.approx(own.predicted.values(changed), abs=1e-9)
    assert layerwise_topk(whole, 1, 3).architectures


def test_scorers_without_layer_sums_use_scalarised_search():
    worth, spent = drawn(16, 2, 1, 9)
    space = deep_space([16], 2, ["acc", "c0"])
    table = deep_table(space, 120, {"acc": metric(worth), "c0": metric(spent[0])})
    fitted = fit(
        table, ["acc"], recipe=recipe("lightgbm", folds=2, contexts=2), baselines=False, max_modules=2_000
    )
    most = float(0.35 * spent[0][:, -1].sum() + 0.65 * spent[0][:, 0].sum())
    found = build_within(fitted, None, 1, [Bound("c0", 1, most)])
    assert found.n_proven == 0
    codes = codes_of(space, found.built[0].architecture)
    assert metric(spent[0])(codes) <= most
    # As a share of the possible range: 1 is the integer program's optimum, 0 the worst within the bound.
    best = integer_program(worth, spent, [most])
    assert metric(worth)(codes) > worth[:, 0].sum() + 0.7 * (best - worth[:, 0].sum())
