"""Every recipe from a table to a fit folder and back; damage of any model is refused."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load, save
from score_samples import HASTY, SPACE, coarse_table, example_table

from nasbuild.errors import FitError, TableError, TargetError
from nasbuild.predictor import AdditiveRecipe, AnyRecipe, recipe
from nasbuild.score import (
    AdditiveScorer,
    Fit,
    FoldedScorer,
    GNNScorer,
    evidence_of,
    fit,
    fit_baselines,
    fit_scorers,
    load_fit,
    predict,
    save_fit,
    score_stages,
)
from nasbuild.score._scorer_file import scorers_from_bytes, scorers_to_bytes
from nasbuild.score.baselines import held_out_baseline
from nasbuild.space import sample
from strategies import relaxed, spaces

QUICK: dict[str, AnyRecipe] = {
    "default": AdditiveRecipe(samples=4, folds=3, iterations=5),
    "paper": HASTY,
    **{name: recipe(name, folds=2, contexts=4) for name in ("ridge", "lightgbm", "marginal", "ped-anova")},
}
KINDS = {"default": AdditiveScorer, "paper": GNNScorer}
pytestmark = [
    pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning"),
    pytest.mark.usefixtures("few_rounds"),
]


@cache
def made(name: str) -> Fit:
    return fit(example_table(24), ["acc", "latency"], recipe=QUICK[name], seed=2, baselines=False)


def check_equal(a: Fit, b: Fit) -> None:
    assert (a.recipe, a.seed, a.max_modules) == (b.recipe, b.seed, b.max_modules)
    some = sample(a.space, 6, np.random.default_rng(0), distinct=False)
    for one, two in zip(a.targets, b.targets, strict=True):
        assert (one.trust, one.features) == (two.trust, two.features)
        assert type(one.scorer) is type(two.scorer)
        before, after = predict(one, some), predict(two, some)
        pairs = [(getattr(before, n), getattr(after, n)) for n in ("value", "std", "shares")]
        pairs += [
            (getattr(x, n), getattr(y, n))
            for x, y in zip(one.stages, two.stages, strict=True)
            for n in ("score", "std")
        ]
        pairs += [
            (getattr(x, n), getattr(y, n))
            for x, y in zip(
                score_stages(one.scorer, max_modules=20),
                score_stages(two.scorer, max_modules=20),
                strict=True,
            )
            for n in ("score", "std", "layers")
        ]
        for x, y in pairs:
            assert x.tobytes() == y.tobytes()


@pytest.mark.parametrize("name", QUICK)
def test_a_fit_of_every_recipe_is_equal_when_read_back(name, tmp_path):
    fitted = made(name)
    save_fit(fitted, tmp_path / "a")
    back = load_fit(tmp_path / "a")
    check_equal(fitted, back)
    save_fit(back, tmp_path / "b")
    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes()
    assert isinstance(back.of("acc").scorer, KINDS.get(name, FoldedScorer))
    # Equal learning gives equal bits.
    check_equal(fitted, made.__wrapped__(name))


@pytest.mark.parametrize("name", QUICK)
def test_every_recipe_is_fitted_target_by_target(name):
    table, told = example_table(24), []
    problems = [(table.architectures, table.columns[n]) for n in ("acc", "latency")]
    found = fit_scorers(SPACE, problems, QUICK[name], progress=lambda *p: told.append(p))
    assert told == [(n, len(told)) for n in range(1, len(told) + 1)]
    for fitted, (architectures, labels) in zip(found, problems, strict=True):
        assert isinstance(fitted.scorer, KINDS.get(name, FoldedScorer))
        assert (fitted.scorer.architectures, fitted.scorer.labels.tolist()) == (
            architectures,
            labels.tolist(),
        )
        assert len({int(i) for p in fitted.parts for i in p.test}) == 24
        assert all(len(p.test) == len(p.prediction) == len(p.sums) for p in fitted.parts)
        assert all((p.inside is not None) == (name == "default") for p in fitted.parts)
        # A second target does not change the first.
    alone = fit_scorers(SPACE, problems[:1], QUICK[name])[0].scorer
    assert (
        alone.predict(table.architectures)[0].tobytes()
        == found[0].scorer.predict(table.architectures)[0].tobytes()
    )


@pytest.mark.parametrize("name", ["default", "ridge", "lightgbm"])
def test_baselines_are_all_methods_but_the_one_asked_for(name):
    table = example_table(24)
    problem = (table.architectures, table.columns["acc"])
    found = fit_baselines(SPACE, problem, QUICK[name], seed=5)
    assert [r.name for r in found] == [n for n in ("ridge", "lightgbm") if n != name]
    for one in found:
        parts = [p for _, p in held_out_baseline(SPACE, *problem, recipe(one.name), seed=5)]
        evidence = evidence_of(parts, problem[1])
        assert (one.prediction, one.modules) == (evidence.prediction, evidence.modules)


def test_a_fit_measures_its_baselines_and_tied_modules():
    fitted = fit(example_table(12), ["acc"], recipe=QUICK["default"])
    trust = fitted.of().trust
    assert [r.name for r in trust.baselines] == ["ridge", "lightgbm"]
    assert len(trust.n_tied) == 3
    assert trust.coverage is not None
    assert 0 <= trust.coverage <= 1


@pytest.mark.parametrize("name", ["default", "ridge"])
def test_too_few_labels_are_reported(name):
    with pytest.raises((TargetError, TableError), match="only 4 rows have a value; at least 5"):
        fit(example_table(4), ["acc"], recipe=QUICK[name])


@given(
    spaces(), st.integers(0, 99), st.sampled_from(["default", "ridge", "lightgbm", "marginal", "ped-anova"])
)
@settings(relaxed, max_examples=15)
def test_any_table_of_any_space_is_learnt_and_comes_back(tmp_path_factory, space, seed, name):
    table = coarse_table(space, seed)
    fitted = fit(table, ["acc"], recipe=QUICK[name], max_modules=15, baselines=False)
    found = predict(fitted.of(), sample(space, 5, np.random.default_rng(seed), distinct=False))
    for values in (found.value, found.std, found.shares, *(s.score for s in fitted.of().stages)):
        assert np.isfinite(values).all()
    folder = tmp_path_factory.mktemp("runs") / "run"
    save_fit(fitted, folder)
    check_equal(fitted, load_fit(folder))


@pytest.mark.parametrize("name", ["default", "ridge", "lightgbm"])
def test_models_of_other_arrays_are_refused(name):
    fitted = made(name)
    problems = [(one.scorer.architectures, one.scorer.labels) for one in fitted.targets]
    data = scorers_to_bytes([one.scorer for one in fitted.targets])
    arrays = load(data)

    def refused(data: bytes, asked: AnyRecipe = QUICK[name], of=problems) -> None:
        with pytest.raises(FitError, match=r"^here: "):
            scorers_from_bytes(data, fitted.space, asked, of, "here")

    for missing in arrays:
        refused(save({n: a for n, a in arrays.items() if n != missing}))
    for model in {n.rpartition(".")[0] + "." for n in arrays}:
        refused(save({n: a for n, a in arrays.items() if not n.startswith(model)}))
    refused(save(arrays | {"0.surplus": np.zeros(1)}))
    refused(save(arrays | {"9.surplus": np.zeros(1)}))
    refused(data[:-5])
    refused(data, of=problems[:1])
    for other in set(QUICK) - {name}:
        # The marginal means are a linear model as well.
        if (name, other) not in {("ridge", "marginal"), ("ridge", "ped-anova")}:
            refused(data, asked=QUICK[other])
    shorter = [(a[:10], labels[:10]) for a, labels in problems]
    if name == "default":
        refused(data, of=shorter)


def test_settings_of_every_recipe_are_written_down(tmp_path):
    changed = replace(QUICK["default"], without=("module",), interaction=False)
    fitted = fit(example_table(12), ["acc"], recipe=changed, baselines=False)
    save_fit(fitted, tmp_path / "run")
    assert load_fit(tmp_path / "run").recipe == changed
    assert "module" not in {t.name for t in load_fit(tmp_path / "run").of().scorer.gp.terms}
