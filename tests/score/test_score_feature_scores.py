"""Importance of feature choices: the FE-MLP's own scalars, and effects in one unit for all members."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from score_samples import SPACE, random_scorer, scorer_of

from nasbuild.predictor import GraphBatch, Shape
from nasbuild.score import feature_scores
from nasbuild.space import Architecture, encode, graph_schema, space_from_yaml
from strategies import relaxed, spaces


def test_scores_are_the_scalars_and_effects_their_differences():
    scorer = random_scorer(SPACE, 1, rows=20, members=3)
    ensemble = scorer.ensemble
    graphs = encode(SPACE, scorer.architectures)
    weight = np.array([m.srcc[0] for m in ensemble.members])
    weight /= weight.sum()
    # Norms of whole graphs at hop 0, by the networks themselves.
    norms = [net(GraphBatch.of(graphs))[1][0].detach().double().numpy() for net in ensemble.networks]
    features = {f.name: (n, f.choices) for n, f in enumerate(ensemble.schema.categorical)}
    layers = graphs.categories
    found = feature_scores(ensemble, graphs)
    assert {f.name for f in ensemble.schema.categorical} == {one.feature for one in found}
    for one in found:
        position, choices = features[one.feature]
        scalars = np.stack(
            [n.embedding.scores(position).detach().double().numpy() for n in ensemble.networks]
        )
        seen = [c for c in range(len(choices)) if (layers[:, position] == c + 1).any()]
        c = choices.index(one.choice)
        assert c in seen
        assert one.nodes == (layers[:, position] == c + 1).sum()
        assert one.score == pytest.approx(weight @ scalars[:, c], rel=1e-5)
        effects = [
            (scalars[k, c] - scalars[k, seen].mean()) / np.std(norms[k]) for k in range(len(ensemble.members))
        ]
        assert one.member_effects == pytest.approx(effects, rel=1e-4, abs=1e-6)
        mean = weight @ effects
        assert one.effect == pytest.approx(mean, rel=1e-4, abs=1e-6)
        assert one.effect_std == pytest.approx(np.sqrt(weight @ (effects - mean) ** 2), rel=1e-4, abs=1e-6)


def test_effects_of_a_feature_cancel():
    scorer = random_scorer(SPACE, 2)
    found = feature_scores(scorer.ensemble, encode(SPACE, scorer.architectures))
    for name in {one.feature for one in found}:
        each = np.array([one.member_effects for one in found if one.feature == name])
        assert each.sum(0) == pytest.approx(np.zeros(2), abs=1e-9)
        assert sum(one.effect for one in found if one.feature == name) == pytest.approx(0, abs=1e-9)


def test_what_was_never_seen_is_left_out():
    modules = (((3, "conv"),), ((7, True),), ((192,),))
    only = [Architecture(modules), Architecture((((5, "conv"),), *modules[1:]))]
    scorer = scorer_of(SPACE, only, np.array([1.0, 2.0]))
    found = feature_scores(scorer.ensemble, encode(SPACE, only))
    names = [(one.feature, one.choice) for one in found]
    # Two kernels and three stages are seen; one op, one se, one resolution and one position are not told apart.
    assert sorted(names, key=str) == sorted(
        [
            ("kernel", 3),
            ("kernel", 5),
            ("kernel", 7),
            ("stage", "one"),
            ("stage", "two"),
            ("stage", "globals"),
        ],
        key=str,
    )
    assert [one.nodes for one in found if one.feature == "kernel"] == [1, 1, 2]


def test_tables_whose_layers_differ_in_order_only_have_effects():
    space = space_from_yaml("{name: order, stages: [{depth: 4, features: {k: [1, 2, 3, 4]}}]}")
    orders = [(1, 2, 3, 4), (4, 3, 2, 1), (2, 4, 1, 3), (3, 1, 4, 2), (1, 3, 2, 4)]
    architectures = [Architecture((tuple((k,) for k in order),)) for order in orders]
    scorer = scorer_of(space, architectures, np.arange(5.0))
    found = feature_scores(scorer.ensemble, encode(space, architectures))
    # Every graph has the same norm, to the last bits at least: there is no unit but the scalar's own.
    for one in found:
        assert abs(one.effect) < 10
    kernels = [one for one in found if one.feature == "k"]
    assert kernels[0].effect - kernels[1].effect == pytest.approx(kernels[0].score - kernels[1].score)


@given(spaces())
@relaxed
def test_any_space_has_finite_effects(space):
    scorer = random_scorer(space, 3, rows=8, members=1, shape=Shape("gin", max(1, space.max_depth - 1), 4))
    found = feature_scores(scorer.ensemble, encode(space, scorer.architectures))
    choices = {f.name: f.choices for f in graph_schema(space).categorical}
    for one in found:
        assert np.isfinite([one.score, one.effect, one.effect_std, *one.member_effects]).all()
        assert one.nodes > 0
        assert one.feature in choices
    assert len({(one.feature, repr(one.choice)) for one in found}) <= len(found)
