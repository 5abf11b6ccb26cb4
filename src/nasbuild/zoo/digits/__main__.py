"""``python -m nasbuild.zoo.digits --out DIR [--seeds 3] [--finish]``: make the digits-macro table."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from nasbuild.errors import NasbuildError


def main(argv: list[str] | None = None) -> int:
    """Train what is missing in ``--out``, or with ``--finish`` measure costs and write the table and its card."""
    parser = argparse.ArgumentParser(prog="python -m nasbuild.zoo.digits", description=__doc__)
    parser.add_argument(
        "--out", type=Path, required=True, help="work folder; unfinished work in it is resumed"
    )
    parser.add_argument("--seeds", type=int, default=3, help="number of trainings per architecture")
    parser.add_argument("--finish", action="store_true", help="don't train; write the table and its card")
    parser.add_argument("--table", type=Path, help="folder for --finish; the work folder by default")
    parser.add_argument("--visits", type=int, default=15, help="timed passes per network with --finish")
    options = parser.parse_args(argv)
    import torch

    # The networks are too small to gain from two threads, and one thread is deterministic.
    torch.set_num_threads(1)
    try:
        if options.finish:
            from nasbuild.zoo.digits.make_table import make_table

            table = options.table or options.out
            print(
                make_table(options.out, table, samples=options.visits, progress=_Progress("measured rounds:"))
            )
        else:
            from nasbuild.zoo.digits.generate import generate
            from nasbuild.zoo.digits.space import all_archs

            generate(options.out, all_archs(), range(options.seeds), progress=_Progress("trained"))
    except NasbuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


class _Progress:
    """Prints a line at the start, every minute and at the end."""

    def __init__(self, verb: str) -> None:
        self.verb, self.start, self.first, self.last = verb, time.monotonic(), None, -60.0

    def __call__(self, done: int, total: int) -> None:
        spent = time.monotonic() - self.start
        self.first = done if self.first is None else self.first
        if spent - self.last < 60 and done < total:
            return
        self.last = spent
        pace = spent / (done - self.first) if done > self.first else 0.0
        left = pace * (total - done) / 60
        print(f"{self.verb} {done:,} of {total:,}, {pace:.2f} s each, about {left:.0f} min left", flush=True)


if __name__ == "__main__":
    sys.exit(main())
