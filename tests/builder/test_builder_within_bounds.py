"""Building within bounds on targets and costs, against all architectures of a table."""

from __future__ import annotations

import json

import numpy as np
import pytest
from builder_samples import QUICK

from nasbuild.builder import Bound, build, build_within, expected_values, parse_bound
from nasbuild.builder._scored_modules import scored_modules
from nasbuild.errors import NasbuildError
from nasbuild.score import fit
from nasbuild.space import (
    Architecture,
    Feature,
    Metric,
    Space,
    Stage,
    enumerate_architectures,
    sample,
    space_from_yaml,
    to_dict,
)
from nasbuild.table import Table, load_builtin, read_table

GLOBAL = space_from_yaml(
    """
    name: tiny
    metrics: {acc: {direction: maximize}, time: {direction: minimize}}
    globals: {resolution: [192, 224]}
    stages:
      - {name: one, depth: [1, 2], features: {kernel: [3, 5, 7]}}
      - {name: two, depth: [1, 2, 3], features: {kernel: [3, 5]}}
    """
)


@pytest.fixture(scope="module", params=["default", "ridge"])
def fitted(request):
    some = np.sort(np.random.default_rng(0).permutation(1728)[:90])
    table = load_builtin("digits-macro").select(some)
    return fit(table, ["acc", "loss", "latency_cpu"], recipe=QUICK[request.param], baselines=False)


@pytest.fixture(scope="module")
def everything(fitted):
    """All architectures with their summed scores by every target, (architectures, targets)."""
    found = list(enumerate_architectures(fitted.space))
    return found, np.column_stack([one.scorer.shares(found).sum(axis=1) for one in fitted.targets])


@pytest.mark.parametrize(
    ("target", "bounds"),
    [
        ("acc", ["latency_cpu <= {latency_cpu}"]),
        ("acc", ["latency_cpu <= {latency_cpu}", "loss <= {loss}"]),
        ("latency_cpu", ["acc >= {acc}", "layers <= 5"]),
        ("loss", ["layers >= 5", "layers <= 6", "acc >= {acc}"]),
    ],
)
def test_nothing_better_is_within_bounds(fitted, everything, target, bounds):
    architectures, sums = everything
    middle = {one.target.name: float(np.median(one.labels.values)) for one in fitted.targets}
    asked = [parse_bound(text.format(**middle)) for text in bounds]
    names = [one.target.name for one in fitted.targets]
    within = np.ones(len(architectures), dtype=bool)
    for bound in asked:
        if bound.name == "layers":
            value, most = np.array([sum(map(len, a.modules)) for a in architectures]), bound.value
        else:
            target_fit = fitted.of(bound.name)
            value, most = sums[:, names.index(bound.name)], target_fit.scorer.sum_at(bound.value)
        within &= bound.sign * value <= bound.sign * most + 1e-9
    sign = fitted.of(target).target.sign
    own = sign * sums[within, names.index(target)]
    assert 30 < len(own) < len(architectures)
    found = build_within(fitted, target, 20, asked)
    assert found.n_proven == len(found.built) == 20
    assert sign * np.array([one.score for one in found.built]) == pytest.approx(
        np.sort(own)[::-1][:20], abs=1e-9
    )
    place = {a: i for i, a in enumerate(architectures)}
    assert all(within[place[one.architecture]] for one in found.built)


def test_a_bound_holds_for_the_additive_label(fitted):
    # On the label's own scale, whatever the scale on which scores add up.
    target_fit = fitted.of("latency_cpu")
    labels = np.quantile(target_fit.labels.values, [0.1, 0.5, 0.9])
    for label in labels:
        assert target_fit.scorer.labels_at(np.array([target_fit.scorer.sum_at(label)]))[0] == pytest.approx(
            label
        )
    sums = [target_fit.scorer.sum_at(label) for label in labels]
    assert sums == sorted(sums)


