"""What an architecture of a model's space changes in the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nasbuild.errors import NasbuildError
from nasbuild.space import Architecture, Space
from nasbuild.zoo.lm.model_change import BLOCK_TENSORS, OUTER_TENSORS, BlockChange, ModelChange
from nasbuild.zoo.lm.model_shape import BlockShape, ModelShape
from nasbuild.zoo.lm.parts_to_vary import KEPT, OFF, ON, OUTER

Order = Mapping[str, Sequence[int]]
"""``kv_heads`` and ``channels`` of a block, the most important first."""


def change_of(
    shape: ModelShape, space: Space, architecture: Architecture, orders: Sequence[Order] = ()
) -> ModelChange:
    """The change that an architecture stands for.

    Stages are called ``block0``, ``block1``, ... and ``outer``. Features of a block are ``block``, ``attention`` and
    ``mlp`` (``on``, ``off``), ``kv_heads`` and ``channels`` (numbers that are kept), and types of matrices: ``attn_v``,
    or ``attn_qk`` for two that share one. Blocks and features that a space leaves out stay as they are.

    Parameters
    ----------
    orders
        Of each block, which heads and channels are kept first; without them the first ones are.

    Raises
    ------
    NasbuildError
        If a stage or a feature has another name.

    Examples
    --------
    >>> from nasbuild.space import parse_architecture
    >>> from nasbuild.zoo.lm import change_of
    >>> space = model_space(shape, ["mlp"])
    >>> one = parse_architecture(space, {"stages": [[{"mlp": "on"}], [{"mlp": "off"}], [{"mlp": "on"}]]})
    >>> [block.mlp for block in change_of(shape, space, one).blocks]
    [True, False, True]
    """
    blocks, outer = [BlockChange() for _ in shape.blocks], {}
    for stage, layers in zip(space.stages, architecture, strict=True):
        choices = {feature.name: choice for feature, choice in zip(stage.features, layers[0], strict=True)}
        if stage.name == OUTER:
            for name, kind in choices.items():
                if name not in OUTER_TENSORS or name not in shape.outer:
                    raise _unknown(stage.name, name)
                if kind not in (KEPT, shape.outer[name].type):
                    outer[name] = str(kind)
            continue
        number = stage.name.removeprefix("block")
        if not number.isdecimal() or int(number) >= len(blocks):
            raise NasbuildError(
                f"the model has no stage '{stage.name}'", allowed=[f"block0 to block{len(blocks) - 1}", OUTER]
            )
        order = orders[int(number)] if orders else {}
        blocks[int(number)] = _block(shape.blocks[int(number)], stage.name, choices, order)
    return ModelChange(tuple(blocks), outer)


def tensors_of(feature: str) -> tuple[str, ...]:
    """Matrices whose type a feature names: ``attn_qk`` those of ``attn_q`` and ``attn_k``; none for another feature.

    Examples
    --------
    >>> from nasbuild.zoo.lm.change_of_architecture import tensors_of
    >>> tensors_of("attn_qkv"), tensors_of("ffn_gate_up"), tensors_of("kernel")
    (('attn_q', 'attn_k', 'attn_v'), ('ffn_gate', 'ffn_up'), ())
    """
    kind, _, rest = feature.partition("_")
    found = []
    while rest:
        name = next(
            (
                one
                for one in BLOCK_TENSORS
                if one.startswith(f"{kind}_") and rest.startswith(one[len(kind) + 1 :])
            ),
            None,
        )
        if name is None:
            return ()
        found.append(name)
        rest = rest[len(name) - len(kind) - 1 :].removeprefix("_")
    return tuple(found)


def _block(shape: BlockShape, stage: str, choices: Mapping[str, Any], order: Order) -> BlockChange:
    present, kept, types = {"attention": True, "mlp": True}, {}, {}
    for name, choice in choices.items():
        if name in ("block", "attention", "mlp"):
            if choice not in (ON, OFF):
                raise NasbuildError(f"{stage}.{name} can't be {choice!r}", allowed=(ON, OFF))
            for part in present if name == "block" else (name,):
                present[part] &= choice == ON
        elif name in ("kv_heads", "channels"):
            most = shape.kv_heads if name == "kv_heads" else shape.channels
            if isinstance(choice, int):
                kept[name] = _first(most, choice, order.get(name), f"{stage}.{name}")
        elif tensors := tensors_of(name):
            for tensor in tensors:
                held = shape.tensors.get(tensor)
                if held is not None and isinstance(choice, str) and choice not in (KEPT, held.type):
                    types[tensor] = choice
        else:
            raise _unknown(stage, name)
    if not present["attention"] or not present["mlp"]:
        # What is not there has neither width nor type, so equal models are equal changes.
        if not present["attention"]:
            kept.pop("kv_heads", None)
        if not present["mlp"]:
            kept.pop("channels", None)
        types = {
            name: kind for name, kind in types.items() if present["attention" if "attn" in name else "mlp"]
        }
    return BlockChange(
        present["attention"], present["mlp"], kept.get("kv_heads"), kept.get("channels"), types
    )


def _first(most: int, count: int, order: Sequence[int] | None, where: str) -> tuple[int, ...] | None:
    if not 0 < count <= most:
        raise NasbuildError(f"{where} can't be {count}", allowed=f"1 to {most}")
    return None if count == most else tuple(sorted((order or range(most))[:count]))


def _unknown(stage: str, name: str) -> NasbuildError:
    return NasbuildError(
        f"a language model has no feature {stage}.{name}",
        allowed=("block", "attention", "mlp", "kv_heads", "channels", *BLOCK_TENSORS, *OUTER_TENSORS),
    )
