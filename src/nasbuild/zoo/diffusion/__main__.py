"""``python -m nasbuild.zoo.diffusion --images DIR --out DIR [--finish]``: make the sd-unet-mini table."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

from nasbuild.errors import NasbuildError


def main(argv: list[str] | None = None) -> int:
    """Train what is missing in ``--out`` and measure variants; with ``--finish`` also write the table and its card."""
    parser = argparse.ArgumentParser(prog="python -m nasbuild.zoo.diffusion", description=__doc__)
    parser.add_argument("--images", type=Path, required=True, help="folder of Fashion-MNIST's four files")
    parser.add_argument(
        "--out", type=Path, required=True, help="work folder; unfinished work in it is resumed"
    )
    parser.add_argument("--variants", type=int, default=68, help="U-Nets in the table")
    parser.add_argument(
        "--again",
        type=int,
        default=6,
        help="networks fine-tuned with a second seed, SDv1.4's own included",
    )
    parser.add_argument("--workers", type=int, default=1, help="processes that fine-tune")
    parser.add_argument(
        "--finish", action="store_true", help="write the table and its card when all is measured"
    )
    parser.add_argument("--table", type=Path, help="folder for --finish; the work folder by default")
    options = parser.parse_args(argv)
    import torch

    from nasbuild.evaluate import InProcess, Pool
    from nasbuild.table import write_table
    from nasbuild.zoo._table_maker import ProgressLines
    from nasbuild.zoo.diffusion.card import write_card
    from nasbuild.zoo.diffusion.generate import Work
    from nasbuild.zoo.diffusion.space import sd_v1_4

    # The networks are too small to gain from two threads, and one thread is deterministic.
    torch.set_num_threads(1)
    work, progress = Work(options.out, options.images), ProgressLines(partial(print, flush=True))
    executor = Pool(options.workers) if options.workers > 1 else InProcess()
    try:
        work.prepare(progress)
        variants = work.variants(options.variants)
        # SDv1.4's own network is not a row of the table, but reported beside it. The first few are measured twice before
        # the rest, so that the noise is known early.
        networks = [sd_v1_4(), *variants]
        again = work.measure(networks[: options.again], progress, executor, seed=1)
        work.measure(networks[: options.again], progress, executor)
        found = work.measure(networks, progress, executor)
        if not options.finish:
            return 0
        table = work.table({a: found[a] for a in variants})
        target: Path = options.table or options.out
        target.mkdir(parents=True, exist_ok=True)
        write_table(table, target / "archs.jsonl.gz")
        write_card(table, found, again, work, target / "card.md")
    except NasbuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"wrote {len(table):,} architectures to {target}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
