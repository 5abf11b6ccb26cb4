"""Text output of ``explain``: the same data as in the report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nasbuild.cli._output import Output, number

if TYPE_CHECKING:
    from nasbuild.report import Scale

LEVEL_STYLES = {"high": "green", "fair": "yellow"}
"""Style of a verdict by trust level; other levels are red."""
_FEW_STAGES = 4
_MANY_STAGES = 16
_SHOWN_STAGES, _SHOWN_EFFECTS = 2, 4  # of many, so that all fits in 60 lines
_SHOWN_CHOICES = {1: (3, 2), 2: (2, 1)}  # the first and the last ones of each feature, by the number of features
_FEWEST_CHOICES = (1, 1)
_SHOWN_FEATURES = 3  # where there are more than that
_SCORES = {
    "network": "eq. 5, in the target's unit",
    "additive": "share of the prediction, in the target's unit",
    "baseline": "in the target's unit",
}


def print_explanation(out: Output, data: dict[str, Any]) -> None:
    """Prints trust, features, modules and next steps of every target."""
    space, table = data["space"], data["table"]
    out.line(f"{space['name']}: {space['size']} architectures, {table['rows']:,} of them in the table")
    for rule in data["failures"]:
        out.line(rule["text"])
    for target in data["targets"]:
        unit = f" [{target['unit']}]" if target["unit"] else ""
        out.line(f"\n{target['target']}{unit}, {target['direction']}", "bold")
        print_trust(out, target["trust"])
        for sentence in target["findings"]:
            out.line(sentence)
        print_features(out, target)
        print_stage_effects(out, target)
        print_pairs(out, target)
        print_modules(out, target)
        if target["next"]:
            out.line("\nnext:")
        for step in target["next"]:
            print_step(out, step)
    many = any(len(target["stages"]) > _MANY_STAGES for target in data["targets"])
    words = ("SRCC", "tied") if many else ("SRCC", "hop", "module", "score", "prediction", "±", "tied")
    print_words(out, *words)


def print_words(out: Output, *words: str) -> None:
    """Explains words of the output, as the glossary of the report does."""
    from nasbuild.report import TERMS

    out.line()
    for word in words:
        out.line(f"{word}: {TERMS[word]}", "dim")


def print_step(out: Output, step: dict[str, Any]) -> None:
    """Prints a next step, its details line by line, and the command for it."""
    out.line(f"- {step['text']}")
    for item in step.get("details", ()):
        out.line(f"  {item}")
    if "command" in step:
        out.line(f"  {step['command']}")


def print_trust(out: Output, trust: dict[str, Any]) -> None:
    """Prints the verdict, and held-out SRCC (Spearman rank correlation) beside that of the baselines."""
    from nasbuild.report import hop_name

    rows = [
        [
            name,
            f"{a['mean']:.3f}",
            f"{a['std']:.3f}",
            *(f"{r[key]['mean']:.3f}" if key else "" for r in trust["baselines"]),
        ]
        for name, a, key in (
            *((hop_name(hop["hop"], trust["kind"]), hop, "") for hop in trust["hops"]),
            ("prediction y'", trust["prediction"], "prediction"),
            ("summed module scores", trust["modules"], "modules"),
        )
    ]
    header = ["held-out SRCC", "mean", "std", *(r["title"] for r in trust["baselines"])]
    out.line(trust["verdict"], LEVEL_STYLES.get(trust["level"], "red"))
    out.table(header, rows, right=range(1, len(header)))
    if trust["coverage_text"]:
        out.line(trust["coverage_text"])
    if trust["reach_text"]:
        out.line(trust["reach_text"], "yellow")


def print_features(out: Output, target: dict[str, Any]) -> None:
    """Prints the effect of every choice, best first, with its standard deviation over the members."""
    from nasbuild.report import choice_text

    measure, scale, apart = target["effects"]["measure"], _scale(target), target["against_reference"]
    against = " against the reference's choice" if apart else ""
    out.line(
        {
            "scalar": "\neffects of choices (FE-MLP scalar, in standard deviations of the 0-hop norm):",
            "effect": f"\neffects of choices (change of a module's score{against}, in the target's unit):",
            "importance": "\nimportance of choices (PED-ANOVA; positive: more such layers go with higher labels):",
        }[measure]
    )
    rows = []
    few, features = len(target["stages"]) <= _MANY_STAGES, target["features"]
    first, last = _SHOWN_CHOICES.get(len(features), _FEWEST_CHOICES)
    for f in features if few else features[:_SHOWN_FEATURES]:
        left_out = len(f["choices"]) - first - last
        for n, c in enumerate(f["choices"]):
            if not few and left_out > 1 and first <= n < first + left_out:
                if n == first:
                    rows.append(["", f"({left_out} more)", "", "", ""])
                continue
            spread = scale.deviation(c["effect_std"]) if c["member_effects"] else "-"
            effect = scale.signed(c["effect"])
            if apart:
                effect, spread = _signed(c["effect"]), number(c["effect_std"]) if c["effect_std"] else "0"
            name = f["feature"] if n == 0 else ""
            rows.append([name, choice_text(c["choice"]), effect, spread, f"{c['nodes']:,}"])
    if not few and len(features) > _SHOWN_FEATURES:
        rows.append([f"({len(features) - _SHOWN_FEATURES} more)", "", "", "", ""])
    header = scale.named("importance" if measure == "importance" else "effect") if not apart else "effect"
    out.table(["feature", "choice", header, "std", "layers in table"], rows, right=[2, 3, 4])


def print_stage_effects(out: Output, target: dict[str, Any]) -> None:
    """Prints effects stage by stage, of many the largest; nothing where no feature has effects in several stages."""
    from nasbuild.report import choice_text, stage_effects

    found, scale = stage_effects(target["features"]), _scale(target)
    if not found["features"]:
        return
    if len(found["stages"]) > _MANY_STAGES:
        _print_largest_effects(out, found)
        return
    out.line(f"\n{scale.named('the same per stage')}:")
    rows = [
        [feature["feature"] if n == 0 else "", choice_text(row["choice"])]
        + [scale.signed(e["effect"]) if e else "" for e in row["effects"]]
        for feature in found["features"]
        for n, row in enumerate(feature["rows"])
    ]
    header = ["feature", "choice", *found["stages"]]
    out.table(header, rows, right=range(2, len(header)))


def print_pairs(out: Output, target: dict[str, Any]) -> None:
    """Prints the pairs of choices that stand out, or that none does."""
    if target["pairs"] is None:
        return
    out.line("\nwhat two choices do together beyond their sum:")
    for line in target["pairs"]["sentences"]:
        out.line(f"  {line}")


def print_modules(out: Output, target: dict[str, Any]) -> None:
    """Prints the best and the worst modules of every stage; of many stages only those that differ most."""
    from nasbuild.report import minus

    rows = []
    shown = None if len(target["stages"]) <= _FEW_STAGES else 1
    stages, which = target["stages"], "each stage"
    if len(stages) > _MANY_STAGES:
        if len(target["features"]) == 1 and all(
            stage["total"] <= len(target["features"][0]["choices"]) for stage in stages
        ):
            return  # a module is one choice, whose effects were shown
        order = sorted(range(len(stages)), key=lambda u: -_range(stages[u]))[:_SHOWN_STAGES]
        stages, which = (
            [stages[u] for u in sorted(order)],
            f"the {_SHOWN_STAGES} of {len(stages)} stages where they differ most",
        )
    out.line(f"\nbest and worst modules of {which} ({_SCORES[target['trust']['kind']]}):")
    for stage in stages:
        name = stage["name"]
        if stage["searched"]:
            name += f" (searched: {stage['scored']:,} of {stage['total']:,})"
        for kind in ("best", "worst"):
            for n, module in enumerate(stage[kind][:shown]):
                score = f"{minus(number(module['score']))} ± {number(module['std'])}"
                rows.append([name, kind if n == 0 else "", module["id"], score])
                name = ""
    out.table(["stage", "", "module", "score"], rows, right=[3])
    example = next((module for stage in stages for module in stage["best"]), None)
    if example is not None and example["text"] != example["id"]:
        out.line(f"{example['id']}: {example['text']}", "dim")


def _range(stage: dict[str, Any]) -> float:
    """By how much the scores of a stage's modules differ; 0 where rows have only one."""
    if not stage["best"] or not stage["worst"]:
        return 0.0
    return abs(stage["best"][0]["score"] - stage["worst"][0]["score"])


def _signed(value: float) -> str:
    """A signed number of four digits, however small: effects of single changes differ by orders of magnitude."""
    from nasbuild.report import minus

    return f"{'+' if value > 0 else ''}{minus(number(value))}" if value else "0"


def _print_largest_effects(out: Output, found: dict[str, Any]) -> None:
    """Prints the effects of single choices in single stages that are farthest from 0."""
    from nasbuild.report import choice_text

    every = [
        (abs(e["effect"]), stage, feature["feature"], choice_text(row["choice"]), e)
        for feature in found["features"]
        for row in feature["rows"]
        for stage, e in zip(found["stages"], row["effects"], strict=True)
        if e
    ]
    largest = sorted(every, key=lambda one: -one[0])[:_SHOWN_EFFECTS]
    out.line(f"\nthe {len(largest)} largest of {len(every):,} effects in single stages:")
    rows = [[stage, feature, choice, _signed(e["effect"])] for _, stage, feature, choice, e in largest]
    out.table(["stage", "feature", "choice", "effect"], rows, right=[3])


def _scale(target: dict[str, Any]) -> Scale:
    from nasbuild.report import effect_scale

    return effect_scale(target["features"], **target["effects"])
