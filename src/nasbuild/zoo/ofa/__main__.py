"""``python -m nasbuild.zoo.ofa --images DIR --out DIR [--networks 2000] [--finish]``: make the fashion-ofa table."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

from nasbuild.errors import NasbuildError


def main(argv: list[str] | None = None) -> int:
    """Train the supernet and test sub-networks in ``--out``; with ``--finish`` also time them and write table and card."""
    parser = argparse.ArgumentParser(prog="python -m nasbuild.zoo.ofa", description=__doc__)
    parser.add_argument("--images", type=Path, required=True, help="folder of Fashion-MNIST's four files")
    parser.add_argument(
        "--out", type=Path, required=True, help="work folder; unfinished work in it is resumed"
    )
    parser.add_argument("--networks", type=int, default=2000, help="sub-networks in the table")
    parser.add_argument(
        "--workers", type=int, default=1, help="processes for training, and for testing networks"
    )
    parser.add_argument(
        "--finish", action="store_true", help="also measure latency; write the table and its card"
    )
    parser.add_argument("--table", type=Path, help="folder for --finish; the work folder by default")
    parser.add_argument(
        "--timed", help="table, by file or name, whose latencies --finish uses instead of measuring"
    )
    options = parser.parse_args(argv)
    import torch

    from nasbuild.evaluate import InProcess, Pool
    from nasbuild.space import load_space
    from nasbuild.table import read_table, write_table
    from nasbuild.zoo._table_maker import ProgressLines
    from nasbuild.zoo.ofa.card import write_card
    from nasbuild.zoo.ofa.generate import SPACE, TABLE, Work

    torch.set_num_threads(1)
    work, progress = Work(options.out, options.images), ProgressLines(partial(print, flush=True))
    try:
        work.train(progress, options.workers)
        sampled = work.networks(options.networks)
        executor = Pool(options.workers) if options.workers > 1 else InProcess()
        if not options.finish:
            work.measure(work.evaluator, sampled, progress, executor)
            return 0
        timed = read_table(options.timed, load_space(SPACE)) if options.timed else None
        table = work.table(sampled, progress, executor, timed)
        target: Path = options.table or options.out
        target.mkdir(parents=True, exist_ok=True)
        write_table(table, target / TABLE)
        write_card(table, work, target / "card.md", progress)
    except NasbuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"wrote {len(table):,} architectures to {target}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
