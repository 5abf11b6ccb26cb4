"""Declared costs with products of neighbouring layers, against all architectures of a space."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from deep_samples import QUICK, codes_of

from nasbuild.builder import Bound, build_front, build_predicted, build_within, expected_values, parse_bound
from nasbuild.errors import NasbuildError
from nasbuild.score import fit, score_stages
from nasbuild.space import (
    Cost,
    CostFactor,
    CostProduct,
    Feature,
    Metric,
    Space,
    Stage,
    enumerate_architectures,
    sample,
)
from nasbuild.table import Table

WIDTHS = (8, 16, 24, 40, 64)
MACS = Cost(
    "macs",
    sum=(CostProduct(2.0, (CostFactor("width"), CostFactor("width", "previous")), first=(("width", 3.0),)),),
)


def macs(codes: np.ndarray) -> float:
    width = np.array([3, *(WIDTHS[c] for c in codes[:, 0])], dtype=float)
    return float(2 * (width[1:] * width[:-1]).sum())


def acc(codes: np.ndarray) -> float:
    width = np.array([WIDTHS[c] for c in codes[:, 0]], dtype=float)
    return float((np.log(width) * [1, 1.5, 0.7, 2, 1.2]).sum() + 0.3 * np.log(width).min())


def made(depths: tuple[int, ...], *, declared: bool, rows: int = 140) -> tuple[Space, Table]:
    """Five layers in so many stages."""
    feature = Feature("width", WIDTHS, "numeric")
    stages = tuple(Stage(f"s{u}", (depth,), (feature,)) for u, depth in enumerate(depths))
    metrics = {"acc": Metric("acc", "maximize"), "macs": Metric("macs", "minimize")}
    space = Space("widths", stages, metrics, **({"costs": {"macs": MACS}} if declared else {}))
    found = sample(space, rows, np.random.default_rng(8))
    columns = {
        name: np.array([f(codes_of(space, a)) for a in found]) for name, f in (("acc", acc), ("macs", macs))
    }
    return space, Table(space, tuple(f"r{i}" for i in range(rows)), tuple(found), columns)


@pytest.fixture(
    scope="module",
    params=[
        ("declared", (1,) * 5),
        ("table", (1,) * 5),
        ("declared", (2, 3)),
        ("declared", (5,)),
        ("table", (2, 1, 2)),
    ],
    ids=str,
)
def fitted(request):
    how, depths = request.param
    _, table = made(depths, declared=how == "declared")
    found = fit(table, ["acc", "macs"], recipe=QUICK["ridge"], baselines=False)
    if max(depths) > 1:
        parts = tuple(
            replace(one, stages=tuple(score_stages(one.scorer, max_modules=4))) for one in found.targets
        )
        found = replace(found, targets=parts, max_modules=4)
    return found


@pytest.fixture(scope="module")
def everything(fitted):
    """All architectures, their summed scores, and their true cost."""
    every = list(enumerate_architectures(fitted.space))
    codes = [codes_of(fitted.space, a) for a in every]
    return every, fitted.of("acc").scorer.shares(every).sum(axis=1), np.array([macs(c) for c in codes])


def test_the_cost_of_every_architecture_is_known(fitted, everything):
    every, _, true = everything
    value, std = expected_values(fitted, "macs", every)
    assert value == pytest.approx(true, rel=1e-9)
    assert not std.any()


@pytest.mark.parametrize("share", [0.1, 0.4, 0.75])
def test_nothing_better_is_within_the_true_cost(fitted, everything, share):
    _, sums, true = everything
    most = float(np.quantile(true, share))
    for how in (build_within, build_predicted):
        found = how(fitted, "acc", 10, [Bound("macs", 1, most)])
        spent = [macs(codes_of(fitted.space, one.architecture)) for one in found.built]
        assert max(spent) <= most * (1 + 1e-9)
        assert [one.score for one in found.built] == pytest.approx(np.sort(sums[true <= most])[::-1][:10])
    exactly = float(true[np.argsort(true)[len(true) // 2]])
    found = build_within(fitted, "acc", 3, [Bound("macs", 1, exactly), Bound("macs", -1, exactly)])
    assert {macs(codes_of(fitted.space, one.architecture)) for one in found.built} == {exactly}


def test_an_infeasible_bound_names_the_nearest_value(fitted, everything):
    least = float(everything[2].min())
    with pytest.raises(NasbuildError, match="nothing is within all bounds") as caught:
        build_within(fitted, "acc", 1, [Bound("macs", 1, least - 1)])
    near = parse_bound((caught.value.todo or "").removeprefix("loosen one of them: "))
    assert near == Bound("macs", 1, pytest.approx(least, rel=1e-3))
    assert build_within(fitted, "acc", 1, [near]).built


def test_a_front_respects_a_bound_on_a_product(fitted, everything):
    most = float(np.quantile(everything[2], 0.3))
    front = build_front(fitted, 10, bounds=[Bound("macs", 1, most)])
    assert max(macs(codes_of(fitted.space, a)) for a in front.architectures) <= most * (1 + 1e-9)


def test_large_spaces_with_products_nearly_match_dynamic_programming():
    rng = np.random.default_rng(2)
    feature = Feature("width", WIDTHS, "numeric")
    space = Space(
        "long",
        tuple(Stage(f"s{u}", (1,), (feature,)) for u in range(12)),
        {"acc": Metric("acc", "maximize")},
        {"macs": MACS},
    )
    worth = rng.exponential(size=12)
    found = sample(space, 120, rng)
    labels = np.array([(np.log(np.array(WIDTHS)[codes_of(space, a)[:, 0]]) * worth).sum() for a in found])
    table = Table(space, tuple(f"r{i}" for i in range(120)), tuple(found), {"acc": labels})
    fitted = fit(table, ["acc"], recipe=QUICK["ridge"], baselines=False)
    own = np.stack(
        [
            stage.score[np.argsort([stage.code(i)[0, 0] for i in range(5)])]
            for stage in fitted.targets[0].stages
        ]
    )
    for most in (8_000, 25_000):
        # By all costs that occur: the most of the first layers' scores, by their last width.
        best: list[dict[float, float]] = [{2.0 * 3 * w: own[0, c]} for c, w in enumerate(WIDTHS)]
        for layer in range(1, 12):
            after: list[dict[float, float]] = [{} for _ in WIDTHS]
            for c, w in enumerate(WIDTHS):
                for b, before in enumerate(WIDTHS):
                    for spent, score in best[b].items():
                        total = spent + 2.0 * w * before
                        if total <= most:
                            after[c][total] = max(after[c].get(total, -np.inf), score + own[layer, c])
            best = after
        limit = max(max(d.values()) for d in best if d)
        built = build_within(fitted, None, 3, [Bound("macs", 1, most)])
        assert all(macs(codes_of(space, one.architecture)) <= most for one in built.built)
        assert built.built[0].score <= limit + 1e-9
        assert built.built[0].score >= limit - 0.01 * np.ptp(own, axis=1).sum()
        assert built.n_proven or built.built[0].score + built.gap >= limit - 1e-9


def test_an_opaque_cost_holds_for_everything_built(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "def cost(arch):\n    w = [3] + [layer['width'] for stage in arch['stages'] for layer in stage]\n"
        "    return sum(a * b for a, b in zip(w, w[1:])) + 5 * max(w) ** 2\n"
    )
    space, table = made((1,) * 5, declared=False)
    space = replace(space, costs={"own": Cost("own", function=f"{path}:cost")})
    fitted = fit(replace(table, space=space), ["acc", "macs"], recipe=QUICK["ridge"], baselines=False)
    every = list(enumerate_architectures(space))
    true = space.costs["own"].values(space, every)
    sums = fitted.of("acc").scorer.shares(every).sum(axis=1)
    for share, how, proof in ((0.1, build_within, "n_proven"), (0.5, build_predicted, "proven")):
        most = float(np.quantile(true, share))
        found = how(fitted, "acc", 10, [Bound("own", 1, most)])
        assert expected_values(fitted, "own", [one.architecture for one in found.built])[0].max() <= most
        assert found.built[0].score >= sums[true <= most].max() - 0.05 * np.ptp(sums)
        assert not getattr(found, proof)
    front = build_front(fitted, 5, bounds=[Bound("own", 1, most)])
    assert expected_values(fitted, "own", front.architectures)[0].max() <= most
