"""Figure 4 of the paper: best and worst MobileNetV3 modules under equations of accuracy and GPU latency.

    python benchmarks/fig4.py [--data DIR]

Labels are pseudo-labels of published regressors (ofa-mbv3-surrogate). One predictor is fitted for each equation, with recipe
``paper`` on 90 % of 3,000 rows. The drawing shows the best and the worst module over all stages.
"""

from __future__ import annotations

from _common import arguments, markdown, read, resume, save
from nasbuild._atomic_write import write_text
from nasbuild.predictor import recipe
from nasbuild.report import Chain, Palette, draw_legend, draw_modules, draw_panels
from nasbuild.score import fit
from nasbuild.space import module_id, parse_module

EQUATIONS = (
    "100 ** acc",
    "acc",
    "acc - latency_gpu / 100",
    "acc / log10(latency_gpu + 1)",
    "acc / latency_gpu",
)


def main() -> None:
    options = arguments("Figure 4: best and worst modules", "fig4").parse_args()
    result = resume(options.out)
    rows = result.setdefault("rows", {})
    table = read(options.data, "ofa-mbv3-surrogate")
    for equation in EQUATIONS:
        if equation in rows:
            continue
        target_fit = fit(
            table, [equation], recipe=recipe("paper", members=1), workers=options.workers
        ).targets[0]
        ends = {}
        for end, rank in (("best", 0), ("worst", -1)):
            scores = sorted(((s.score[rank], s.stage, s) for s in target_fit.stages), key=lambda x: x[:2])
            _, u, stage = scores[-1] if end == "best" else scores[0]
            module = stage.module(table.space, rank % len(stage))
            ends[end] = {
                "stage": u,
                "module": table.space.stages[u].as_dicts(module),
                "id": module_id(table.space.stages[u], module),
                "score": float(stage.score[rank]),
            }
        trust = target_fit.trust
        rows[equation] = ends | {"srcc": trust.prediction.mean, "srcc_modules": trust.modules.mean}
        save(options.out, result)
    header = [
        "equation of pseudo-labels",
        "best module (stage)",
        "worst module (stage)",
        "SRCC of y'",
        "summed modules",
    ]
    body = [
        [f"`{e}`"]
        + [f"{row[end]['id']} ({row[end]['stage'] + 1})" for end in ("best", "worst")]
        + [f"{row['srcc']:.3f}", f"{row['srcc_modules']:.3f}"]
        for e, row in rows.items()
    ]
    print(markdown(header, body))
    write_text(options.out.with_suffix(".svg"), draw(table.space, rows))


def draw(space, rows: dict) -> str:
    palette = Palette(space)
    panels = []
    for equation, row in rows.items():
        line = []
        for end in ("best", "worst"):
            u = row[end]["stage"]
            module = parse_module(space.stages[u], row[end]["module"], where=equation)
            chain = Chain(module, f"{equation}: stage {u + 1}")
            line.append(draw_modules(space, u, [chain], palette=palette))
        panels.append(line)
    panels.append([draw_legend(space, palette=palette)])
    return draw_panels(
        panels, columns=["best", "worst"], label="Best and worst modules under several equations"
    )


if __name__ == "__main__":
    main()
