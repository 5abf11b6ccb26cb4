"""What 68 fine-tuned U-Nets show about each stage: attention, layers and channels (section 5.3 of the paper).

    python benchmarks/unet_stages.py [--figure FILE.svg]

Recipe ``default`` is fitted to the table sd-unet-mini for FID: smaller is better, and a module's score is its share of FID.
Contrasts are mean differences between scores of modules that differ in one thing only; the number of pairs is in brackets.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np

from _common import RESULTS, markdown
from nasbuild._atomic_write import write_text
from nasbuild.report import Chain, Palette, draw_legend, draw_modules, draw_panels
from nasbuild.score import StageScores, TargetFit, fit
from nasbuild.space import Module, Space
from nasbuild.table import load_builtin


def main() -> None:
    parser = argparse.ArgumentParser(description="stages of the U-Net")
    parser.add_argument("--figure", type=Path, default=RESULTS / "unet_stages.svg")
    options = parser.parse_args()
    table = load_builtin("sd-unet-mini")
    target_fit = fit(table, ["fid"]).targets[0]
    print(target_fit.trust.verdict + "\n")
    body = [line(table.space, scores) for scores in target_fit.stages]
    header = ["stage", "best", "worst", "attention", "fewer residual layers", "narrow"]
    print(markdown(header, body))
    write_text(options.figure, draw(table.space, target_fit))


def line(space: Space, scores: StageScores) -> list[str]:
    order = np.argsort(scores.score)
    modules = [scores.module(space, r) for r in range(len(scores))]
    ends = [f"{short(modules[r])} {scores.score[r]:+.2f} ± {scores.std[r]:.2f}" for r in order[[0, -1]]]
    attention = contrast(scores, modules, lambda m: (width(m), residuals(m)), attentions)
    fewer = contrast(scores, modules, lambda m: (width(m), attentions(m)), lambda m: -residuals(m))
    narrow = contrast(scores, modules, kinds, lambda m: -(width(m) or 0))
    return [space.stages[scores.stage].name, *ends, attention, fewer, narrow]


def contrast(
    scores: StageScores,
    modules: list[Module],
    alike: Callable[[Module], object],
    more: Callable[[Module], float],
) -> str:
    """Mean difference of scores over pairs that are otherwise alike (with more minus with less), and number of pairs."""
    found = [
        scores.score[i] - scores.score[j]
        for i, j in product(range(len(modules)), repeat=2)
        if alike(modules[i]) == alike(modules[j]) and more(modules[i]) > more(modules[j])
    ]
    return f"{np.mean(found):+.2f} ({len(found)})" if found else ""


def kinds(module: Module) -> tuple[str, ...]:
    return tuple(str(layer[0]) for layer in module)


def residuals(module: Module) -> int:
    return kinds(module).count("res")


def attentions(module: Module) -> int:
    return kinds(module).count("attn")


def width(module: Module) -> int | None:
    return int(module[0][1]) if len(module[0]) > 1 else None


def short(module: Module) -> str:
    letters = "".join("R" if kind == "res" else "A" for kind in kinds(module))
    return letters if width(module) is None else f"{letters} {width(module)}"


def draw(space: Space, target_fit: TargetFit) -> str:
    palette, panels = Palette(space), []
    for u, scores in enumerate(target_fit.stages):
        order = scores.best(target_fit.target.sign)
        panels.append(
            [
                draw_modules(
                    space,
                    u,
                    [
                        Chain(
                            scores.module(space, int(r)),
                            f"{space.stages[u].name}: {scores.score[r]:+.2f} ± {scores.std[r]:.2f}",
                        )
                    ],
                    palette=palette,
                )
                for r in (order[0], order[-1])
            ]
        )
    panels.append([draw_legend(space, palette=palette)])
    return draw_panels(panels, columns=["best", "worst"], label="Best and worst stages of the U-Net by FID")


if __name__ == "__main__":
    main()
