"""Times forward passes in this process: short samples of all networks in turn, robust against other load."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence

from nasbuild.evaluate.latency._core_pace import CorePace

Pass = Callable[[], object]
"""One forward pass; returns when it is computed."""
PassFactory = Callable[[], Pass]
"""Makes a new instance of the same pass, with its weights elsewhere in memory."""

Sample = tuple[float, float]
"""Seconds of a pass, and the pace of the core meanwhile (`CorePace`)."""

ROUNDS = 16  # minimum samples of each pass at full pace
MIN_ROUNDS = 2  # minimum where there is no time for more
_BURST = 0.004  # seconds that a sample takes where passes are short
_PASSES = (3, 20)  # fewest and most passes in a sample
_STEADY, _WARM_UP = (
    0.02,
    2.0,
)  # warm until five more passes are not faster by this share; at most so many seconds
_REFERENCE_EVERY = 8  # samples between two samples of the reference
_RENEW_EVERY = 4  # rounds after which passes are made anew


def sample_passes(
    passes: Sequence[PassFactory],
    reference: PassFactory,
    pace: CorePace,
    *,
    least: float,
    most: float,
    clock: Callable[[], float] = time.perf_counter,
) -> list[list[Sample]]:
    """Samples of the reference, then samples of each pass.

    Each round samples all passes in a new order, so that a slow moment of the machine affects all of them alike. A sample
    starts when the core is at full pace. It consists of one pass that warms the caches and a few that are timed.
    Its time is that of the fastest timed pass at full pace, since other load only ever adds to a pass. Every four
    rounds all passes are made anew, because the place of the weights in memory changes the time by some percent.

    Parameters
    ----------
    least, most
        Seconds. Rounds end when each pass has sixteen samples at full pace and ``least`` is over, or after two
        rounds when ``most`` is over.
    clock
        Seconds.
    """
    factories = [reference, *passes]
    instances = [factory() for factory in factories]
    bursts = [_warm_up(instance, clock) for instance in instances]
    samples: list[list[Sample]] = [[] for _ in instances]
    start, rounds, order = clock(), 0, list(range(1, len(instances)))

    def sample(which: int) -> None:
        pace.wait(start + most)
        samples[which].append(_sample(instances[which], bursts[which], pace, clock))

    shuffler = random.Random(0)
    while True:
        if rounds and rounds % _RENEW_EVERY == 0:
            for which, factory in enumerate(factories):
                instances[which] = _renewed(factory)
        shuffler.shuffle(order)
        for position, which in enumerate(order):
            if position % _REFERENCE_EVERY == 0:
                sample(0)
            sample(which)
        rounds += 1
        spent = clock() - start
        if rounds >= MIN_ROUNDS and spent >= most:
            return samples
        if rounds >= ROUNDS and spent >= least and _fewest_at(pace.limit(), samples) >= ROUNDS:
            return samples


def _fewest_at(limit: float, samples: Sequence[Sequence[Sample]]) -> int:
    return min(sum(pace <= limit for _, pace in of_pass) for of_pass in samples)


def _sample(instance: Pass, bursts: Sequence[int], pace: CorePace, clock: Callable[[], float]) -> Sample:
    begun = clock()
    instance()
    pace.since(begun)
    found: list[Sample] = []
    for passes in bursts:
        begun = clock()
        seconds = min(_timed(instance, clock) for _ in range(passes))
        found.append((seconds, pace.since(begun)))
    limit = pace.limit()
    return min(found, key=lambda sample: (sample[1] > limit, sample[0]))


def _renewed(factory: PassFactory) -> Pass:
    instance = factory()
    for _ in range(2):
        instance()
    return instance


def _timed(instance: Pass, clock: Callable[[], float]) -> float:
    start = clock()
    instance()
    return clock() - start


def _warm_up(instance: Pass, clock: Callable[[], float]) -> list[int]:
    """Run passes until they are steady. Returns how many passes a sample times between two probes of the pace."""
    start = clock()
    best = _timed(instance, clock)
    while True:
        found = min(_timed(instance, clock) for _ in range(5))
        steady = found > best * (1 - _STEADY)
        best = min(best, found)
        if steady or clock() - start > _WARM_UP:
            few, many = _PASSES
            # The pace may change within a long pass, and surely does within several.
            return [min(many, round(_BURST / max(best, 1e-9)))] if best * few < _BURST else [1] * few