def test_without_bounds_it_equals_build(fitted):
    found, plain = build_within(fitted, "acc", 30, []).built, build(fitted.of("acc"), 30)
    assert [one.architecture for one in found] == [one.architecture for one in plain]
    # Modules are scored by themselves here and with others there: the last digits are the processor's.
    for name in ("score", "prediction", "std"):
        mine, theirs = ([getattr(one, name) for one in some] for some in (found, plain))
        assert mine == pytest.approx(theirs, rel=1e-12)


def test_apart_is_the_number_of_differing_stages(fitted):
    found = build_within(fitted, "acc", 6, [Bound("layers", 1, 6)], apart=3)
    modules = [one.architecture.modules for one in found.built]
    for i, a in enumerate(modules):
        assert all(sum(x != y for x, y in zip(a, b, strict=True)) >= 3 for b in modules[:i])


def test_infeasible_bounds_name_the_nearest_values(fitted, everything):
    _, sums = everything
    names = [one.target.name for one in fitted.targets]
    least = float(
        fitted.of("latency_cpu").scorer.labels_at(sums[:, names.index("latency_cpu")])[
            sums[:, names.index("latency_cpu")].argmin()
        ]
    )
    with pytest.raises(NasbuildError, match="nothing is within all bounds") as caught:
        build_within(fitted, "acc", 3, [Bound("latency_cpu", 1, least * 0.5), Bound("layers", 1, 99)])
    near = parse_bound((caught.value.todo or "").removeprefix("loosen one of them: "))
    assert near == Bound("latency_cpu", 1, pytest.approx(least, rel=1e-3))
    assert build_within(fitted, "acc", 3, [near]).built
    with pytest.raises(NasbuildError, match="nothing is within") as caught:
        build_within(fitted, "acc", 3, [Bound("latency_cpu", 1, least * 0.5), Bound("layers", 1, 0)])
    assert caught.value.todo == "loosen several bounds: no single one is enough"


@pytest.mark.parametrize("name", ["macs", "params"])
def test_bounds_on_exact_costs_hold_exactly(fitted, name):
    # Of 90 labelled networks; the whole table knows the truth of all.
    whole = load_builtin("digits-macro")
    values, chosen = whole.columns[name], list(fitted.table.architectures)
    assert expected_values(fitted, name, chosen)[0] == pytest.approx(fitted.table.columns[name], rel=1e-9)
    assert expected_values(fitted, name, whole.architectures)[0] == pytest.approx(values, rel=1e-9)
    for share in (0.1, 0.5):
        most = float(np.quantile(values, share))
        found = build_within(fitted, "acc", 50, [Bound(name, 1, most)])
        assert max(values[whole.row_of[one.architecture]] for one in found.built) <= most * (1 + 1e-9)
        within = [a for a, v in zip(whole.architectures, values, strict=True) if v <= most]
        best = np.sort(fitted.of("acc").scorer.shares(within).sum(axis=1))[::-1][:50]
        assert [one.score for one in found.built] == pytest.approx(best)


def test_modules_of_undetermined_cost_are_left_out():
    # Every twentieth network: few of the last operations are seen at every place.
    table = load_builtin("digits-macro").select(range(0, 1728, 20))
    fitted = fit(table, ["acc"], recipe=QUICK["ridge"], baselines=False)
    whole = load_builtin("digits-macro")
    cost = expected_values(fitted, "macs", whole.architectures)[0]
    known = ~np.isnan(cost)
    assert 0 < known.sum() < len(whole)
    assert cost[known] == pytest.approx(whole.columns["macs"][known], rel=1e-9)
    most = float(np.median(table.columns["macs"]))
    built = build_within(fitted, "acc", 500, [Bound("macs", 1, most)]).built
    place = [whole.row_of[one.architecture] for one in built]
    assert known[place].all()
    assert whole.columns["macs"][place].max() <= most * (1 + 1e-9)


def test_a_measurement_is_not_an_exact_sum(fitted):
    with pytest.raises(
        NasbuildError,
        match="'latency_cpu_std' is not a target of this fit, and in its table not an exact sum",
    ):
        build_within(fitted, "acc", 3, [Bound("latency_cpu_std", 1, 3)])


