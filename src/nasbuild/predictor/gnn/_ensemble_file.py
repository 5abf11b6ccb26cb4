"""Ensembles as safetensors: arrays only, nothing in the file can execute."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.numpy import load, save

from nasbuild.errors import FitError
from nasbuild.predictor.gnn._ensemble import Ensemble
from nasbuild.predictor.gnn._fit_member import Member
from nasbuild.predictor.gnn._initialization import NoDraws
from nasbuild.predictor.gnn._network import Network, Shape
from nasbuild.space import GraphSchema

_Like = tuple[tuple[int | None, ...], np.dtype]
"""Shape of an array, None where any size will do, and its type."""


def ensembles_to_bytes(ensembles: Sequence[Ensemble]) -> bytes:
    """All members of all ensembles, as ``target.member.name`` arrays.

    Examples
    --------
    >>> from nasbuild.predictor import ensembles_to_bytes
    >>> isinstance(ensembles_to_bytes([ensemble]), bytes)
    True
    """
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


def ensembles_from_bytes(
    data: bytes, schema: GraphSchema, shape: Shape, count: int, where: str
) -> list[Ensemble]:
    """The ``count`` ensembles of `ensembles_to_bytes`, equal to the bit.

    Raises
    ------
    FitError
        If the file is damaged, or of another network.

    Examples
    --------
    >>> from nasbuild.predictor import ensembles_from_bytes, ensembles_to_bytes
    >>> [again] = ensembles_from_bytes(ensembles_to_bytes([ensemble]), schema, shape, 1, "fit")
    >>> np.array_equal(again.predict(graphs)[0], ensemble.predict(graphs)[0])
    True
    """
    try:
        arrays = load(data)
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise FitError(f"is damaged or no safetensors file ({error})", where=where) from None
    members: list[set[int]] = [set() for _ in range(count)]
    for name in arrays:
        match = re.match(r"(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})\.", name)
        if match is None or int(match[1]) >= count:
            raise FitError(f"has an array {name[:80]!r} that belongs to no target", where=where)
        members[int(match[1])].add(int(match[2]))
    expected = _expected(schema, shape)
    ensembles = []
    for t, found in enumerate(members):
        if not found or max(found) >= len(found):
            raise FitError(f"has no complete set of members of target {t}", where=where)
        parts = [_member(arrays, f"{t}.{k}.", expected, where) for k in range(len(found))]
        ensembles.append(Ensemble(schema, shape, tuple(parts)))
    return ensembles


def _expected(schema: GraphSchema, shape: Shape) -> dict[str, _Like]:
    """Shapes and types of the arrays of one member."""
    with torch.device("meta"), NoDraws():
        # Without values, so that the caller's random state is untouched.
        state = Network(schema, shape).state_dict()
    weights = {
        f"network.{n}": (tuple(v.shape), torch.empty(0, dtype=v.dtype).numpy().dtype)
        for n, v in state.items()
    }
    real, whole = np.dtype(np.float64), np.dtype(np.int64)
    own = {"label": ((2,), real), "train": ((None,), whole), "test": ((None,), whole)}
    hops = shape.hops + 1
    own |= {"srcc": ((hops + 1,), real), "norm_mean": ((hops,), real), "norm_std": ((hops,), real)}
    return own | weights


def _member(arrays: dict[str, np.ndarray], prefix: str, expected: dict[str, _Like], where: str) -> Member:
    found = {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}
    for name in [*expected, *found]:
        if name not in found or name not in expected or not _is_like(found[name], expected[name]):
            what = f"{prefix}{name} is missing or has another shape than fit.json says"
            raise FitError(what, where=where)
        if not np.isfinite(found[name]).all():
            raise FitError(f"{prefix}{name} has values that are no numbers", where=where)
    weights = {n.removeprefix("network."): v for n, v in found.items() if n.startswith("network.")}
    own = {n: v for n, v in found.items() if not n.startswith("network.") and n != "label"}
    train, test = own["train"], own["test"]
    if (
        not len(train)
        or not len(test)
        or min(train.min(), test.min()) < 0
        or np.intersect1d(train, test).size
    ):
        raise FitError(f"{prefix}train and {prefix}test are no split of labels", where=where)
    return Member(weights, float(found["label"][0]), float(found["label"][1]), **own)


def _is_like(array: np.ndarray, like: _Like) -> bool:
    shape, kind = like
    sizes = zip(array.shape, shape, strict=False)
    return array.dtype == kind and array.ndim == len(shape) and all(b in (None, a) for a, b in sizes)
