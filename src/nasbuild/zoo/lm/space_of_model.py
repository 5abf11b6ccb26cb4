"""The space of what a language model can become: a stage for each block, exact costs, the model as reference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nasbuild.errors import NasbuildError
from nasbuild.space import Space, space_from_dict
from nasbuild.zoo.lm.declared_costs import declared_costs
from nasbuild.zoo.lm.model_change import BLOCK_TENSORS
from nasbuild.zoo.lm.model_shape import ATTENTION, ModelShape
from nasbuild.zoo.lm.parts_to_vary import GROUPS, OUTER, check_parts, features_of, type_choices

METRICS: dict[str, dict[str, Any]] = {
    "loss": {"direction": "minimize", "unit": "nats", "minimum": 0},
    "ppl": {"direction": "minimize", "minimum": 1},
    "kld": {"direction": "minimize", "unit": "nats", "minimum": 0},
    "bytes": {"direction": "minimize", "unit": "B", "minimum": 0},
    "params": {"direction": "minimize", "minimum": 0},
    "macs": {"direction": "minimize", "unit": "MACs/token", "minimum": 0},
    "kv_bytes": {"direction": "minimize", "unit": "B", "minimum": 0},
    "seconds": {"direction": "minimize", "unit": "s", "minimum": 0},
}
CONTEXT = 512


def model_space(
    shape: ModelShape,
    parts: Sequence[str],
    *,
    types: Sequence[str] = (),
    context: int = CONTEXT,
    tie: Sequence[Sequence[str]] = (),
) -> Space:
    """The space of a model.

    Parameters
    ----------
    parts
        What varies: ``blocks``, ``attention``, ``mlp`` (there or not), ``width`` (channels of the MLP), ``heads``
        (key-value heads with their query heads), ``bits`` (types of the matrices, embeddings in a stage of their own).
    types
        Types to choose from; by default one for each number of bits. Those that fit and make a matrix smaller are taken.
    context
        Tokens in the key-value cache, for ``kv_bytes`` and ``macs``.
    tie
        Matrices that share a type, such as ``("attn_q", "attn_k", "attn_v")``, instead of q with k and gate with up.

    Raises
    ------
    NasbuildError
        If a part or a type is unknown, or nothing varies.

    Examples
    --------
    >>> from nasbuild.zoo.lm import BlockShape, ModelShape, TensorShape, model_space
    >>> matrix = TensorShape(64, 64, "f16", 2 * 64 * 64)
    >>> names = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_up", "ffn_down")
    >>> block = BlockShape(dict.fromkeys(names, matrix), 2, 2, 32, 64, 64, 64)
    >>> space = model_space(ModelShape("small", (block, block), {"token_embd": matrix}, 64), ["attention", "mlp"])
    >>> [stage.name for stage in space.stages], space.costs["params"].values(space, [space.reference])
    (['block0', 'block1'], array([53568.]))
    """
    check_parts(parts)
    groups = tied_groups(tie)
    features = [features_of(block, parts, types, groups) for block in shape.blocks]
    outer = {name: type_choices([tensor], types) for name, tensor in shape.outer.items()}
    features.append(outer if "bits" in parts else {})
    names = [*(f"block{n}" for n in range(len(shape.blocks))), OUTER]
    varied = [(name, own) for name, own in zip(names, features, strict=True) if own]
    if not varied:
        raise NasbuildError("nothing of this model varies", where="--vary", todo="give other parts")
    space = {
        "name": _name(shape.name),
        "metrics": METRICS,
        "stages": [{"name": name, "depth": [1], "features": _conditional(own)} for name, own in varied],
        "costs": declared_costs(shape, features, groups, context),
        "identity": "none",
        "reference": {"stages": [[{key: choices[0] for key, choices in own.items()}] for _, own in varied]},
    }
    return space_from_dict(space)


def tied_groups(tie: Sequence[Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """Features of bits and their matrices, with some tied otherwise than by default."""
    groups = dict(GROUPS)
    for names in tie:
        for name in names:
            if name not in BLOCK_TENSORS:
                raise NasbuildError(f"a block has no matrix '{name}'", where="--tie", allowed=BLOCK_TENSORS)
            if (name in ATTENTION) != (names[0] in ATTENTION):
                raise NasbuildError(
                    f"{names[0]} and {name} are of different parts",
                    where="--tie",
                    todo="tie matrices of the attention, or of the MLP",
                )
        groups = {
            feature: rest
            for feature, tensors in groups.items()
            if (rest := tuple(name for name in tensors if name not in names))
        }
        groups[feature_of(names)] = tuple(names)
    return {feature_of(tensors): tensors for tensors in groups.values()}


def feature_of(tensors: Sequence[str]) -> str:
    """Name of the feature of matrices that share a type: ``attn_qk`` of ``attn_q`` and ``attn_k``."""
    kind, first = tensors[0].split("_", 1)
    rest = [name.split("_", 1)[1] for name in tensors[1:]]
    return f"{kind}_{first}" + "".join(one if len(one) == 1 else f"_{one}" for one in rest)


def _conditional(features: dict[str, list[Any]]) -> dict[str, Any]:
    """Features with what they exist with: types and widths only where their part is there."""
    found: dict[str, Any] = {}
    for name, choices in features.items():
        part = "attention" if name.startswith("attn") or name == "kv_heads" else "mlp"
        needed = "block" if "block" in features else part
        conditional = needed in features and name not in ("block", "attention", "mlp")
        found[name] = {"choices": choices, "when": {needed: "on"}} if conditional else choices
    return found


def _name(name: str) -> str:
    kept = "".join(c if c.isalnum() else "-" for c in name.lower())
    return "-".join(part for part in kept.split("-") if part) or "model"
