"""Terms and their kernels against a slow version with readable keys."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest
from gp_samples import SPACE, Dense, dense, plain_numbers, plain_terms
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import coo_matrix
from scipy.stats import kstest

from nasbuild.predictor.additive_gp._design_matrix import (
    Design,
    Term,
    design,
    grouped_entries,
    keyed_normals,
    scaled_rows,
)
from nasbuild.predictor.additive_gp._entries import Entries
from nasbuild.predictor.additive_gp._numeric_features import log_numbers
from nasbuild.predictor.additive_gp._terms import REACH_LAYER, REACH_MODULE, REACH_PAIR, Terms, reach
from nasbuild.space import Feature, Space, StageModules, group_modules, group_stages, sample, space_from_yaml
from strategies import all_modules, architectures, relaxed, spaces

MODULES = [all_modules(stage) for stage in SPACE.stages]


@pytest.fixture(scope="module")
def table() -> list:
    return sample(SPACE, 40, np.random.default_rng(0))


@pytest.fixture(scope="module")
def made(table) -> Design:
    return design(SPACE, table)


def check_entries(space, modules: list[list]) -> None:
    """Every inner product of modules of all stages is the slow one, so are the numbers of columns."""
    terms, rows = Terms(space), [(u, m) for u, own in enumerate(modules) for m in own]
    starts = np.cumsum([0, *map(len, modules)])
    slow = [plain_terms(space, u, m) for u, m in rows]
    found: dict[str, list[Entries]] = {}
    for u, own in enumerate(modules):
        for name, e in grouped_entries(terms, u, group_modules(space, u, own)).items():
            found.setdefault(name, []).append(Entries(e.rows + starts[u], e.keys, e.values))
    assert set(found) == {name for counts in slow for name in counts}
    for name, parts in found.items():
        keys = np.unique(np.concatenate([e.keys for e in parts]))
        own = sorted({k for counts in slow for k in counts.get(name, ())}, key=repr)
        # As many hashed keys as readable ones: none collide.
        assert len(keys) == len(own), name
        known = [Term(name, keys, 1.0).known(e) for e in parts]
        fast = sum(coo_matrix((e.values, (e.rows, e.keys)), (len(rows), len(keys))).toarray() for e in known)
        plain = dense([counts.get(name, Counter()) for counts in slow], own)
        # Not pytest.approx, which compares the thousands of products one by one.
        np.testing.assert_allclose(fast @ fast.T, plain @ plain.T, rtol=5e-10, atol=5e-10, err_msg=name)


def test_every_module_of_a_space_counts_what_the_names_say():
    check_entries(SPACE, MODULES)


def test_numbers_with_a_trend_and_many_of_them_count_as_the_names_say():
    space = space_from_yaml(
        """
        name: numbers
        metrics: {acc: {direction: maximize}}
        globals: {lr: [0.001, 0.002, 0.005, 0.01, 0.03, 0.1, 0.2]}
        stages:
          - {name: one, depth: [1, 2, 4], features: {kernel: [3, 5, 7]}}
          - {name: two, depth: [2, 3], features: {width: [8, 16, 24, 32, 48, 64]}}
          - {name: three, depth: [1, 2, 8], features: {shift: [-1, 0, 4]}}
        """
    )
    some = sample(space, 25, np.random.default_rng(0))
    names = {n for a in some for u, m in enumerate(a.modules) for n in plain_terms(space, u, m)}
    assert {"layers", "layers@stage", "plain:kernel", "plain@stage:width", "curve@stage"} <= names
    assert "plain:shift" not in names
    modules = [list(dict.fromkeys(a.modules[u] for a in some)) for u in range(len(space.stages))]
    check_entries(space, modules)


@given(spaces(most_modules=24))
@relaxed
def test_modules_of_any_space_count_what_the_names_say(space):
    check_entries(space, [list(dict.fromkeys(all_modules(stage)))[:40] for stage in space.stages])


def test_kernels_of_a_table_are_the_slow_ones(made, table):
    slow = Dense(SPACE, table)
    assert len(made.terms) > 15
    for t, term in enumerate(made.terms):
        kernel = made.kernel(t)
        np.testing.assert_allclose(kernel, slow.kernel(term.name), rtol=0, atol=1e-9, err_msg=term.name)
        assert np.abs(kernel.sum(axis=1)).max() < 1e-8
        assert np.diag(kernel).mean() == pytest.approx(1)
        some = np.array([7, 3, 21])
        assert made.kernel(t, some) == pytest.approx(kernel[np.ix_(some, some)], abs=1e-12)
        assert (np.diff(term.keys.astype(object)) > 0).all()
        assert made.rows(t).shape == (40, len(term.keys))


def test_terms_that_say_the_same_or_nothing_are_left_out(made, table):
    slow = Dense(SPACE, table)
    kept = [term.name for term in made.terms]
    for name in set(slow.names) - set(kept):
        same = [slow.kernel(other) for other in kept]
        constant = np.abs(slow.rows(name)).max() < 1e-6
        assert constant or any(np.allclose(slow.kernel(name), k, atol=1e-6) for k in same), name
    for a, b in itertools.combinations(kept, 2):
        assert not np.allclose(slow.kernel(a), slow.kernel(b), atol=1e-7), (a, b)
    fewer = design(SPACE, table, ["module", "choice:kernel"])
    assert not {"module", "choice:kernel"} & {term.name for term in fewer.terms}


def test_wide_terms_have_the_same_kernels_by_sparse_sums(made, table, monkeypatch):
    monkeypatch.setattr("nasbuild.predictor.additive_gp._design_matrix._DENSE", 0)
    others = sample(SPACE, 9, np.random.default_rng(1))
    slow = Dense(SPACE, table, others)
    rows = design_rows(made, others)
    for t, term in enumerate(made.terms):
        np.testing.assert_allclose(made.kernel(t), slow.kernel(term.name)[:40, :40], rtol=0, atol=1e-9)
        cross, own = rows.cross(t, made)
        np.testing.assert_allclose(cross, slow.kernel(term.name)[40:, :40], rtol=0, atol=1e-9)
        known = slow.rows(term.name)[40:, slow.seen[term.name]]
        assert own == pytest.approx((known**2).sum(axis=1), abs=1e-9)


def design_rows(made: Design, others) -> Design:
    """Other architectures as rows of the same terms."""
    groups, terms = group_stages(SPACE, others), Terms(SPACE)
    found = [grouped_entries(terms, u, modules) for u, modules in enumerate(groups)]
    return Design(made.terms, scaled_rows(made.terms, found, groups), made.means)


def unseen(term: Term, found: dict[str, Entries], grouped) -> np.ndarray:
    """Squared norms of what a term lacks, of modules, before they are scaled."""
    rows = term.unseen([found[term.name]], [grouped]).toarray()
    return (rows**2).sum(axis=1) * term.scale**2


def test_what_stands_in_two_stages_and_in_no_column_adds_up_before_it_is_squared():
    term = Term("choice:kernel", np.array([5], dtype=np.uint64), 1.0)
    one = Entries(np.array([0, 0]), np.array([5, 9], dtype=np.uint64), np.array([4.0, 2.0]))
    two = Entries(np.array([0]), np.array([9], dtype=np.uint64), np.array([1.0]))
    groups = [StageModules((), np.array([0]), 1)] * 2
    assert term.unseen([one, two], groups).toarray().tolist() == [[3]]
    draws = sum(term.prior(e, 1, 4_000) for e in (one, two))
    assert draws.std() == pytest.approx(3, rel=0.05)


def test_draws_of_keys_are_standard_normal_and_theirs_alone():
    keys = np.array([3, 8, 2**63], dtype=np.uint64)
    draws = keyed_normals(keys, 7, 5_000)
    assert draws[[2, 0]].tolist() == keyed_normals(keys[[2, 0]], 7, 5_000).tolist()
    assert all(kstest(row, "norm").pvalue > 1e-3 for row in draws)
    others = [draws, keyed_normals(keys, 8, 5_000)]
    assert np.abs(np.corrcoef(np.concatenate(others)) - np.eye(6)).max() < 0.06


def test_what_a_table_lacks_is_counted():
    # No layer of stage one has kernel 7: a module with two of them counts 2, squared 4.
    table = [
        a
        for a in sample(SPACE, 200, np.random.default_rng(2))
        if all(layer[0] != 7 for layer in a.modules[0])
    ]
    made = design(SPACE, table[:30])
    modules = [((3, "conv"),), ((7, "conv"),), ((7, "skip"), (7, "conv")), ((5, "skip"), (7, "conv"))]
    grouped = group_modules(SPACE, 0, modules)
    found = grouped_entries(Terms(SPACE), 0, grouped)
    by_name = {term.name: term for term in made.terms}
    term = by_name["choice@stage:kernel"]
    assert unseen(term, found, grouped) == pytest.approx([0, 1, 4, 1])
    # Two layers of a kind that the table lacks at two places: 1 + 1.
    term = by_name["choice@place"]
    assert unseen(term, found, grouped) == pytest.approx([0, 1, 2, 1])
    # What it lacks is in no column.
    row = scaled_rows([term], [found], [grouped]).dense(0)
    assert (row.sum(axis=1) * term.scale).round(9).tolist() == [2, 1, 2, 3]


@given(st.lists(st.integers(-9, 9) | st.floats(-99, 99), min_size=1, max_size=5, unique=True))
def test_numbers_are_standardised_on_a_log_scale_if_it_exists(choices):
    values, expected = log_numbers(Feature("f", tuple(choices))), plain_numbers(choices)
    assert (values is None) == (len(choices) < 3) == (expected is None)
    if values is not None:
        assert values == pytest.approx(expected)


def test_numbers_of_any_size_are_distinguished_or_left_out():
    for factor in (1e308, 1e-308):
        values = log_numbers(Feature("f", (-factor, 0.0, factor)))
        assert values.tolist() == pytest.approx([-(1.5**0.5), 0, 1.5**0.5])
    assert log_numbers(Feature("f", (2**53, 2**53 - 1, 2**53 - 2))) is None


def test_texts_and_truth_values_are_no_numbers():
    assert log_numbers(Feature("f", ("a", "b", "c"))) is None
    assert log_numbers(Feature("f", (1, 2, "3"))) is None
    assert log_numbers(Feature("f", (True, 2, 3))) is None
    assert log_numbers(Feature("f", (1, 2, 4))).tolist() == pytest.approx([-(1.5**0.5), 0, 1.5**0.5])


def test_reaches_go_by_what_a_term_looks_at(made):
    reaches = {term.name: reach(term.name) for term in made.terms}
    assert {n for n, r in reaches.items() if r == REACH_PAIR} <= {"follow", "follow@stage"}
    whole = {"duo@stage", "mean", "mean@stage", "module"}
    assert {n for n, r in reaches.items() if r == REACH_MODULE} <= whole
    assert reaches["choice@stage:kernel"] == reaches["layer@place"] == REACH_LAYER


def smallest_gap(space: Space) -> float:
    """Smallest difference of standardised choices; 1 without numbers."""
    numbers = [log_numbers(feature) for stage in space.stages for feature in stage.features]
    gaps = [gap for own in numbers if own is not None for gap in np.diff(np.sort(own)).tolist() if gap > 0]
    return min([1.0, *gaps])


@given(st.data())
@relaxed
def test_any_table_of_any_space_has_centred_kernels_of_mean_diagonal_1(data):
    space = data.draw(spaces(most_modules=50))
    some = data.draw(st.lists(architectures(space), min_size=2, max_size=8))
    made = design(space, some)
    for t in range(len(made.terms)):
        kernel = made.kernel(t)
        # Differences of standardised numbers are rounded by eps; squared, they are what the kernel divides by.
        limit = 1e-6 + 16 * np.finfo(float).eps / smallest_gap(space) ** 2
        assert np.diag(kernel).mean() == pytest.approx(1, abs=limit)
        assert np.abs(kernel.sum(axis=1)).max() < max(limit, 1e-6)
