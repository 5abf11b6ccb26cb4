"""Costs of a model's space, declared as sums and products of choices, so that bounds on them are exact."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nasbuild.zoo.lm.exact_costs import COSTS, FLOAT32, KEY_VALUE
from nasbuild.zoo.lm.model_shape import ATTENTION, MLP, BlockShape, ModelShape, TensorShape
from nasbuild.zoo.lm.parts_to_vary import OFF, ON, OUTER
from nasbuild.zoo.lm.tensor_types import type_bytes

UNITS = {"bytes": "B", "params": None, "macs": "MACs/token", "kv_bytes": "B"}
_PRESENT = {ON: 1, OFF: 0}
Groups = Mapping[str, tuple[str, ...]]
Features = Mapping[str, Sequence[Any]]
Numbers = dict[str, dict[Any, float]]


def declared_costs(
    shape: ModelShape, features: Sequence[Features], groups: Groups, context: int
) -> dict[str, dict[str, Any]]:
    """Costs as in ``costs:`` of a space file.

    Parameters
    ----------
    features
        Of each block, then of the matrices outside them: feature -> choices, the unchanged one first.
    groups
        Feature of bits -> matrices that share its choice.
    context
        Tokens in the key-value cache.
    """
    constants: dict[str, float] = dict.fromkeys(COSTS, 0.0)
    terms: dict[str, list[dict[str, Any]]] = {name: [] for name in COSTS}
    constants["bytes"] += FLOAT32 * shape.norms
    constants["params"] += shape.norms + sum(one.rows * one.columns for one in shape.outer.values())
    head = shape.outer.get("output", shape.outer["token_embd"])
    constants["macs"] += head.rows * head.columns
    for name, tensor in shape.outer.items():
        choices = features[-1].get(name)
        if choices is None:
            constants["bytes"] += tensor.bytes
        else:
            values = {
                kind: bytes_of_type(tensor, kind, at == 0, tensor.rows, tensor.columns)
                for at, kind in enumerate(choices)
            }
            terms["bytes"].append({"feature": name, "stage": OUTER, "values": values})
    for first, alike in _alike(shape).items():
        everywhere = len(alike) == len(shape.blocks)
        place = {} if everywhere else {"stage": [f"block{n}" for n in alike]}
        for (cost, names), term in _summed(shape.blocks[first], features[first], groups, context).items():
            if names:
                terms[cost].append({**_plain(names, *term), **place})
            else:
                constants[cost] += term[0] * len(alike)
    return {
        name: {
            "direction": "minimize",
            **({"unit": unit} if unit else {}),
            "constant": constants[name],
            **({"sum": terms[name]} if terms[name] else {}),
        }
        for name, unit in UNITS.items()
    }


def bytes_of_type(tensor: TensorShape, kind: str, unchanged: bool, rows: int, columns: int) -> float:
    """Bytes of rows and columns of a matrix in a type; the unchanged type is that of the file."""
    if unchanged:
        return tensor.bytes * rows * columns / (tensor.rows * tensor.columns)
    return type_bytes(kind, rows, columns)


def _alike(shape: ModelShape) -> dict[int, list[int]]:
    """Blocks of equal shape: the first of them -> all of them."""
    found: dict[int, list[int]] = {}
    for n, block in enumerate(shape.blocks):
        first = next((m for m in found if shape.blocks[m] == block), n)
        found.setdefault(first, []).append(n)
    return found


def _summed(
    block: BlockShape, features: Features, groups: Groups, context: int
) -> dict[tuple[str, tuple[str, ...]], tuple[float, Numbers]]:
    """Terms of a block, with those of equal factors as one: (cost, factors) -> coefficient and numbers of choices."""
    found: dict[tuple[str, tuple[str, ...]], tuple[float, Numbers]] = {}
    for cost, amount, factors in _block_terms(block, features, groups, context):
        numbers = {name: dict(values) for name, values in factors.items() if values is not None}
        key = (cost, tuple(factors))
        before = found.get(key)
        typed = next((name for name in numbers if name in groups), None)
        if before is not None and typed is not None:
            for kind, size in before[1][typed].items():
                numbers[typed][kind] += size
        elif before is not None:
            amount += before[0]
        found[key] = (amount, numbers)
    return {key: term for key, term in found.items() if term[0]}


def _plain(names: tuple[str, ...], amount: float, numbers: Numbers) -> dict[str, Any]:
    """A term as in a space file: values of choices where there is one factor, else a product."""
    if len(names) == 1 and names[0] in numbers:
        return {
            "feature": names[0],
            "values": {kind: amount * one for kind, one in numbers[names[0]].items()},
        }
    product = " * ".join([*([f"{amount:.17g}"] if amount != 1 else []), *names])
    return {"product": product, **({"numbers": numbers} if numbers else {})}


def _block_terms(
    block: BlockShape, features: Features, groups: Groups, context: int
) -> Iterator[tuple[str, float, dict[str, Any]]]:
    """Cost, coefficient, and factors: feature -> numbers of its choices, or None where these are numbers."""
    present = {
        part: {name: _PRESENT for name in ("block", part) if name in features}
        for part in ("attention", "mlp")
    }
    heads = {"kv_heads": None} if "kv_heads" in features else {}
    unit = 1 if heads else block.kv_heads  # key-value heads that a coefficient is for
    group_heads = block.heads // block.kv_heads
    yield "macs", 2.0 * context * unit * group_heads * block.head_dim, {**present["attention"], **heads}
    yield "kv_bytes", 2.0 * KEY_VALUE * context * unit * block.head_dim, {**present["attention"], **heads}
    for part, norms in (("attention", block.attention_norms), ("mlp", block.mlp_norms)):
        yield "bytes", float(FLOAT32 * norms), present[part]
        yield "params", float(norms), present[part]
    for name, tensor in block.tensors.items():
        part = "attention" if name in ATTENTION else "mlp"
        width, rows, columns = _of_one(block, name, features)
        here = {**present[part], **width}
        yield "params", float(rows * columns), here
        yield "macs", float(rows * columns), here
        if tensor.bias:
            bias = tensor.bias * rows / tensor.rows
            biased = here if rows < tensor.rows else present[part]
            yield "params", bias, biased
            yield "bytes", FLOAT32 * bias, biased
        feature = next(feature for feature, tensors in groups.items() if name in tensors)
        if feature in features:
            numbers = {
                kind: _per_unit(tensor, kind, at == 0, rows, columns)
                for at, kind in enumerate(features[feature])
            }
            yield "bytes", 1.0, {**here, feature: numbers}
        else:
            yield "bytes", bytes_of_type(tensor, "", True, rows, columns), here


def _of_one(block: BlockShape, name: str, features: Features) -> tuple[dict[str, None], int, int]:
    """The feature of width that cuts a matrix, and rows and columns for each number of its choices."""
    tensor = block.tensors[name]
    rows, columns = tensor.rows, tensor.columns
    if name in ATTENTION and "kv_heads" in features:
        if name == "attn_output":
            return {"kv_heads": None}, rows, columns // block.kv_heads
        return {"kv_heads": None}, rows // block.kv_heads, columns
    if name in MLP and "channels" in features:
        return ({"channels": None}, rows, 1) if name == "ffn_down" else ({"channels": None}, 1, columns)
    return {}, rows, columns


def _per_unit(tensor: TensorShape, kind: str, unchanged: bool, rows: int, columns: int) -> float:
    """Bytes for each number of a width: of one column, a share of a row of groups."""
    if columns == 1 and tensor.columns > 1 and not unchanged:
        return type_bytes(kind, rows, tensor.columns) / tensor.columns
    return bytes_of_type(tensor, kind, unchanged, rows, columns)
