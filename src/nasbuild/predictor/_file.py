"""Ensembles as safetensors: arrays only, nothing in the file can run."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from nasbuild.errors import RunError
from nasbuild.predictor._ensemble import Ensemble
from nasbuild.predictor._fit import Member
from nasbuild.predictor._network import Network, Shape
from nasbuild.space import GraphSchema

_OWN = ("label", "train", "test", "srcc", "norm_mean", "norm_std")


def ensembles_to_bytes(ensembles: Sequence[Ensemble]) -> bytes:
    """All members of all ensembles, as ``target.member.name`` arrays."""
    arrays: dict[str, np.ndarray] = {}
    for t, ensemble in enumerate(ensembles):
        for k, member in enumerate(ensemble.members):
            own = {
                "label": np.array([member.label_mean, member.label_std]),
                "train": member.train.astype(np.int64),
                "test": member.test.astype(np.int64),
                "srcc": member.srcc,
                "norm_mean": member.norm_mean,
                "norm_std": member.norm_std,
            }
            arrays |= {f"{t}.{k}.{name}": np.array(value, order="C") for name, value in own.items()}
            arrays |= {f"{t}.{k}.network.{n}": np.array(v, order="C") for n, v in member.weights.items()}
    return save(arrays, metadata={"format": "nasbuild"})


def ensembles_from_bytes(data: bytes, schema: GraphSchema, shape: Shape, count: int, where: str) -> list[Ensemble]:
    """The ensembles of `ensembles_to_bytes`, equal to the bit.

    Raises
    ------
    RunError
        If this is no such file, or one of another network.
    """
    try:
        arrays = load(data)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"is damaged or no safetensors file ({error})", where=where) from None
    expected = {name: (tuple(v.shape), v.numpy().dtype) for name, v in Network(schema, shape).state_dict().items()}
    ensembles = []
    for t in range(count):
        found = {int(m[1]) for name in arrays if (m := re.match(rf"{t}\.(\d+)\.", name))}
        if found != set(range(len(found))) or not found:
            raise RunError(f"has no complete set of members of target {t}", where=where)
        ensembles.append(
            Ensemble(schema, shape, tuple(_member(arrays, f"{t}.{k}.", expected, shape, where) for k in sorted(found)))
        )
    return ensembles


def _member(arrays: dict[str, np.ndarray], prefix: str, expected: dict, shape: Shape, where: str) -> Member:
    own = {name: arrays.get(prefix + name) for name in _OWN}
    start = prefix + "network."
    weights = {name.removeprefix(start): value for name, value in arrays.items() if name.startswith(start)}
    sizes = {"label": 2, "srcc": shape.hops + 2, "norm_mean": shape.hops + 1, "norm_std": shape.hops + 1}
    wrong = [n for n, v in own.items() if v is None or v.ndim != 1 or len(v) != sizes.get(n, len(v))]
    wrong += [n for n, s in expected.items() if n not in weights or (weights[n].shape, weights[n].dtype) != s]
    wrong += sorted(set(weights) - set(expected))
    if wrong:
        raise RunError(f"{prefix}{wrong[0]} is missing or has another shape than run.json tells", where=where)
    label = own.pop("label")
    assert label is not None
    return Member(weights, float(label[0]), float(label[1]), **{n: v for n, v in own.items() if v is not None})
