"""Effects per stage as a table of coloured cells."""

from __future__ import annotations

import math
from typing import Any

from nasbuild.report.data._number_format import Scale

_STEPS = 4  # shades of a colour
_MAX_ROWS = 30  # longer tables are collapsed
MANY_STAGES = 12
"""Number of stages above which they are the rows of a map, as their columns or sections would be too many."""
_BLOCK = 30  # stages in a block of a map


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


def blocks_of_stages(heat_table: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """Turns a heat table round: blocks of rows, one row per stage, with the cells of each feature's choices."""
    rows = [
        {
            "stage": name,
            "features": [[row["cells"][u] for row in feature["rows"]] for feature in heat_table["features"]],
        }
        for u, name in enumerate(heat_table["stages"])
    ]
    return [rows[start : start + _BLOCK] for start in range(0, len(rows), _BLOCK)]


def stage_map(stages: list[dict[str, Any]], scale: Scale) -> list[dict[str, Any]]:
    """Returns for each stage the difference between its best and worst module, and its shade (0 to 4)."""
    largest = max((stage["span"] for stage in stages), default=0.0)
    found = []
    for stage in stages:
        step = math.ceil(_STEPS * stage["span"] / largest - 1e-9) if largest > 0 else 0
        number = "".join(c for c in stage["name"][-3:] if c.isdigit())
        found.append(
            {
                "short": number or stage["name"][:2],
                "span": scale.plain(stage["span"]),
                "shade": f"up{step}" if step else "unsure",
            }
        )
    return found


def _cell(effect: dict[str, Any], sign: int, largest: float, scale: Scale) -> dict[str, str]:
    value, std = effect["effect"], effect["effect_std"]
    step = math.ceil(_STEPS * abs(value) / largest - 1e-9)
    unsure = abs(value) <= std or not step
    return {
        "text": scale.signed(value),
        "colour": "unsure" if unsure else f"{'up' if sign * value > 0 else 'down'}{step}",
        "title": f"{scale.signed(value)} ± {scale.plain(std)}" if effect["member_effects"] else "",
    }
