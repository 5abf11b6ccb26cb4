"""Why one architecture is predicted better than another: as plain data and as a sum that a person can add up."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from nasbuild.report.data._number_format import Scale, percent, plural

if TYPE_CHECKING:
    from nasbuild.score import TargetFit
    from nasbuild.space import Architecture

_DIGITS = 4  # of the largest number of a sum
_LONGEST = 40  # characters of an id in a sentence


def comparison_data(
    target_fit: TargetFit, first: tuple[str, Architecture], second: tuple[str, Architecture]
) -> dict[str, Any]:
    """Returns the difference of two predictions, first minus second, as plain data.

    Parameters
    ----------
    first, second
        Name and architecture.

    Returns
    -------
    ``target``, ``direction``, ``unit``, ``first`` and ``second`` (id, prediction, std), ``difference``, ``better`` (the
    id of the better one; null for equal predictions), ``interval`` (of the difference, 90 %) and ``certainty`` (share of
    posterior samples in which the better one is better), both null where they are not known, ``contributions`` (kind, text, stages, value, std), whose values
    add up to the difference, and ``scale``: the factor between labels and the scale on which these add up.

    Examples
    --------
    >>> from nasbuild.report import comparison_data
    >>> named = list(zip(table.ids, table.architectures, strict=True))
    >>> data = comparison_data(fit["acc"], named[40], named[0])
    >>> data["better"] == table.ids[40], data["contributions"][0]["text"]
    (True, 'stage2: mb_e6_k5-mb_e6_k5, not mb_e1_k3')
    """
    from nasbuild.score import compare_architectures  # loads torch, which takes seconds

    found = compare_architectures(target_fit, first[1], second[1])
    target, names = target_fit.target, [stage.name for stage in target_fit.scorer.space.stages]
    ahead = target.sign * found.difference
    return {
        "target": target.name,
        "direction": "maximize" if target.sign > 0 else "minimize",
        "unit": target.unit,
        "first": {"id": first[0], "prediction": found.first, "std": found.first_std},
        "second": {"id": second[0], "prediction": found.second, "std": found.second_std},
        "difference": found.difference,
        "better": None if ahead == 0 else (first if ahead > 0 else second)[0],
        "interval": None if found.interval is None else list(found.interval),
        "certainty": _certainty(found.first_larger, found.difference > 0),
        "scale": None if found.is_straight else found.slope,
        "contributions": [
            {
                "kind": one.kind,
                "text": one.text,
                "stages": [names[u] for u in one.stages],
                "value": one.value,
                "std": one.std,
            }
            for one in found.contributions
        ],
    }


def _certainty(first_larger: float | None, larger: bool) -> float | None:
    """Share of samples that agree with the predictions' order."""
    if first_larger is None:
        return None
    return first_larger if larger else 1 - first_larger


def comparison_lines(data: dict[str, Any], most: int = 15) -> tuple[str, list[tuple[str, str]], str]:
    """Returns a heading, lines of number and text whose printed numbers add up to the last one, and a remark.

    Parameters
    ----------
    data
        Of `comparison_data`.
    most
        Largest contributions that have a line of their own; the others share one.

    Examples
    --------
    >>> from nasbuild.report import comparison_data, comparison_lines
    >>> named = list(zip(table.ids, table.architectures, strict=True))
    >>> heading, lines, remark = comparison_lines(comparison_data(fit["acc"], named[40], named[0]))
    >>> lines[-1]
    ('+13.88', 'difference')
    """
    first, second, difference = data["first"], data["second"], data["difference"]
    values = [one["value"] for one in data["contributions"]]
    top = max([abs(difference), *map(abs, values)])
    own = Scale.of([0.0, top], data["unit"])
    decimals = max(_DIGITS - 1 - math.floor(math.log10(top / 10.0**own.exponent)), 0) if top else 2
    scale = Scale(own.exponent, decimals, data["unit"])
    unit = 10.0**scale.exponent
    shown = [round(value / unit, decimals) for value in values[:most]]
    whole = round(difference / unit, decimals)
    rest = round(whole - sum(shown), decimals)
    lines = [
        (scale.signed(value * unit), one["text"])
        for value, one in zip(shown, data["contributions"], strict=False)
    ]
    others = len(values) - len(shown)
    if others or rest:
        lines.append((scale.signed(rest * unit), plural(others, "smaller one") if others else "rounding"))
    lines.append((scale.signed(whole * unit), "difference"))
    names = [
        one["id"] if len(one["id"]) <= _LONGEST else f"the {number}"
        for one, number in ((first, "first"), (second, "second"))
    ]
    better = "both are equal"
    if data["better"] is not None:
        better = (
            f"{names[0] if (data['direction'] == 'maximize') == (difference > 0) else names[1]} is better"
        )
    heading = (
        f"{scale.named(data['target'])}: {names[0]} is predicted {scale.pair(first['prediction'], first['std'])}, "
        f"{names[1]} {scale.pair(second['prediction'], second['std'])}. With the target {data['direction']}d, {better}."
    )
    if data["better"] is not None and data["interval"] is not None:
        low, high = (scale.signed(limit) for limit in data["interval"])
        heading = (
            f"{heading[:-1]} with a probability of {percent(data['certainty'])}. "
            f"The 90 % interval of the difference is {low} to {high}."
        )
    remark = (
        ""
        if data["scale"] is None
        else "Contributions add up on another scale than the label's. All are multiplied by the same factor, so that "
        "their sum is the difference."
    )
    return heading, lines, remark
