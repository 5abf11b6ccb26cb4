"""The picture of the README, drawn from the run of the demo: ``python docs/picture.py demo/run``."""

from __future__ import annotations

import sys
from pathlib import Path

from nasbuild._io import write_text
from nasbuild.builder import build
from nasbuild.report import Chain, Palette, draw_modules, draw_panels
from nasbuild.score import load_run
from nasbuild.table import load_builtin

SHOWN = 2


def main() -> None:
    run = load_run(sys.argv[1])
    learnt, palette = run.learnt[0], Palette(run.space)
    columns, pictures, best = [], [], build(learnt, 1)[0]
    for u, (stage, scores) in enumerate(zip(run.space.stages, learnt.stages, strict=True)):
        order = scores.best(learnt.target.sign)
        chains = [
            Chain(scores.module(run.space, int(r)), f"{word}  {scores.score[r]:.2f} ± {scores.std[r]:.2f}")
            for word, ranks in (("best", order[:SHOWN]), ("worst", order[-SHOWN:]))
            for r in ranks
        ]
        chains.append(Chain(best.architecture.modules[u], "built"))
        columns.append(f"{stage.name}: 12 modules scored")
        pictures.append(draw_modules(run.space, u, chains, palette=palette, width=270))
    table = load_builtin(run.space.name)
    true = table.columns["loss"][table.row_of[best.architecture]]
    label = (
        f"Module scores learnt from {len(run.table)} of {len(table):,} networks, and the architecture built from them; "
        f"its true loss is {true:.3f}"
    )
    write_text(Path(__file__).parent / "picture.svg", draw_panels([pictures], columns=columns, label=label))


if __name__ == "__main__":
    main()
