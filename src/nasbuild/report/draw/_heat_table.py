"""Effects per stage as a table of coloured cells."""

from __future__ import annotations

import math
from typing import Any

from nasbuild.report.data._number_format import Scale

_STEPS = 4  # shades of a colour
_MAX_ROWS = 30  # longer tables are collapsed


def heat(effects: dict[str, Any], sign: int, scale: Scale) -> dict[str, Any]:
    """Adds a text and a colour class to every cell of `stage_effects`.

    A cell within one standard deviation of zero has no colour, as its sign is uncertain.
    """
    cells = [e for feature in effects["features"] for row in feature["rows"] for e in row["effects"]]
    largest = max((abs(e["effect"]) for e in cells if e), default=0.0) or 1.0
    features = [
        {
            "feature": feature["feature"],
            "rows": [
                {
                    "choice": row["choice"],
                    "cells": [_cell(e, sign, largest, scale) if e else None for e in row["effects"]],
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
        "gaps": not all(cells),
        "long": rows if rows > _MAX_ROWS else 0,
    }


def _cell(effect: dict[str, Any], sign: int, largest: float, scale: Scale) -> dict[str, str]:
    value, std = effect["effect"], effect["effect_std"]
    step = math.ceil(_STEPS * abs(value) / largest - 1e-9)
    unsure = abs(value) <= std or not step
    return {
        "text": scale.signed(value),
        "colour": "unsure" if unsure else f"{'up' if sign * value > 0 else 'down'}{step}",
        "title": f"{scale.signed(value)} ± {scale.plain(std)}" if effect["member_effects"] else "",
    }
