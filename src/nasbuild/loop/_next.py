"""What a round evaluates: what is built, what may be better still, and random ones where neither is to be had."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import chain, zip_longest

import numpy as np

from nasbuild.build import build_front, build_predicted, propose
from nasbuild.score import Learnt, Run
from nasbuild.space import Architecture, Space, count_architectures, sample

RANDOM, BUILT, PROPOSED = "random", "built", "proposed"
SHARE = 0.5
"""Of a batch that is built; the others are proposed."""
_FRONT = 3  # points of the front for each one wanted, as some are evaluated already


@dataclass(frozen=True)
class Asked:
    """An architecture to evaluate, and why: `RANDOM`, `BUILT` or `PROPOSED`."""

    architecture: Architecture
    why: str


def next_batch(run: Run, n: int, seen: Collection[Architecture], *, share: float = SHARE) -> list[Asked]:
    """Up to ``n`` architectures that were not asked for before.

    A ``share`` of them is built: of one target, those of the best prediction y' (`nasbuild.build.build_predicted`);
    of several, points along the predicted front. The others are proposed by Thompson sampling
    (`nasbuild.build.propose`), targets taking turns: each is the best by one sample of what the labels leave
    open, so they go where the prediction is uncertain, and differ from each other as much as the samples do.
    The two kinds alternate, so that the beginning of a batch holds both.
    """
    taken = set(seen)
    built = _new(_built(run, n, taken), taken, round(share * n))
    turns = zip_longest(*(_proposed(learnt, n, taken) for learnt in run.learnt))
    proposed = _new((a for turn in turns for a in turn if a is not None), taken, n - len(built))
    pairs = zip_longest(
        (Asked(a, BUILT) for a in built),
        (Asked(a, PROPOSED) for a in proposed),
    )
    return [one for one in chain.from_iterable(pairs) if one is not None]


def random_batch(
    space: Space, n: int, seen: Collection[Architecture], rng: np.random.Generator
) -> list[Asked]:
    """``n`` random architectures that were not asked for before, fewer where the space has no more."""
    drawn = sample(space, min(n + len(seen), count_architectures(space)), rng)
    return [Asked(a, RANDOM) for a in _new(drawn, set(seen), n)]


def _proposed(learnt: Learnt, n: int, taken: Collection[Architecture]) -> list[Architecture]:
    # What was asked for and has no label, as it failed, would be proposed again: ask for so many more.
    more = len(set(taken) - set(learnt.scorer.architectures))
    return [one.architecture for one in propose(learnt, n + more)]


def _built(run: Run, n: int, seen: Collection[Architecture]) -> list[Architecture]:
    if len(run.learnt) == 1:
        return [one.architecture for one in build_predicted(run, None, n + len(seen)).built]
    return list(build_front(run, _FRONT * n).architectures)


def _new(architectures: Iterable[Architecture], taken: set[Architecture], most: int) -> list[Architecture]:
    """The first ``most`` that are not taken; they are from then on."""
    found: list[Architecture] = []
    for architecture in architectures:
        if len(found) == most:
            break
        if architecture not in taken:
            taken.add(architecture)
            found.append(architecture)
    return found
