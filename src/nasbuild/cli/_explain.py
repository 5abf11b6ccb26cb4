"""What ``explain`` prints: the data that the report draws, as text."""

from __future__ import annotations

from typing import Any

from nasbuild.cli._output import Output, number

_STYLES = {"high": "green", "fair": "yellow"}


def print_explanation(out: Output, data: dict[str, Any]) -> None:
    """Trust, features, modules and next steps of every target."""
    space, table = data["space"], data["table"]
    out.line(
        f"{space['name']}: {space['architectures']:,} architectures, {table['rows']:,} of them in the table"
    )
    for target in data["targets"]:
        unit = f" [{target['unit']}]" if target["unit"] else ""
        out.line(f"\n{target['target']}{unit}, {target['direction']}", "bold")
        print_trust(out, target["trust"])
        for sentence in target["findings"]:
            out.line(sentence)
        out.line("\nwhat a choice is worth (FE-MLP, in deviations of the 0-hop norm):")
        print_features(out, target)
        out.line("\nbest and worst modules of each stage (eq. 5, in the target's unit):")
        print_modules(out, target)
        out.line("\nnext:")
        for step in target["next"]:
            out.line(f"- {step['text']}")


def print_trust(out: Output, trust: dict[str, Any]) -> None:
    """Held-out SRCC of hops, prediction and summed module scores, and the verdict."""
    hops = [(f"hop {hop['hop']}", hop) for hop in trust["hops"]]
    rows = [
        [name, f"{a['mean']:.3f}", f"{a['std']:.3f}"]
        for name, a in (
            *hops,
            ("prediction y'", trust["prediction"]),
            ("summed module scores", trust["modules"]),
        )
    ]
    out.table(["held-out SRCC", "mean", "spread"], rows, right=[1, 2])
    out.line(trust["verdict"], _STYLES.get(trust["level"], "red"))


def print_features(out: Output, target: dict[str, Any]) -> None:
    """Effect of every choice, best first, with its spread over the members."""
    rows = [
        [
            f["feature"] if n == 0 else "",
            c["choice"],
            f"{c['effect']:+.2f}",
            f"{c['effect_std']:.2f}",
            f"{c['nodes']:,}",
        ]
        for f in target["features"]
        for n, c in enumerate(f["choices"])
    ]
    out.table(["feature", "choice", "effect", "spread", "layers"], rows, right=[2, 3, 4])


def print_modules(out: Output, target: dict[str, Any]) -> None:
    """The best and the worst modules of every stage."""
    rows = []
    for stage in target["stages"]:
        name = stage["name"]
        if stage["searched"]:
            name += f" (searched: {stage['scored']:,} of {stage['total']:,})"
        for kind in ("best", "worst"):
            for n, module in enumerate(stage[kind]):
                score = f"{number(module['score'])} ± {number(module['std'])}"
                rows.append([name, kind if n == 0 else "", module["id"], score])
                name = ""
    out.table(["stage", "", "module", "score"], rows, right=[3])
