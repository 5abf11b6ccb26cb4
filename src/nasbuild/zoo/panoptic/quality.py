"""Panoptic quality (Kirillov et al., Panoptic Segmentation, CVPR 2019), counted by COCO's rules."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from nasbuild.errors import NasbuildError
from nasbuild.zoo.panoptic.scene import (
    VOID,
    Category,
    Segment,
    SegmentMap,
    areas,
    category_of_id,
    undescribed,
)


@dataclass
class CategoryCounts:
    """Matches and misses of one category, summed over pictures.

    Attributes
    ----------
    matched
        Pairs of a predicted and a true segment with an IoU above 0.5 (true positives).
    false_positives
        Predicted segments without a match.
    false_negatives
        True segments without a match.
    iou
        Sum of the IoU of the matches.

    Examples
    --------
    >>> from nasbuild.zoo.panoptic import CategoryCounts
    >>> counts = CategoryCounts(matched=3, false_positives=1, false_negatives=1, iou=2.4)
    >>> round(counts.pq, 6), round(counts.sq, 6), counts.rq
    (60.0, 80.0, 75.0)
    """

    matched: int = 0
    false_positives: int = 0
    false_negatives: int = 0
    iou: float = 0.0

    @property
    def occurs(self) -> bool:
        """Whether any segment of the category was counted."""
        return self.matched + self.false_positives + self.false_negatives > 0

    @property
    def pq(self) -> float:
        """Panoptic quality, per cent: SQ times RQ."""
        return 100 * self.iou / self._size()

    @property
    def sq(self) -> float:
        """Segmentation quality, per cent: mean IoU of the matches; 0 without matches, as COCO defines."""
        self._size()  # undefined like the others if the category never occurs
        return 100 * self.iou / max(self.matched, 1)

    @property
    def rq(self) -> float:
        """Recognition quality, per cent: F1 score of the matches."""
        return 100 * self.matched / self._size()

    def _size(self) -> float:
        if not self.occurs:
            raise NasbuildError("panoptic quality of a category is undefined where it never occurs")
        return self.matched + (self.false_positives + self.false_negatives) / 2

    def __iadd__(self, other: CategoryCounts) -> CategoryCounts:
        self.matched += other.matched
        self.false_positives += other.false_positives
        self.false_negatives += other.false_negatives
        self.iou += other.iou
        return self


@dataclass(frozen=True)
class PanopticQuality:
    """Panoptic quality in per cent: means over the categories that occur in truths or predictions.

    Attributes
    ----------
    pq, sq, rq
        Panoptic, segmentation and recognition quality.
    pq_things, pq_stuff
        Panoptic quality over the categories of things, and of stuff; None if none of them occurs.
    pictures
        Number of pictures.
    counts
        Counts by category id, of all categories.

    Examples
    --------
    >>> from nasbuild.zoo.panoptic import panoptic_quality
    >>> found = panoptic_quality([(scene, scene)], categories)
    >>> found.pq, found.pq_things, {one: counts.matched for one, counts in found.counts.items()}
    (100.0, 100.0, {1: 1, 2: 1})
    """

    pq: float
    sq: float
    rq: float
    pq_things: float | None
    pq_stuff: float | None
    pictures: int
    counts: dict[int, CategoryCounts] = field(repr=False)


class PanopticCounts:
    """Counts matches and misses, one picture at a time.

    The rules are those of COCO's evaluator. A predicted and a true segment of one category match if their IoU is
    above 0.5; void pixels of the truth don't count in their union. A true segment without a match is a false
    negative, unless it is a crowd. A predicted one is a false positive, unless more than half of it lies in void or
    in crowds of its category. Segments of one category of stuff are not merged.

    Parameters
    ----------
    categories
        All categories.

    Examples
    --------
    >>> from nasbuild.zoo.panoptic import PanopticCounts, Prediction
    >>> truth = Prediction(np.array([[1, 1, 1, 2, 2]], np.int32), (Segment(1, 1), Segment(2, 2)))
    >>> predicted = Prediction(np.array([[1, 1, 2, 2, 2]], np.int32), truth.described)
    >>> counts = PanopticCounts(categories)
    >>> counts.add(predicted, truth)
    >>> round(counts.quality().pq, 2)
    66.67
    """

    def __init__(self, categories: Iterable[Category]) -> None:
        self.categories = category_of_id(categories)
        self.counts = {one: CategoryCounts() for one in self.categories}
        self.pictures = 0

    def add(self, prediction: SegmentMap, truth: SegmentMap) -> None:
        """Count one picture.

        Raises
        ------
        NasbuildError
            If the sizes differ, a pixel's segment is not described, a category is unknown, or a predicted segment
            has no pixel. A picture that is refused changes no count.
        """
        shape = truth.segments.shape
        if prediction.segments.shape != shape:
            raise NasbuildError(
                f"prediction is of size {prediction.segments.shape}", allowed=f"that of the truth, {shape}"
            )
        # Both ids of a pixel in one number; ids are int32 and not negative.
        both = (truth.segments.astype(np.int64) << 32) | prediction.segments
        overlap = {(code >> 32, code & 0xFFFFFFFF): n for code, n in areas(both).items()}
        true_area, predicted_area = dict[int, int](), dict[int, int]()
        for (true, predicted), n in overlap.items():
            true_area[true] = true_area.get(true, 0) + n
            predicted_area[predicted] = predicted_area.get(predicted, 0) + n
        true_segments = self._described(truth, true_area, "truth")
        predicted_segments = self._described(prediction, predicted_area, "prediction")
        for one in predicted_segments.values():
            if one.id not in predicted_area:
                raise NasbuildError(f"segment {one.id} has no pixel", where="prediction", todo="leave it out")
        self.pictures += 1
        matched_true, matched_predicted = set[int](), set[int]()
        for (true, predicted), n in overlap.items():
            if true == VOID or predicted == VOID:
                continue
            segment = true_segments[true]
            if segment.crowd or segment.category != predicted_segments[predicted].category:
                continue
            in_void = overlap.get((VOID, predicted), 0)
            union = true_area[true] + predicted_area[predicted] - n - in_void
            if 2 * n > union:  # at most one segment can: matches are unique
                self.counts[segment.category].matched += 1
                self.counts[segment.category].iou += n / union
                matched_true.add(true)
                matched_predicted.add(predicted)
        for true, segment in true_segments.items():
            if true not in matched_true and not segment.crowd:
                self.counts[segment.category].false_negatives += 1
        crowds = [segment for segment in true_segments.values() if segment.crowd]
        for predicted, segment in predicted_segments.items():
            ignored = [VOID, *(crowd.id for crowd in crowds if crowd.category == segment.category)]
            inside = sum(overlap.get((true, predicted), 0) for true in ignored)
            if predicted not in matched_predicted and 2 * inside <= predicted_area[predicted]:
                self.counts[segment.category].false_positives += 1

    def merge(self, other: PanopticCounts) -> None:
        """Add the counts of other pictures, such as those of another worker.

        Examples
        --------
        >>> from nasbuild.zoo.panoptic import PanopticCounts
        >>> counts, others = PanopticCounts(categories), PanopticCounts(categories)
        >>> others.add(scene, scene)
        >>> counts.merge(others)
        >>> counts.pictures
        1

        Raises
        ------
        NasbuildError
            If the categories differ.
        """
        if self.categories != other.categories:
            raise NasbuildError("counts of different categories can't be merged")
        self.pictures += other.pictures
        for one, counts in other.counts.items():
            self.counts[one] += counts

    def quality(self) -> PanopticQuality:
        """The panoptic quality of all pictures so far.

        Raises
        ------
        NasbuildError
            If no category occurs, so that it is undefined.
        """
        occurring = {one: counts for one, counts in self.counts.items() if counts.occurs}
        if not occurring:
            raise NasbuildError(
                f"panoptic quality is undefined: no category occurs in {self.pictures} pictures",
                todo="count pictures with labelled segments",
            )

        every = list(occurring.values())
        things = [counts.pq for one, counts in occurring.items() if self.categories[one].thing]
        stuff = [counts.pq for one, counts in occurring.items() if not self.categories[one].thing]
        return PanopticQuality(
            pq=float(np.mean([counts.pq for counts in every])),
            sq=float(np.mean([counts.sq for counts in every])),
            rq=float(np.mean([counts.rq for counts in every])),
            pq_things=float(np.mean(things)) if things else None,
            pq_stuff=float(np.mean(stuff)) if stuff else None,
            pictures=self.pictures,
            counts={one: replace(counts) for one, counts in self.counts.items()},
        )

    def _described(self, found: SegmentMap, occurring: dict[int, int], where: str) -> dict[int, Segment]:
        described = {segment.id: segment for segment in found.described}
        if unknown := undescribed(occurring, described):
            raise NasbuildError(
                f"pixels belong to segment {unknown[0]}, which is not described",
                where=where,
                allowed=sorted(described) or "none",
                todo="describe it, or make it void (0)",
            )
        for segment in found.described:
            if segment.category not in self.categories:
                raise NasbuildError(
                    f"segment {segment.id} is of category {segment.category}",
                    where=where,
                    allowed=sorted(self.categories),
                )
        return described


def panoptic_quality(
    pairs: Iterable[tuple[SegmentMap, SegmentMap]], categories: Iterable[Category]
) -> PanopticQuality:
    """Panoptic quality of pairs of a prediction and a truth; `PanopticCounts` has the rules.

    Raises
    ------
    NasbuildError
        If a pair is refused, with its number, or no category occurs.

    Examples
    --------
    >>> from nasbuild.zoo.panoptic import Prediction, panoptic_quality
    >>> nothing = Prediction(np.zeros((3, 4), np.int32), ())
    >>> panoptic_quality([(scene, scene), (nothing, scene)], categories)
    PanopticQuality(pq=66.66666666666667, sq=100.0, rq=66.66666666666667, pq_things=66.66666666666667,
        pq_stuff=66.66666666666667, pictures=2)
    """
    counts = PanopticCounts(categories)
    for number, (prediction, truth) in enumerate(pairs):
        try:
            counts.add(prediction, truth)
        except NasbuildError as error:
            raise error.at(f"pair {number}") from None
    return counts.quality()
