"""Panoptic quality against sets of pixels, torchmetrics, and COCO's rules one by one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from nasbuild.errors import NasbuildError
from nasbuild.zoo.panoptic import Category, PanopticCounts, Prediction, Segment, areas, panoptic_quality

CATEGORIES = tuple(Category(n, f"category {n}", thing=n < 4) for n in range(1, 7))


def random_map(rng: np.random.Generator, near: Prediction | None = None, *, void: bool = True) -> Prediction:
    """Rectangles in 12 x 14 pixels; with ``near``, its segments with some changed, most of them slightly."""
    if near is None:
        ids = np.zeros((12, 14), np.int32) if void else np.ones((12, 14), np.int32)
        categories = {1: 5}
        for one in rng.choice(np.arange(2, 400), size=rng.integers(1, 8), replace=False).tolist():
            top, left = rng.integers(0, 9), rng.integers(0, 11)
            ids[top : top + rng.integers(2, 8), left : left + rng.integers(2, 8)] = one
            categories[one] = int(rng.integers(1, 7))
    else:
        ids, categories = near.segments.copy(), {one.id: one.category for one in near.described}
        if rng.random() < 0.5:
            ids = np.roll(ids, rng.integers(-1, 2, 2), (0, 1))
        for _ in range(rng.integers(0, 4)):
            row, column = rng.integers(0, 10, 2)
            ids[row : row + 3, column : column + 4] = rng.choice(
                [0, 500, *categories] if void else [500, *categories]
            )
        categories[500] = int(rng.integers(1, 7))
        for one in list(categories):
            if rng.random() < 0.1:
                categories[one] = int(rng.integers(1, 7))
    crowds = near is None and rng.random() < 0.5
    kept = [one for one in np.unique(ids).tolist() if one]
    return Prediction(
        ids, tuple(Segment(one, categories[one], bool(crowds and rng.random() < 0.4)) for one in kept)
    )


def brute_force(pairs: list[tuple[Prediction, Prediction]]) -> dict[int, list[float]]:
    """Matches, false positives, false negatives and summed IoU by category, from sets of pixels."""
    counts: dict[int, list[float]] = {one.id: [0, 0, 0, 0.0] for one in CATEGORIES}
    for number, (prediction, truth) in enumerate(pairs):
        grid = [(number, *cell) for cell in np.ndindex(truth.segments.shape)]
        void = {cell for cell in grid if truth.segments[cell[1:]] == 0}

        def pixels(found: Prediction, one: Segment, grid: list[Any] = grid) -> set[Any]:
            return {cell for cell in grid if found.segments[cell[1:]] == one.id}

        true = [(one, pixels(truth, one)) for one in truth.described]
        predicted = [(one, pixels(prediction, one)) for one in prediction.described]
        for one, inside in true:
            if one.crowd:
                continue
            ious = [
                len(p & inside) / len((p | inside) - void) for q, p in predicted if q.category == one.category
            ]
            best = max(ious, default=0.0)
            counts[one.category][0 if best > 0.5 else 2] += 1
            counts[one.category][3] += best if best > 0.5 else 0
        for one, inside in predicted:
            same = [(t, p) for t, p in true if t.category == one.category]
            if any(not t.crowd and len(p & inside) / len((p | inside) - void) > 0.5 for t, p in same):
                continue
            ignored = void.union(*[p for t, p in same if t.crowd])
            if len(inside & ignored) <= len(inside) / 2:
                counts[one.category][1] += 1
    return counts


def test_counts_are_those_of_sets_of_pixels():
    rng = np.random.default_rng(0)
    truths = [random_map(rng) for _ in range(500)]
    pairs = [(random_map(rng, near=truth), truth) for truth in truths]
    assert sum(one.crowd for _, truth in pairs for one in truth.described) > 200
    found, expected = panoptic_quality(pairs, CATEGORIES), brute_force(pairs)
    for one, (matched, positives, negatives, iou) in expected.items():
        counts = found.counts[one]
        assert (counts.matched, counts.false_positives, counts.false_negatives) == (
            matched,
            positives,
            negatives,
        )
        assert min(matched, positives, negatives) > 20
        assert counts.iou == pytest.approx(iou, rel=1e-12)
        assert counts.pq == pytest.approx(100 * iou / (matched + positives / 2 + negatives / 2), rel=1e-12)
        assert counts.pq == pytest.approx(counts.sq * counts.rq / 100, rel=1e-12)
    each = [100 * iou / (m + p / 2 + n / 2) for m, p, n, iou in expected.values()]
    assert found.pq == pytest.approx(np.mean(each), rel=1e-12)
    assert (found.pq_things, found.pq_stuff) == pytest.approx(
        (np.mean(each[:3]), np.mean(each[3:])), rel=1e-12
    )


def test_quality_is_that_of_torchmetrics_without_crowds():
    """Torchmetrics has no crowds, merges stuff, and also ignores void of predictions, so these have none."""
    from torchmetrics.detection import PanopticQuality

    rng = np.random.default_rng(1)
    other = PanopticQuality(things={1, 2, 3}, stuffs={4, 5, 6}, return_sq_and_rq=True, return_per_class=True)
    counts, with_void = PanopticCounts(CATEGORIES), 0
    for _ in range(70):
        whole = random_map(rng, void=False)
        truth = unique_stuff(random_map(rng, near=whole))
        prediction = unique_stuff(random_map(rng, near=whole, void=False))
        counts.add(prediction, truth)
        other.update(colours(prediction), colours(truth))
        with_void += 0 in areas(truth.segments)
    assert with_void > 8
    table = other.compute().numpy() * 100
    ours = [(one.pq, one.sq, one.rq) for one in counts.quality().counts.values()]
    np.testing.assert_allclose(ours, table, rtol=1e-6)


def unique_stuff(found: Prediction) -> Prediction:
    """One segment for each category of stuff, and no crowds."""
    ids, described = found.segments.copy(), dict[int, Segment]()
    for one in found.described:
        new = one.id if one.category < 4 else 1000 + one.category
        ids[found.segments == one.id] = new
        described[new] = Segment(new, one.category)
    return Prediction(ids, tuple(described.values()))


def colours(found: Prediction) -> torch.Tensor:
    """Category and segment of each pixel, (1, height, width, 2); void is category 0."""
    category = np.zeros_like(found.segments)
    for one in found.described:
        category[found.segments == one.id] = one.category
    return torch.from_numpy(np.stack([category, found.segments], 2)[None].astype(np.int64))


def row(*ids: int, **described: Any) -> Prediction:
    """A map of one row; ``a=1`` describes segment 1 as of category 1, ``b=(2, True)`` 2 as a crowd."""
    segments = []
    for one, (_, value) in enumerate(described.items(), 1):
        category, crowd = value if isinstance(value, tuple) else (value, False)
        segments.append(Segment(one, category, crowd))
    return Prediction(np.array([ids], np.int32), tuple(segments))


@pytest.mark.parametrize(
    ("why", "prediction", "truth", "expected"),
    [
        ("IoU 2/3", row(1, 1, 0, 0, a=1), row(1, 1, 1, 0, a=1), (1, 0, 0, 2 / 3)),
        ("an IoU of 1/2 is no match", row(1, 0, 0, 0, a=1), row(1, 1, 0, 0, a=1), (0, 1, 1, 0)),
        ("void of the truth is not in the union", row(1, 1, 1, 1, a=1), row(1, 1, 0, 0, a=1), (1, 0, 0, 1.0)),
        ("void of the prediction is", row(1, 1, 0, a=1), row(1, 1, 1, a=1), (1, 0, 0, 2 / 3)),
        ("mostly void: ignored", row(1, 1, 1, 0, a=1), row(0, 0, 1, 1, a=2), (0, 0, 0, 0)),
        ("half void: counted", row(1, 1, 0, 0, a=1), row(0, 1, 1, 1, a=2), (0, 1, 0, 0)),
        ("a crowd is not missed", row(0, 0, 0, a=2), row(1, 1, 0, a=(1, True)), (0, 0, 0, 0)),
        ("and matches nothing", row(1, 1, 1, a=1), row(1, 1, 1, a=(1, True)), (0, 0, 0, 0)),
        ("a crowd of another category", row(1, 1, 1, a=1), row(1, 1, 1, a=(2, True)), (0, 1, 0, 0)),
        (
            "void and crowd together",
            row(1, 1, 1, 1, a=1),
            row(1, 0, 2, 3, a=(1, True), b=2, c=2),
            (0, 1, 0, 0),
        ),
        ("more than half of it", row(1, 1, 1, 1, a=1), row(1, 0, 0, 2, a=(1, True), b=2), (0, 0, 0, 0)),
        ("two crowds", row(1, 1, 1, a=1), row(1, 2, 3, a=(1, True), b=(1, True), c=2), (0, 0, 0, 0)),
        ("another category", row(1, 1, 0, a=1), row(1, 1, 0, a=2), (0, 1, 0, 0)),
        ("a segment without pixels is missed", row(0, 0, a=2), row(0, 0, a=1), (0, 0, 1, 0)),
    ],
)
def test_rules(why, prediction, truth, expected):
    counts = PanopticCounts(CATEGORIES)
    described = tuple(one for one in prediction.described if (prediction.segments == one.id).any())
    counts.add(Prediction(prediction.segments, described), truth)
    found = counts.counts[1]
    assert (found.matched, found.false_positives, found.false_negatives, found.iou) == expected, why


def test_means_are_over_categories_that_occur():
    truth = row(1, 1, 2, 2, a=1, b=2)
    found = panoptic_quality([(row(1, 1, 2, 2, a=1, b=3), truth)], CATEGORIES)
    # Category 1 is right, 2 is missed and 3 is a false positive: SQ counts as 0 where nothing matches.
    assert (found.pq, found.sq, found.rq) == pytest.approx((100 / 3, 100 / 3, 100 / 3))
    assert found.pq_things == found.pq
    assert found.pq_stuff is None
    with pytest.raises(NasbuildError, match="undefined where it never occurs"):
        _ = found.counts[4].pq


def test_counts_of_parts_add_up():
    rng = np.random.default_rng(2)
    pairs = [(random_map(rng, near=truth), truth) for truth in (random_map(rng) for _ in range(20))]
    whole, first, second = (PanopticCounts(CATEGORIES) for _ in range(3))
    for number, pair in enumerate(pairs):
        whole.add(*pair)
        (first if number < 8 else second).add(*pair)
    first.merge(second)
    assert first.quality().pq == pytest.approx(whole.quality().pq, rel=1e-12)
    assert first.pictures == 20
    with pytest.raises(NasbuildError, match="different categories"):
        first.merge(PanopticCounts(CATEGORIES[:2]))


def test_what_is_undefined_is_refused():
    nothing = row(0, 0)
    for pairs in ([], [(nothing, nothing)]):
        with pytest.raises(NasbuildError, match="panoptic quality is undefined"):
            panoptic_quality(pairs, CATEGORIES)


@pytest.mark.parametrize(
    ("prediction", "truth", "message"),
    [
        (row(1, 1, 1, a=1), row(1, 1, a=1), r"pair 0: prediction is of size \(1, 3\)"),
        (row(1, 2, a=1), row(1, 1, a=1), "prediction: pixels belong to segment 2"),
        (row(-1, 1, a=1), row(1, 1, a=1), "segment"),
        (row(1, 1, a=1), row(1, 7, a=1), "truth: pixels belong to segment 7"),
        (row(1, 1, a=1), row(1, 1, a=9), "truth: segment 1 is of category 9; allowed: 1, 2"),
        (row(1, 1, a=1, b=2), row(1, 1, a=1), "prediction: segment 2 has no pixel"),
    ],
)
def test_bad_pairs_are_refused_and_change_nothing(prediction, truth, message):
    with pytest.raises(NasbuildError, match=message):
        panoptic_quality([(prediction, truth)], CATEGORIES)
    counts = PanopticCounts(CATEGORIES)
    with pytest.raises(NasbuildError):
        counts.add(prediction, truth)
    assert not any(one.occurs for one in counts.counts.values())
    assert counts.pictures == 0
