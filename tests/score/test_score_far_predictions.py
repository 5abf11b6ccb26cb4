"""Predictions far from random tables: never absurd without saying so. ``benchmarks/far.py`` does the same at length."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from far_samples import KINDS, far_from, quick_fit, random_table, violations
from nasbuild.score import predict

TABLES = (0, 7, 14, 28)  # of several kinds; the benchmark holds all


@pytest.fixture(scope="module")
def fits():
    """Fits of random tables; of equal labels nothing can be learnt."""
    found = []
    for number in TABLES:
        table, kind = random_table(number)
        if np.ptp(table.columns[kind.metric.name]) > 0:
            found.append((number, table, quick_fit(table, kind)))
    assert len(found) >= 4
    return found


def test_the_tables_are_of_all_kinds():
    tables = [random_table(number) for number in range(6)]
    assert {kind.name for _, kind in tables} == {kind.name for kind in KINDS}
    assert len({table.space.name for table, _ in tables}) == 4
    for table, kind in tables:
        values = table.columns[kind.metric.name]
        assert np.isfinite(values).all()
        assert kind.metric.minimum is None or (values >= kind.metric.minimum).all()
        assert kind.metric.maximum is None or (values <= kind.metric.maximum).all()


def test_no_prediction_is_absurd_without_a_word(fits):
    counts = Counter[str]()
    for number, table, fitted in fits:
        for what, count in violations(fitted, far_from(table, 100, number)):
            counts[what] += count
    assert dict(counts) == dict.fromkeys(counts, 0)


def test_marks_are_no_decoration(fits):
    """Rows of the table itself are hardly ever marked, far ones of tables of a part of the space often are."""
    own = np.concatenate([predict(r.targets[0], t.architectures).extrapolates for _, t, r in fits])
    far = np.concatenate([predict(r.targets[0], far_from(t, 100, n)).extrapolates for n, t, r in fits])
    assert own.mean() < 0.05
    assert far.mean() > 2 * own.mean()
