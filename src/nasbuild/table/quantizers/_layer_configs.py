"""Quantised models of mlx-lm, auto-round and ModelOpt: the choice of each layer from their configuration."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nasbuild.errors import TableError
from nasbuild.table._rows import shown
from nasbuild.table._table import Note
from nasbuild.table.quantizers._assigned import DEFAULT, Assigned, AssignedRow, Rule

_SCHEME = re.compile(r"(W\d+A\d+\w*|(MX|NV)FP\d\w*|FPW?8\w*|FP8_\w+|BF16|GGUF:\w+)", re.IGNORECASE)
"""Presets of auto-round, such as W4A16, MXFP4 and GGUF:Q4_K_M."""
_SPECIAL = re.compile(r"[*+?\[\](){}|^$\\]")
_NO_QUANTISER = "16 bits"
_OF_LAYER = frozenset(
    (
        "bits",
        "group_size",
        "sym",
        "data_type",
        "scale_dtype",
        "act_bits",
        "act_group_size",
        "act_sym",
        "act_data_type",
        "act_dynamic",
        "super_bits",
        "super_group_size",
        "transform_config",
        "rotation_config",
        "iters",
        "in_blocks",
        "fixed_by_user",
        "scheme",
        "quant_lm_head",
        "to_quant",
    )
)
"""Keys of a layer of auto-round. A table that happens to have bits has others."""


def layer_config(path: Path, data: object) -> Assigned | None:
    """The one architecture of a configuration; None if the file is none.

    Raises
    ------
    TableError
        If a layer's entry can't be understood.
    """
    if not isinstance(data, Mapping) or not data:
        return None
    name = (
        path.parent.name
        if path.name in ("config.json", "hf_quant_config.json")
        else path.name.partition(".")[0]
    )
    where = str(path)
    for key in ("quantization", "quantization_config"):
        inner = data.get(key)
        if isinstance(inner, Mapping):
            return _of_section(where, name, inner)
    if "quantized_layers" in data or data.get("quant_method") in ("auto-round", "modelopt"):
        return _of_section(where, name, data)
    if _is_mlx_section(data):
        return _mlx(where, name, data)
    if all(isinstance(key, str) and _is_layer_entry(value) for key, value in data.items()):
        return _auto_round(where, name, data, DEFAULT)
    return None


def _is_mlx_section(data: Mapping[str, Any]) -> bool:
    """Whether it is the section of a configuration alone, which has entries of the whole and of layers."""
    layers = {key: value for key, value in data.items() if key not in ("bits", "group_size", "mode")}
    named = all("." in key or key == "lm_head" for key in layers)
    given = {"bits", "group_size"} <= data.keys()
    return given and named and bool(layers) and all(isinstance(v, Mapping | bool) for v in layers.values())


def _is_layer_entry(value: object) -> bool:
    if isinstance(value, str):
        return _SCHEME.fullmatch(value) is not None
    return isinstance(value, Mapping) and "bits" in value and _OF_LAYER.issuperset(value)


def _of_section(where: str, name: str, data: Mapping[str, Any]) -> Assigned | None:
    if isinstance(data.get("quantized_layers"), Mapping):
        return _modelopt(where, name, data)
    if data.get("quant_method") == "auto-round" or "extra_config" in data:
        extra = data.get("extra_config") or {}
        if not isinstance(extra, Mapping):
            raise TableError(f"is {shown(extra)}, not an object", where=f"{where}, extra_config")
        return _auto_round(where, name, extra, _auto_round_choice(data, where))
    if "group_size" in data and "bits" in data and "quant_method" not in data:
        return _mlx(where, name, data)
    if (method := data.get("quant_method")) is not None:
        raise TableError(
            f"is a model quantised by {shown(method)}, whose configuration does not name layers",
            where=where,
            allowed="mlx-lm, auto-round, modelopt",
        )
    return None


def _mlx(where: str, name: str, data: Mapping[str, Any]) -> Assigned:
    """As mlx-lm writes: ``bits``, ``group_size`` and ``mode`` of all layers, and those of single layers by their names."""
    rules = []
    for layer, entry in data.items():
        if isinstance(entry, Mapping):
            rules.append(Rule(layer, _mlx_choice({**data, **entry}, f"{where}, {layer}")))
        elif isinstance(entry, bool):
            rules.append(Rule(layer, _mlx_choice(data, where) if entry else _NO_QUANTISER))
    return _one(where, name, rules, _mlx_choice(data, where))


def _mlx_choice(entry: Mapping[str, Any], where: str) -> str:
    mode = entry.get("mode", "affine")
    bits = f"{_whole(entry, 'bits', where)} bits, group {_whole(entry, 'group_size', where)}"
    return bits if mode == "affine" else f"{mode}, {bits}"


def _auto_round(where: str, name: str, data: Mapping[str, Any], default: str) -> Assigned:
    """Layers by name, by a part of it, or by a regular expression, each with a scheme or its parts."""
    rules = []
    for layer, entry in data.items():
        plain = layer.removeprefix("re:")
        pattern = plain != layer or bool(_SPECIAL.search(plain))
        rules.append(Rule(plain, _auto_round_choice(entry, f"{where}, {layer}"), pattern))
    # A full name goes before a pattern that is about it as well.
    return _one(where, name, sorted(rules, key=lambda rule: rule.is_pattern), default)


def _auto_round_choice(entry: object, where: str) -> str:
    if isinstance(entry, str):
        return entry.upper()
    if not isinstance(entry, Mapping):
        raise TableError(
            f"{shown(entry)} is no configuration of a layer", where=where, allowed="objects with bits"
        )
    if entry.get("bits") is None:
        # Not what bits alone would be: the layer keeps the bits of the whole model.
        raise TableError("has no bits", where=where, todo="write the bits of the layer")
    bits = _whole(entry, "bits", where)
    if bits >= 16:
        return _NO_QUANTISER
    kind = entry.get("data_type") or "int"
    parts = [f"{bits} bits" if kind == "int" else f"{kind}, {bits} bits"]
    if (group := entry.get("group_size")) is not None:
        parts.append(f"group {group}")
    if entry.get("sym") is False:
        parts.append("asymmetric")
    activations = entry.get("act_bits")
    if isinstance(activations, int) and activations < 16:
        parts.append(f"activations {activations} bits")
    return ", ".join(parts)


def _modelopt(where: str, name: str, data: Mapping[str, Any]) -> Assigned:
    """As ModelOpt exports mixed precision: ``quantized_layers``; all others are not quantised."""
    rules = []
    for layer, entry in data["quantized_layers"].items():
        if not isinstance(entry, Mapping) or not isinstance(entry.get("quant_algo"), str):
            raise TableError(f"{shown(entry)} has no quant_algo", where=f"{where}, {layer}")
        group = entry.get("group_size")
        rules.append(Rule(layer, entry["quant_algo"] + (f", group {group}" if group else "")))
    return _one(where, name, rules, _NO_QUANTISER)


def _one(where: str, name: str, rules: list[Rule], rest: str) -> Assigned:
    row = AssignedRow(where, name, tuple(rules), rest)
    text = f"layers that the file does not name are {rest!r}, so those that no file names are left out"
    return Assigned(where, [row], notes=[Note("read", text)])


def _whole(entry: Mapping[str, Any], key: str, where: str) -> int:
    value = entry.get(key)
    if not isinstance(value, int) or isinstance(value, bool):
        raise TableError(f"{key} is {shown(value)}, not a whole number", where=where)
    return value
