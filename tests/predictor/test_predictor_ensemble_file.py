"""Ensembles as bytes: equal to the bit when read back, and any damage refused in one sentence."""

from __future__ import annotations

import pickle
import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from predictor_samples import SCHEMA, equal_members, network, random_graphs
from safetensors.numpy import load, save

from nasbuild.errors import FitError
from nasbuild.predictor import (
    Ensemble,
    Member,
    Shape,
    ensembles_from_bytes,
    ensembles_to_bytes,
)
from nasbuild.space import GraphSchema, NodeFeature

SHAPE = Shape("gatv2", 2, 4)


def ensemble(members: int, shape: Shape = SHAPE, schema: GraphSchema = SCHEMA, seed: int = 0) -> Ensemble:
    made = []
    for k in range(members):
        rng = np.random.default_rng([seed, k])
        state = network(shape, seed + k, schema).state_dict()
        made.append(
            Member(
                {name: value.numpy().copy() for name, value in state.items()},
                float(rng.normal()),
                float(rng.uniform(1, 2)),
                np.arange(5),
                np.arange(5, 7),
                rng.uniform(-1, 1, shape.hops + 2),
                rng.uniform(0, 3, shape.hops + 1),
                rng.uniform(0, 1, shape.hops + 1),
            )
        )
    return Ensemble(schema, shape, tuple(made))


def read(data: bytes, count: int = 2, shape: Shape = SHAPE, schema: GraphSchema = SCHEMA) -> list[Ensemble]:
    return ensembles_from_bytes(data, schema, shape, count, "model.safetensors")


@pytest.fixture(scope="module")
def data() -> bytes:
    return ensembles_to_bytes([ensemble(2), ensemble(3, seed=9)])


def refused(changed: bytes, match: str = "", **kind) -> str:
    with pytest.raises(FitError, match="^model.safetensors: " + match) as caught:
        read(changed, **kind)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("kind", ["gatv2", "graphconv", "gcn", "gin"])
def test_what_is_read_equals_what_was_written_to_the_bit(kind):
    shape = Shape(kind, 3, 5)
    written = [ensemble(11, shape), ensemble(1, shape, seed=50)]
    torch.manual_seed(0)
    state = torch.get_rng_state()
    found = read(ensembles_to_bytes(written), 2, shape)
    assert torch.equal(torch.get_rng_state(), state)
    graphs = random_graphs(np.random.default_rng(0), 5)
    for a, b in zip(written, found, strict=True):
        assert (b.schema, b.shape) == (SCHEMA, shape)
        assert all(equal_members(x, y) for x, y in zip(a.members, b.members, strict=True))
        for x, y in zip(a.predict(graphs), b.predict(graphs), strict=True):
            assert x.tobytes() == y.tobytes()


def test_the_same_ensembles_give_the_same_bytes(data):
    assert ensembles_to_bytes(read(data)) == data


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_truncated_file_is_refused(data, draw):
    refused(data[: draw.draw(st.integers(0, len(data) - 1))])


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_a_changed_byte_is_refused_or_a_number(data, draw):
    header = 8 + int.from_bytes(data[:8], "little")
    changed = bytearray(data)
    changed[draw.draw(st.integers(0, header - 1) | st.integers(0, len(data) - 1))] = draw.draw(
        st.integers(0, 255)
    )
    try:
        found = read(bytes(changed))
    except FitError:
        refused(bytes(changed))
    else:
        assert all(np.isfinite(v).all() for e in found for m in e.members for v in m.weights.values())


@pytest.mark.parametrize(
    "foreign",
    [
        b"",
        b"PK\x03\x04 an archive",
        b'{"format": "nasbuild"}',
        pickle.dumps({"weights": [1.0, 2.0]}),
        b"\xff" * 100,
        (10**17).to_bytes(8, "little") + b"{}",
        (2).to_bytes(8, "little") + b"[]",
    ],
)
def test_a_foreign_file_is_refused(foreign):
    refused(foreign, "is damaged or no safetensors file")


def test_nothing_in_a_file_runs(tmp_path):
    class Trap:
        def __reduce__(self):
            return (tmp_path / "trapped").touch, ()

    refused(pickle.dumps(Trap()), "is damaged or no safetensors file")
    assert not (tmp_path / "trapped").exists()


def test_a_model_of_another_network_is_refused(data):
    other = GraphSchema((NodeFeature("op", ("conv", "pool")), *SCHEMA.features[1:]))
    for kind in (
        {"shape": Shape("gatv2", 2, 5)},
        {"shape": Shape("gatv2", 3, 4)},
        {"shape": Shape("gatv2", 1, 4)},
        {"shape": Shape("gin", 2, 4)},
        {"schema": other},
    ):
        refused(data, r"0\.0\..* is missing or has another shape than fit.json says", **kind)


def test_more_or_fewer_targets_are_refused(data):
    refused(data, "has an array '1.* that belongs to no target", count=1)
    refused(data, "has no complete set of members of target 2", count=3)
    refused(save({}), "has no complete set of members of target 0")


def test_a_missing_member_is_refused(data):
    arrays = load(data)
    for member in ("0.0.", "1.1."):
        rest = {n: v for n, v in arrays.items() if not n.startswith(member)}
        refused(save(rest), f"has no complete set of members of target {member[0]}")
    everything = {n: v for n, v in arrays.items() if not n.startswith("1.")}
    refused(save(everything), "has no complete set of members of target 1")


def test_every_single_array_is_needed_and_no_other(data):
    arrays = load(data)
    for name in (n for n in arrays if n.startswith("1.2.")):
        rest = {n: v for n, v in arrays.items() if n != name}
        refused(save(rest), re.escape(name) + " is missing")
    for name in (
        "foo",
        "0.0.foo",
        "0.0.network.foo",
        "7.0.label",
        "0.0",
        "-1.0.label",
        "0.٣.label",
        "00.0.label",
    ):
        refused(save(arrays | {name: np.ones(2)}))


def test_every_array_has_its_shape_and_type(data):
    arrays = load(data)
    for name in (n for n in arrays if n.startswith("0.1.")):
        value = arrays[name]
        wider = value.reshape(-1, 1) if value.ndim == 1 else np.atleast_1d(value).reshape(-1)
        other = value.astype(np.float16 if value.dtype.kind == "f" else np.int32)
        for wrong in (wider, other) if wider.shape != value.shape else (other,):
            refused(save(arrays | {name: wrong}), re.escape(name) + " is missing or has another shape")


def test_values_are_numbers_and_splits_are_splits(data):
    arrays = load(data)
    for name in ("0.0.label", "0.0.srcc", "0.1.norm_std", "0.0.network.head.0.weight"):
        value = arrays[name].copy()
        value.reshape(-1)[0] = np.nan
        refused(save(arrays | {name: value}), re.escape(name) + " has values that are no numbers")
    for split in ([], [-1, 5], [0, 1]):
        changed = arrays | {"0.0.test": np.array(split, dtype=np.int64)}
        refused(save(changed), r"0\.0\.train and 0\.0\.test are no split of labels")
