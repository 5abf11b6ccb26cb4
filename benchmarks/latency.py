"""Latency of 100 networks, measured again and again: do runs agree, and within the spread that they state?

    python benchmarks/latency.py

Each call adds a run to the result; one that was stopped goes on. Run it again an hour later, and another day; with ``--busy``
two processes compute beside it, in bursts; ``--only`` sweeps some of the settings. Prints for the newest run and each one
before it SRCC, the share of networks whose two readings agree within their spreads (their difference is at most the sum of
the two; and, harder, the larger of the two), and the largest difference; then the first two of these once more with the
readings that were refused, by the spreads for which they were: were these as wide as they had to be?
"""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import os
import random
import time
from collections.abc import Iterator

import numpy as np

from _common import arguments, markdown, resume, save
from nasbuild.evaluate import NoisyReading, load_evaluator
from nasbuild.evaluate.latency._estimate import LEAST_SPREAD
from nasbuild.predictor import srcc
from nasbuild.space import load_space, sample

#: Evaluator and how many of the networks. The last one is a noisy way of measuring, to see it refused.
SETTINGS = {
    "torch": ("latency:digits", 100),
    "onnxruntime": ("latency:digits,runtime=onnxruntime", 100),
    "onnxruntime, 64 pictures": ("latency:digits@64x1x8x8,runtime=onnxruntime", 100),
    "torch, 64 pictures": ("latency:digits@64x1x8x8", 32),
}
BURST = 0.3  # seconds that a neighbour computes, and rests, on average


def main() -> None:
    parser = arguments("Latency, measured again", "latency")
    parser.add_argument(
        "--busy", action="store_true", help="with two processes that compute in bursts beside it"
    )
    parser.add_argument("--only", nargs="+", choices=SETTINGS, default=list(SETTINGS), metavar="SETTING")
    options = parser.parse_args()
    result = resume(options.out)
    fits = result.setdefault("runs", [])
    if not fits or set(fits[-1].get("only", SETTINGS)) <= set(fits[-1]["settings"]):
        new = {"busy": options.busy, "least": LEAST_SPREAD, "only": options.only, "settings": {}}
        fits.append(new)
    fitted = fits[-1]["settings"]
    for setting in fits[-1].get("only", SETTINGS):
        if setting not in fitted:
            with neighbours(2 if fits[-1]["busy"] else 0):
                fitted[setting] = measured(setting)
            save(options.out, result)
            print(setting, f"{fitted[setting]['seconds']:.0f} s", flush=True)
    result["pairs"] = [
        {
            "setting": s,
            "runs": [i, j],
            "busy": [a["busy"], b["busy"]],
            **compared(a["settings"][s], b["settings"][s]),
        }
        for s in SETTINGS
        for (i, a), (j, b) in itertools.combinations(enumerate(fits), 2)
        if s in a["settings"] and s in b["settings"]
    ]
    save(options.out, result)
    show([p for p in result["pairs"] if p["runs"][1] == len(fits) - 1])


def show(pairs: list[dict]) -> None:
    columns = {
        "SRCC": "srcc",
        "within sum": "sum",
        "within larger": "larger",
        "largest": "most",
        "refused, too: SRCC": "srcc_all",
        "within sum, all": "sum_all",
    }
    rows = [
        [
            p["setting"],
            "{} and {}".format(*p["runs"]),
            " and ".join("busy" if busy else "quiet" for busy in p["busy"]),
            f"{p['minutes']:.0f}",
            f"{p['both']} of {SETTINGS[p['setting']][1]}",
            *(f"{p[k]:.4f}" if k in p else "-" for k in columns.values()),
        ]
        for p in pairs
    ]
    print(markdown(["setting", "runs", "machine", "minutes apart", "read in both", *columns], rows))


@contextlib.contextmanager
def neighbours(count: int) -> Iterator[None]:
    """Processes that compute beside this one, in bursts of random length."""
    context = multiprocessing.get_context("spawn")
    beside = [context.AdditiveGP(target=bursts, args=(seed,), daemon=True) for seed in range(count)]
    for one in beside:
        one.start()
    try:
        yield
    finally:
        for one in beside:
            one.terminate()


def bursts(seed: int) -> None:
    """Compute and rest by turns; eight megabytes, so that caches are used, too."""
    rng, numbers = random.Random(seed), np.random.default_rng(seed).random(1 << 20)
    parent = os.getppid()
    while os.getppid() == parent:
        end = time.perf_counter() + rng.expovariate(1 / BURST)
        while time.perf_counter() < end:
            numbers *= 1.0000001
        time.sleep(rng.expovariate(1 / BURST))


def measured(setting: str) -> dict:
    """One sweep over all networks; null where the reading was refused."""
    name, count = SETTINGS[setting]
    space = load_space("digits-macro")
    networks = sample(space, count, np.random.default_rng(0))
    begun, start = time.time(), time.perf_counter()
    told = load_evaluator(name, space).outcomes(networks)
    seconds = time.perf_counter() - start
    keys = ("latency_ms", "latency_ms_spread", "reference_ms")
    return {
        "evaluator": name,
        "begun": begun,
        "seconds": seconds,
        "load": os.getloadavg()[0],
        "refused": sum(isinstance(one, Exception) for one in told),
        **{k: [None if isinstance(one, Exception) else round(one[k] or 0, 6) for one in told] for k in keys},
        "noisy": {
            i: {
                "latency_ms": round(one.timing.latency, 6),
                "own": round(one.timing.own, 6),
                "usual": one.timing.usual,
            }
            for i, one in enumerate(told)
            if isinstance(one, NoisyReading) and one.timing
        },
    }


def compared(one: dict, other: dict) -> dict:
    """How far two runs agree on the networks that both have read; and on all, with those that were refused."""
    a, b = (np.array(fitted["latency_ms"], float) for fitted in (one, other))
    s, t = (np.array(fitted["latency_ms_spread"], float) for fitted in (one, other))
    both = ~(np.isnan(a) | np.isnan(b))
    found = {"minutes": (other["begun"] - one["begun"]) / 60, "both": int(both.sum())}
    every_a, every_s, every_b, every_t = *with_refused(one), *with_refused(other)
    found["srcc_all"] = srcc(every_a, every_b)
    found["sum_all"] = float((abs(every_a - every_b) <= every_s + every_t).mean())
    if both.sum() < 3:
        return found
    a, b, s, t = a[both], b[both], s[both], t[both]
    apart = abs(a - b)
    return {
        **found,
        "srcc": srcc(a, b),
        "sum": float((apart <= s + t).mean()),
        "larger": float((apart <= np.maximum(s, t)).mean()),
        "most": float((apart / np.minimum(a, b)).max()),
        "spread": float(np.median([s / a, t / b])),
        "shift": float(np.median(b / a) - 1),
    }


def with_refused(fitted: dict) -> tuple[np.ndarray, np.ndarray]:
    """Latencies and spreads of all networks: what was told, and what would have been."""
    latency = np.array(fitted["latency_ms"], float)
    spread = np.array(fitted["latency_ms_spread"], float)
    for i, one in fitted["noisy"].items():
        latency[int(i)] = one["latency_ms"]
        spread[int(i)] = max(one["own"], one["latency_ms"] * max(one["usual"], LEAST_SPREAD))
    return latency, spread


if __name__ == "__main__":
    main()
