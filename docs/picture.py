"""Draws the picture of the README from the fit of the demo: ``python docs/picture.py demo/fit``."""

from __future__ import annotations

import sys
from pathlib import Path

from nasbuild._atomic_write import write_text
from nasbuild.builder import build
from nasbuild.report import Chain, Palette, draw_modules, draw_panels
from nasbuild.score import load_fit
from nasbuild.table import load_builtin

SHOWN = 2


def main() -> None:
    fitted = load_fit(sys.argv[1], "space")
    target_fit, palette = fitted.targets[0], Palette(fitted.space)
    columns, pictures, best = [], [], build(target_fit, 1)[0]
    for u, (stage, scores) in enumerate(zip(fitted.space.stages, target_fit.stages, strict=True)):
        order = scores.best(target_fit.target.sign)
        chains = [
            Chain(scores.module(fitted.space, int(r)), f"{word}  {scores.score[r]:.2f} ± {scores.std[r]:.2f}")
            for word, ranks in (("best", order[:SHOWN]), ("worst", order[-SHOWN:]))
            for r in ranks
        ]
        chains.append(Chain(best.architecture.modules[u], "built"))
        columns.append(f"{stage.name}: 12 modules scored")
        pictures.append(draw_modules(fitted.space, u, chains, palette=palette, width=270))
    table = load_builtin(fitted.space.name)
    true = table.columns["loss"][table.row_of[best.architecture]]
    label = (
        f"Module scores learned from {len(fitted.table)} of {len(table):,} networks, and the architecture built from them; "
        f"its true loss is {true:.3f}"
    )
    write_text(Path(__file__).parent / "picture.svg", draw_panels([pictures], columns=columns, label=label))


if __name__ == "__main__":
    main()
