"""Sensitivities of layers, estimated one by one: of mlx-lm's ``dynamic_quant`` and of ModelOpt's AutoQuantize."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nasbuild.errors import TableError
from nasbuild.table._rows import shown
from nasbuild.table._table import Note
from nasbuild.table.quantizers._assigned import Assigned, AssignedRow, Rule

_LOW, _HIGH = "low", "high"
_NONE = "NONE"
AS_JSON = (
    "json.dump({layer: {'formats': [str(f) for f in s['formats']], 'scores': s['scores'], 'costs': s['costs']} "
    "for layer, s in state['candidate_stats'].items()}, file)"
)
"""How candidate stats of AutoQuantize become plain data."""


def mlx_sensitivities(path: Path, data: object) -> Assigned | None:
    """Each layer alone at low bits, all others at high bits; None if the file is no list of layers and numbers.

    mlx-lm estimates, to first order, how much the KL divergence grows for each million weights of a layer.
    """
    if not isinstance(data, list) or not data or not all(map(_is_pair, data)):
        return None
    rows = [
        AssignedRow(
            str(path),
            "reference",
            (),
            dict.fromkeys((layer for layer, _ in data), _HIGH),
            {"sensitivity": 0.0},
        )
    ]
    for layer, value in data:
        rows.append(AssignedRow(str(path), layer, (Rule(layer, _LOW),), _HIGH, {"sensitivity": float(value)}))
    text = (
        "sensitivity is the rise of the KL divergence for each million weights when one layer has the low bits, by the "
        "estimate of mlx-lm; with high bits everywhere it is 0. The file says neither these bits nor how many weights a "
        "layer has, so a sum over layers counts each of them alike"
    )
    return Assigned(
        str(path),
        rows,
        _HIGH,
        {"sensitivity": "minimize"},
        {"sensitivity": "nats/M"},
        notes=[Note("read", text)],
    )


def _is_pair(entry: object) -> bool:
    return (
        isinstance(entry, list)
        and len(entry) == 2
        and isinstance(entry[0], str)
        and isinstance(entry[1], int | float)
        and not isinstance(entry[1], bool)
    )


def candidate_stats(path: Path, data: object) -> Assigned | None:
    """AutoQuantize's scores of formats, layer by layer; None if the file has none.

    AutoQuantize minimises the sum of the scores of all layers within a sum of their costs. A row is one layer in one
    format and all others unquantised.

    Raises
    ------
    TableError
        If a layer has no score without quantisation, or lists of different lengths.
    """
    found = data.get("candidate_stats", data) if isinstance(data, Mapping) else None
    if not isinstance(found, Mapping) or not found:
        return None
    if not all(isinstance(e, Mapping) and "formats" in e and "scores" in e for e in found.values()):
        return None
    scores = {layer: _by_format(entry, "scores", f"{path}, {layer}") for layer, entry in found.items()}
    whole = {layer: _unquantised(own, f"{path}, {layer}") for layer, own in scores.items()}
    base = sum(scores[layer][name] for layer, name in whole.items())
    rows = [AssignedRow(str(path), "reference", (), whole, {"score": base})]
    for layer, own in scores.items():
        for name, score in own.items():
            if name != whole[layer]:
                value = base - own[whole[layer]] + score
                rows.append(
                    AssignedRow(str(path), f"{layer}={name}", (Rule(layer, name),), whole, {"score": value})
                )
    costs: dict[str, dict[str, dict[str, float]]] = {}
    if all(entry.get("costs") is not None for entry in found.values()):
        costs["cost"] = {
            layer: _by_format(entry, "costs", f"{path}, {layer}") for layer, entry in found.items()
        }
    text = (
        "score is the sum of the layers' scores, which AutoQuantize minimises; it was estimated layer by layer, not measured"
        + ("; cost is the sum of their costs in AutoQuantize's unit, weights of 16 bits" if costs else "")
    )
    return Assigned(str(path), rows, whole, {"score": "minimize"}, costs=costs, notes=[Note("read", text)])


def _by_format(entry: Mapping[str, Any], key: str, where: str) -> dict[str, float]:
    formats, values = entry["formats"], entry[key]
    alike = isinstance(formats, Sequence) and isinstance(values, Sequence) and len(formats) == len(values)
    if not alike or not all(isinstance(v, int | float) for v in values):
        raise TableError(f"formats and {key} are not lists of one length, of texts and numbers", where=where)
    return {_short(str(name)): float(value) for name, value in zip(formats, values, strict=True)}


def _short(text: str) -> str:
    """``NVFP4_DEFAULT_CFG(effective-bits: 4.5)`` is ``NVFP4_DEFAULT_CFG``."""
    return text.partition("(")[0].strip() or text


def _unquantised(scores: Mapping[str, float], where: str) -> str:
    if _NONE not in scores:
        raise TableError(
            f"has no score of {_NONE}, so what the others are changes of is not known",
            where=where,
            allowed=shown(_NONE),
        )
    return _NONE
