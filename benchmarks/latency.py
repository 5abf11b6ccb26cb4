"""Latency of 100 networks, measured repeatedly: do runs agree, within the spread that they state?

    python benchmarks/latency.py

Each call adds a run to the result; an interrupted run resumes. Run it again an hour later, and on another day. With
``--busy`` two other processes compute in bursts at the same time; ``--only`` selects settings. Compares the newest run with
each earlier one. Prints the Spearman rank correlation (SRCC), the share of networks whose estimates agree within the sum
of their spreads, within the larger spread, and the largest difference. Then the first two again with the estimates
that were rejected as too noisy: were their spreads wide enough?
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
from nasbuild.evaluate import NoisyLatencyError, load_evaluator
from nasbuild.evaluate.latency._estimate import MIN_SPREAD
from nasbuild.predictor import srcc
from nasbuild.space import load_space, sample

#: Evaluator and number of networks. The last setting is noisy, to see estimates rejected.
SETTINGS = {
    "torch": ("latency:digits", 100),
    "onnxruntime": ("latency:digits,runtime=onnxruntime", 100),
    "onnxruntime, 64 pictures": ("latency:digits@64x1x8x8,runtime=onnxruntime", 100),
    "torch, 64 pictures": ("latency:digits@64x1x8x8", 32),
}
BURST = 0.3  # mean seconds for which a neighbour computes, and for which it rests


def main() -> None:
    parser = arguments("Latency, measured again", "latency")
    parser.add_argument("--busy", action="store_true", help="while two other processes compute in bursts")
    parser.add_argument("--only", nargs="+", choices=SETTINGS, default=list(SETTINGS), metavar="SETTING")
    options = parser.parse_args()
    result = resume(options.out)
    runs = result.setdefault("runs", [])
    if not runs or set(runs[-1].get("only", SETTINGS)) <= set(runs[-1]["settings"]):
        new = {"busy": options.busy, "least": MIN_SPREAD, "only": options.only, "settings": {}}
        runs.append(new)
    latest = runs[-1]["settings"]
    for setting in runs[-1].get("only", SETTINGS):
        if setting not in latest:
            with neighbours(2 if runs[-1]["busy"] else 0):
                latest[setting] = measure(setting)
            save(options.out, result)
            print(setting, f"{latest[setting]['seconds']:.0f} s", flush=True)
    result["pairs"] = [
        {
            "setting": s,
            "runs": [i, j],
            "busy": [a["busy"], b["busy"]],
            **compare(a["settings"][s], b["settings"][s]),
        }
        for s in SETTINGS
        for (i, a), (j, b) in itertools.combinations(enumerate(runs), 2)
        if s in a["settings"] and s in b["settings"]
    ]
    save(options.out, result)
    show([p for p in result["pairs"] if p["runs"][1] == len(runs) - 1])


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
    """Other processes that compute in bursts of random length."""
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=bursts, args=(seed,), daemon=True) for seed in range(count)]
    for process in processes:
        process.start()
    try:
        yield
    finally:
        for process in processes:
            process.terminate()


def bursts(seed: int) -> None:
    """Compute and rest in turn, on eight megabytes, so that the caches are used as well."""
    rng, numbers = random.Random(seed), np.random.default_rng(seed).random(1 << 20)
    parent = os.getppid()
    while os.getppid() == parent:
        end = time.perf_counter() + rng.expovariate(1 / BURST)
        while time.perf_counter() < end:
            numbers *= 1.0000001
        time.sleep(rng.expovariate(1 / BURST))


def measure(setting: str) -> dict:
    """A sweep over all networks; null for an estimate that was rejected."""
    name, count = SETTINGS[setting]
    space = load_space("digits-macro")
    networks = sample(space, count, np.random.default_rng(0))
    begun, start = time.time(), time.perf_counter()
    outcomes = load_evaluator(name, space).raw_results(networks)
    seconds = time.perf_counter() - start
    keys = ("latency_ms", "latency_ms_spread", "reference_ms")
    return {
        "evaluator": name,
        "begun": begun,
        "seconds": seconds,
        "load": os.getloadavg()[0],
        "refused": sum(isinstance(outcome, Exception) for outcome in outcomes),
        **{k: [None if isinstance(o, Exception) else round(o[k] or 0, 6) for o in outcomes] for k in keys},
        "noisy": {
            i: {
                "latency_ms": round(outcome.estimate.latency, 6),
                "own": round(outcome.estimate.own_spread, 6),
                "usual": outcome.estimate.typical,
            }
            for i, outcome in enumerate(outcomes)
            if isinstance(outcome, NoisyLatencyError) and outcome.estimate
        },
    }


def compare(one: dict, other: dict) -> dict:
    """Agreement of two runs on the networks that both accepted, and on all, with the rejected estimates."""
    a, b = (np.array(run["latency_ms"], float) for run in (one, other))
    s, t = (np.array(run["latency_ms_spread"], float) for run in (one, other))
    both = ~(np.isnan(a) | np.isnan(b))
    found = {"minutes": (other["begun"] - one["begun"]) / 60, "both": int(both.sum())}
    every_a, every_s, every_b, every_t = *with_rejected(one), *with_rejected(other)
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


def with_rejected(run: dict) -> tuple[np.ndarray, np.ndarray]:
    """Latencies and spreads of all networks, with the rejected estimates."""
    latency = np.array(run["latency_ms"], float)
    spread = np.array(run["latency_ms_spread"], float)
    for i, noisy in run["noisy"].items():
        latency[int(i)] = noisy["latency_ms"]
        spread[int(i)] = max(noisy["own"], noisy["latency_ms"] * max(noisy["usual"], MIN_SPREAD))
    return latency, spread


if __name__ == "__main__":
    main()