def test_an_unknown_name_is_refused(fitted):
    with pytest.raises(NasbuildError, match="'flops' is neither a target of this fit nor a metric") as caught:
        build_within(fitted, "acc", 3, [Bound("flops", 1, 3)])
    assert "layers" in str(caught.value)


def test_globals_do_not_count_as_layers_and_searched_stages_are_merged(tmp_path):
    rng = np.random.default_rng(0)
    architectures = list(enumerate_architectures(GLOBAL))
    rows = [
        {
            "id": str(n),
            "arch": to_dict(GLOBAL, architectures[i]),
            "metrics": {
                "acc": float(rng.normal()),
                "time": float(len(architectures[i].modules[1]) + rng.random()),
            },
        }
        for n, i in enumerate(rng.permutation(len(architectures))[:40])
    ]
    path = tmp_path / "archs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    fitted = fit(
        read_table(path, GLOBAL), ["acc", "time"], recipe=QUICK["default"], baselines=False, max_modules=5
    )
    table = scored_modules(fitted.targets)
    for u in range(len(GLOBAL.stages)):
        known = {one.stages[u].module(GLOBAL, r) for one in fitted.targets for r in range(len(one.stages[u]))}
        modules = [table.module(u, i) for i in range(len(table.codes[u]))]
        assert set(modules) == known
        assert len(modules) == len(known)
        for t, one in enumerate(fitted.targets):
            assert table.scores[u][:, t] == pytest.approx(one.scorer.score_modules(u, modules)[0])
        assert expected_values(fitted, "layers", [table.architecture([0, 0, 0])])[0][0] == sum(
            len(table.module(v, 0)) for v in range(2)
        )
    built = build_within(fitted, "acc", 5, [Bound("layers", 1, 2)]).built
    assert all(len(b.architecture.modules[0]) == len(b.architecture.modules[1]) == 1 for b in built)


def switches(rows: int, parts: int = 12) -> tuple[Table, np.ndarray]:
    """Blocks of two parts that are on or off, some of which are never off together; the cost of each part."""
    stages = tuple(
        Stage(f"b{u}", (1,), (Feature("attn", ("on", "off")), Feature("mlp", ("on", "off"))))
        for u in range(parts // 2)
    )
    space = Space(
        "switches", stages, {"loss": Metric("loss", "minimize"), "bytes": Metric("bytes", "minimize")}
    )
    rng = np.random.default_rng(1)
    off = rng.random((rows, parts)) < 0.3
    off[:, 1] &= ~off[:, 0]
    off = np.unique(off, axis=0)
    cost = rng.uniform(1, 3, parts)
    architectures = tuple(
        Architecture(
            tuple((tuple("off" if x else "on" for x in row[2 * u : 2 * u + 2]),) for u in range(parts // 2))
        )
        for row in off
    )
    columns = {"loss": off @ rng.uniform(0.1, 1, parts), "bytes": (~off) @ cost}
    return Table(space, tuple(map(str, range(len(off)))), architectures, columns), cost


def test_a_sum_over_choices_extends_to_unseen_layers():
    table, cost = switches(60)
    fitted = fit(table, ["loss"], recipe=QUICK["ridge"], baselines=False)
    some = sample(table.space, 40, np.random.default_rng(2))
    off = np.array([[c == "off" for module in a for c in module[0]] for a in some])
    assert (off[:, 0] & off[:, 1]).any()
    assert not any(a.modules[0] == (("off", "off"),) for a in table.architectures)
    assert expected_values(fitted, "bytes", some)[0] == pytest.approx((~off) @ cost, rel=1e-9)


def test_a_stage_without_determined_costs_is_refused():
    table, cost = switches(60)
    # What no row has in one stage but together with a choice of another one can't be told apart.
    together = [a for a in table.architectures if (a.modules[0] == a.modules[1])]
    small = table.select([table.row_of[a] for a in together])
    fitted = fit(small, ["loss"], recipe=QUICK["ridge"], baselines=False)
    with pytest.raises(NasbuildError, match=r"does not determine|can't show"):
        build_within(fitted, "loss", 3, [Bound("bytes", 1, float(cost.sum()))])
