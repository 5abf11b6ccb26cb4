"""Effects stage by stage as a table of coloured cells."""

from __future__ import annotations

import math
from typing import Any

from nasbuild.report.data._number_format import Scale

_STEPS = 4  # of a colour
_MOST_ROWS = 30  # a longer table is folded


def heat(effects: dict[str, Any], sign: int, scale: Scale) -> dict[str, Any]:
    """The table of `stage_effects` with a text and a colour class for every cell.

    A cell within one deviation of zero has no colour: its sign is not told by the labels.
    """
    every = [e for feature in effects["features"] for row in feature["rows"] for e in row["effects"]]
    most = max((abs(e["effect"]) for e in every if e), default=0.0) or 1.0
    features = [
        {
            "feature": feature["feature"],
            "rows": [
                {
                    "choice": row["choice"],
                    "cells": [_cell(e, sign, most, scale) if e else None for e in row["effects"]],
                }
                for row in feature["rows"]
            ],
        }
        for feature in effects["features"]
    ]
    rows = sum(len(feature["rows"]) for feature in features)
    return {
        "stages": effects["stages"],
        "features": features,
        "gaps": not all(every),
        "long": rows if rows > _MOST_ROWS else 0,
    }


def _cell(effect: dict[str, Any], sign: int, most: float, scale: Scale) -> dict[str, str]:
    value, std = effect["effect"], effect["effect_std"]
    step = math.ceil(_STEPS * abs(value) / most - 1e-9)
    unsure = abs(value) <= std or not step
    return {
        "text": scale.signed(value),
        "colour": "unsure" if unsure else f"{'up' if sign * value > 0 else 'down'}{step}",
        "title": f"{scale.signed(value)} ± {scale.plain(std)}" if effect["each"] else "",
    }
