"""``python -m nasbuild.zoo.panoptic FILE.yaml --out parent.safetensors``: train shared weights for pseudo-labels."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from nasbuild.errors import NasbuildError


def main(argv: list[str] | None = None) -> int:
    """Train backbone and head of all networks of a family at once; an interrupted training is resumed."""
    parser = argparse.ArgumentParser(prog="python -m nasbuild.zoo.panoptic", description=__doc__)
    parser.add_argument("file", type=Path, help="settings, as of the evaluator panoptic:FILE.yaml")
    parser.add_argument("--out", type=Path, required=True, help="safetensors file to write")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(argv)
    import time

    from nasbuild.zoo.panoptic.evaluator import load_panoptic

    begun = time.monotonic()

    def progress(done: int, steps: int, loss: float) -> None:
        print(f"step {done:,} of {steps:,}: loss {loss:.3f}, {time.monotonic() - begun:.0f} s", flush=True)

    try:
        load_panoptic(options.file, seed=options.seed).train_parent(options.out, options.seed, progress)
    except NasbuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"wrote {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
