"""``demo``: fit, build and report on a table that comes with the package."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from nasbuild.cli._live_demo import show_live
from nasbuild.cli._options import JsonOption
from nasbuild.cli._output import Output, number
from nasbuild.errors import NasbuildError

LABELS, BUILT, TARGET, SEED = 100, 10, "-loss", 0


def demo(
    out_folder: Annotated[
        Path, typer.Option("--out", help="folder for the fit, the built architectures and the report")
    ] = Path("nasbuild-demo"),
    workers: Annotated[
        int, typer.Option("--workers", min=1, help="worker processes for fits and, with --live, trainings")
    ] = os.cpu_count() or 1,
    live: Annotated[
        bool,
        typer.Option(
            "--live", help="run the closed loop against random search with real trainings; takes minutes"
        ),
    ] = False,
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, help="with --live: seed of both; default: 0")
    ] = None,
    budget: Annotated[
        int | None, typer.Option("--budget", min=1, help="with --live: trainings of each; default: 60")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Fit 100 of 1,728 trained networks and build ten. Then look up their true ranks."""
    if live:
        show_live(Output(as_json), out_folder, workers, seed or 0, budget)
        return
    if seed is not None or budget is not None:
        raise NasbuildError("--seed and --budget need --live", todo="add --live, or leave them out")
    import shlex

    import numpy as np

    from nasbuild._atomic_write import ensure_free
    from nasbuild.builder import build_shortlisted, built_rows
    from nasbuild.cli._explain import print_features, print_trust, print_words
    from nasbuild.report import explain_data, write_report
    from nasbuild.score import fit, save_fit
    from nasbuild.table import load_builtin, write_architectures

    out = Output(as_json)
    ensure_free(out_folder / "fit", overwrite=True)
    everything = load_builtin("digits-macro")
    rows = np.sort(np.random.default_rng(SEED).permutation(len(everything))[:LABELS])
    table = everything.select(rows)
    out.line(
        f"digits-macro: {len(everything):,} small networks, each trained from scratch on 8x8 digits. "
        f"The fit sees only {LABELS} random ones; the target is {TARGET} (negative test cross-entropy)."
    )
    with out.progress() as progress:
        fitted = fit(table, [TARGET], seed=SEED, workers=workers, progress=progress)
    target_fit = fitted.targets[0]
    data = explain_data(fitted)["targets"][0]
    print_trust(out, data["trust"])
    print_features(out, data)

    built = build_shortlisted(fitted, target_fit.target.name, BUILT).built
    truth = -everything.columns["loss"]
    # Rank 1 is the best; equal labels share the better rank.
    rank = {a: 1 + int((truth > truth[i]).sum()) for i, a in enumerate(everything.architectures)}
    records = built_rows(fitted, target_fit, built)
    out.line(f"\nthe {BUILT} built architectures, with true losses that the fit has not seen:", "bold")
    body = [
        [
            n,
            row["id"],
            f"{number(-row['prediction'])} ± {number(row['std'])}",
            number(-truth[everything.row_of[one.architecture]]),
            f"{rank[one.architecture]:,} of {len(everything):,}",
            "among the 100" if row["metrics"] else "",
        ]
        for n, (one, row) in enumerate(zip(built, records, strict=True), 1)
    ]
    out.table(["", "architecture", "predicted loss", "true loss", "true rank", ""], body, right=[0, 2, 3, 4])
    best = min(rank[one.architecture] for one in built)
    seen = min(rank[a] for a in table.architectures)
    expected = (len(everything) + 1) / (BUILT + 1)
    out.line(
        f"\nbest of the {BUILT}: true rank {best} of {len(everything):,}; best of the {LABELS} labelled ones: rank {seen}; "
        f"the best of {BUILT} random ones has rank {expected:.0f} on average"
    )
    out_folder.mkdir(parents=True, exist_ok=True)
    save_fit(fitted, out_folder / "fit", overwrite=True)
    write_architectures(fitted.space, records, out_folder / "built.jsonl")
    fit = out_folder / "fit"
    write_report(fitted, out_folder / "report.html", top=BUILT, place=fit)
    print_words(out, "SRCC", "hop", "module", "score", "prediction", "±")
    out.line(f"\nwritten: {fit}, {out_folder}/built.jsonl, {out_folder}/report.html; next:")
    out.line(f"  nasbuild explain {shlex.quote(str(fit))}")
    out.json(
        {
            "out": str(out_folder),
            "labels": LABELS,
            "target": target_fit.target.name,
            "architectures": records,
            "ranks": [rank[one.architecture] for one in built],
        }
    )
