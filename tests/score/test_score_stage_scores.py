"""All modules of a stage in order, or the ends that a search finds, held against all of them."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from score_samples import SPACE, random_scorer, wide_stage

from nasbuild.score import StageScores, score_stage, score_stages
from nasbuild.space import Space, count_modules, load_space, module_key, sample_codes
from strategies import all_modules, relaxed, spaces

OFA = load_space("ofa-mobilenet-v3")


def check_order(scores: StageScores) -> None:
    assert (np.diff(scores.score) <= 0).all()
    assert len(scores.score) == len(scores.std) == len(scores.offsets) - 1 == len(scores)
    assert scores.offsets[0] == 0
    assert scores.offsets[-1] == len(scores.layers)


@given(spaces())
@relaxed
def test_every_module_of_every_stage_stands_there_once_in_order(space):
    scorer = random_scorer(space, 1, members=1)
    done = []
    found = score_stages(scorer, stage_done=lambda *d: done.append(d))
    assert done == [(n + 1, len(space.stages)) for n in range(len(space.stages))]
    for u, (stage, scores) in enumerate(zip(space.stages, found, strict=True)):
        check_order(scores)
        modules = [scores.module(space, rank) for rank in range(len(scores))]
        assert sorted(modules, key=repr) == sorted(all_modules(stage), key=repr)
        assert len(set(map(repr, modules))) == len(modules) == count_modules(stage)
        assert (scores.stage, scores.scored, scores.total, scores.searched) == (
            u,
            len(modules),
            len(modules),
            False,
        )


def test_positions_hold_their_own_scores():
    scorer = random_scorer(SPACE, 2)
    for u, scores in enumerate(score_stages(scorer)):
        for rank in range(len(scores)):
            score, std = scorer.score(u, scores.code(rank)[None])
            assert scores.score[rank] == pytest.approx(score[0], rel=1e-5)
            assert scores.std[rank] == pytest.approx(std[0], rel=1e-3, abs=1e-6)


def test_best_follows_the_sign():
    scores = score_stage(random_scorer(SPACE, 3), 1)
    n = len(scores)
    assert scores.best(1).tolist() == list(range(n))
    assert scores.best(-1).tolist() == list(range(n))[::-1]
    assert scores.best(1, 3).tolist() == [0, 1, 2]
    assert scores.best(-1, 2).tolist() == [n - 1, n - 2]
    assert scores.best(1, 10**6).tolist() == list(range(n))


def test_parts_do_not_change_the_scores(monkeypatch):
    scorer = random_scorer(SPACE, 4)
    whole = score_stages(scorer)
    monkeypatch.setattr("nasbuild.score._stage_scores._CHUNK", 3)
    for a, b in zip(whole, score_stages(scorer), strict=True):
        assert b.score == pytest.approx(a.score, rel=1e-5)
        assert (a.scored, a.total) == (b.scored, b.total)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("budget", [1_000, 2_000])
def test_a_search_finds_the_best_and_the_worst(seed, budget):
    scorer = random_scorer(OFA, seed, rows=40)
    full = score_stage(scorer, 1)
    found = score_stage(scorer, 1, max_modules=budget, seed=seed)
    assert (full.searched, full.scored, full.total) == (False, 7_371, 7_371)
    assert (found.searched, found.scored, found.total) == (True, budget, 7_371)
    check_order(found)
    # The best and the worst of all, and most of the ten at each end.
    assert found.score[0] == pytest.approx(full.score[0], rel=1e-5)
    assert found.score[-1] == pytest.approx(full.score[-1], rel=1e-5)
    keys = {module_key(found.code(rank)) for rank in range(len(found))}
    assert len(keys) == len(found) == budget
    ends = [*range(10), *range(len(full) - 10, len(full))]
    assert sum(module_key(full.code(rank)) in keys for rank in ends) >= 16


def test_a_search_scores_no_module_twice_and_no_more_than_it_may():
    scorer = random_scorer(OFA, 9)
    scored = []
    plain = type(scorer).score

    class Counting(type(scorer)):
        def score(self, stage, codes):
            scored.extend(module_key(c) for c in codes)
            return plain(self, stage, codes)

    counting = Counting(scorer.space, scorer.ensemble, scorer.architectures, scorer.labels)
    for budget in (1, 2, 3, 50, 700):
        scored.clear()
        found = score_stage(counting, 0, max_modules=budget)
        assert len(scored) == len(set(scored)) == found.scored == budget
        assert all(len(stage_code) in (2, 3, 4) for stage_code in map(found.code, range(len(found))))


def test_a_search_depends_on_its_seed_alone():
    scorer = random_scorer(OFA, 10)
    one, two, other = (score_stage(scorer, 0, max_modules=60, seed=seed) for seed in (1, 1, 2))
    assert one.layers.tobytes() == two.layers.tobytes()
    assert one.score.tobytes() == two.score.tobytes()
    assert one.layers.tobytes() != other.layers.tobytes()


@given(spaces(), st.integers(1, 12))
@relaxed
def test_a_search_of_any_stage_stays_in_it(space, budget):
    scorer = random_scorer(space, 5, members=1)
    for u, stage in enumerate(space.stages):
        found = score_stage(scorer, u, max_modules=budget)
        check_order(found)
        assert 1 <= found.scored <= max(budget, count_modules(stage) if not found.searched else 0)
        assert found.searched == (found.scored < found.total == count_modules(stage))
        everything = set(map(repr, all_modules(stage)))
        modules = [repr(found.module(space, rank)) for rank in range(len(found))]
        assert len(set(modules)) == len(modules)
        assert set(modules) <= everything


def test_a_search_keeps_both_ends(monkeypatch):
    monkeypatch.setattr("nasbuild.score._stage_scores._KEPT", 20)
    scorer = random_scorer(OFA, 11)
    found = score_stage(scorer, 0, max_modules=500)
    monkeypatch.setattr("nasbuild.score._stage_scores._KEPT", 1_000)
    everything = score_stage(scorer, 0, max_modules=500)
    assert (len(found), found.scored) == (40, 500)
    check_order(found)
    assert found.score.tolist() == [*everything.score[:20], *everything.score[-20:]]
    for rank, other in [(0, 0), (19, 19), (20, 480), (39, 499)]:
        assert found.code(rank).tolist() == everything.code(other).tolist()


def test_a_layer_that_can_be_put_in_in_billions_of_ways_is_no_trouble():
    space = Space("wide", (wide_stage(12, 9, (1, 2, 3)),))
    start = time.process_time()
    found = score_stage(random_scorer(space, 6), 0, max_modules=400)
    assert found.scored == 400
    assert found.total == 9**12 + 9**24 + 9**36
    assert time.process_time() - start < 20


def test_the_largest_real_stage_takes_seconds(data_dir):
    space = load_space(data_dir("nas-bench-mr") / "space.yaml")
    sizes = [count_modules(stage) for stage in space.stages]
    u = int(np.argmax(sizes))
    scorer = random_scorer(space, 7, members=3)
    start = time.process_time()
    found = score_stage(scorer, u, max_modules=5_000)
    assert time.process_time() - start < 30
    assert (found.scored, found.total) == (5_000, 24_920_064)
    # Ten times as many random ones hold none that is better or worse.
    for depth in space.stages[u].depths:
        codes = sample_codes(space.stages[u], depth, 12_500, np.random.default_rng(0))
        score, _ = scorer.score(u, codes)
        assert score.max() <= found.score[0] + 1e-6
        assert score.min() >= found.score[-1] - 1e-6
