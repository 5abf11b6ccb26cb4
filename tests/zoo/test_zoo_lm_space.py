"""Spaces of language models: declared costs against a count of each changed model, and what architectures change."""

from __future__ import annotations

import numpy as np
import pytest
from lm_folder_samples import tiny_folder
from lm_samples import gguf_from, tiny_model

from nasbuild.errors import NasbuildError
from nasbuild.space import (
    count_architectures,
    enumerate_architectures,
    load_space,
    sample,
    save_space,
    space_from_dict,
)
from nasbuild.zoo.lm import BlockChange, change_of, language_costs, model_space, read_shape
from nasbuild.zoo.lm.change_of_architecture import tensors_of

PARTS = (
    ["blocks"],
    ["attention", "mlp"],
    ["heads"],
    ["bits"],
    ["attention", "mlp", "width", "heads", "bits"],
    ["blocks", "width", "bits"],
)


@pytest.fixture(scope="module")
def shape(tmp_path_factory):
    return read_shape(tiny_folder(tmp_path_factory.mktemp("tiny") / "model"))


@pytest.mark.parametrize("parts", PARTS, ids="+".join)
def test_declared_costs_are_those_of_the_changed_model(shape, parts, tmp_path):
    made = model_space(shape, parts, context=40)
    save_space(made, tmp_path / "space.yaml")
    space = load_space(tmp_path / "space.yaml")
    found = [space.reference, *sample(space, 30, 0)]
    counted = [language_costs(shape, change_of(shape, space, one), 40) for one in found]
    for name, cost in space.costs.items():
        assert cost.is_sum(space)
        np.testing.assert_allclose(cost.values(space, found), [own[name] for own in counted], rtol=1e-12)
    assert change_of(shape, space, space.reference) == shape.unchanged


def test_a_gguf_file_and_a_folder_have_the_same_shape(tmp_path):
    for architecture, tied in (("llama", True), ("qwen2", False), ("qwen3", True)):
        folder = tiny_folder(tmp_path / architecture, architecture, tied=tied)
        file = gguf_from(tiny_model(architecture, tied=tied), tmp_path / f"{architecture}.gguf")
        one, other = read_shape(folder), read_shape(file)
        assert (one.blocks, one.outer, one.norms) == (other.blocks, other.outer, other.norms)
        assert other.name == "tiny"


def test_features_and_choices(shape):
    space = model_space(shape, ["attention", "mlp"])
    assert count_architectures(space) == 2**10
    space = model_space(
        shape, ["width", "bits"], types=["q4_0", "w2g64", "q8_0"], tie=[["attn_q", "attn_k", "attn_v"]]
    )
    features = {feature.name: list(feature.choices) for feature in space.stages[0].features}
    assert features == {
        "channels": [192, 128, 64],
        "attn_qkv": ["f32", "q8_0", "q4_0", "w2g64"],
        "attn_output": ["f32", "q8_0", "q4_0", "w2g64"],
        "ffn_gate_up": ["f32", "q8_0", "q4_0", "w2g64"],
        "ffn_down": ["f32", "q8_0", "q4_0", "w2g64"],
    }
    assert [feature.name for feature in space.stages[-1].features] == ["token_embd"]
    assert tensors_of("attn_qkv") == ("attn_q", "attn_k", "attn_v")


def test_what_an_architecture_changes(shape):
    features = {
        "block": ["on", "off"],
        "channels": [192, 64],
        "attn_v": ["f32", "q4_0"],
        "ffn_down": ["q8_0", "f32"],
    }
    stages = [
        {"name": name, "depth": 1, "features": own}
        for name, own in (("block3", features), ("outer", {"token_embd": ["q4_0"]}))
    ]
    space = space_from_dict({"name": "own", "metrics": {"loss": {"direction": "minimize"}}, "stages": stages})
    order = {"channels": [*range(100, 192), *range(100)]}
    [on] = [one for one in enumerate_architectures(space) if one.modules[0][0] == ("on", 64, "q4_0", "q8_0")][
        :1
    ]
    change = change_of(shape, space, on, [order] * 5)
    kept = tuple(range(100, 164))
    assert change.blocks[3] == BlockChange(channels=kept, types={"attn_v": "q4_0", "ffn_down": "q8_0"})
    assert change.types == {"token_embd": "q4_0"}
    [off] = [
        one for one in enumerate_architectures(space) if one.modules[0][0] == ("off", 64, "q4_0", "q8_0")
    ][:1]
    # What is off has neither width nor type.
    assert change_of(shape, space, off).blocks[3] == BlockChange(attention=False, mlp=False)


@pytest.mark.parametrize(
    ("parts", "more", "message"),
    [
        ([], {}, "nothing varies"),
        (["depth"], {}, "no part of a language model is called 'depth'; allowed: blocks, attention"),
        (["blocks", "mlp"], {}, "whole blocks and their attention or MLP can't both vary"),
        (["bits"], {"types": ["q3_x"]}, "there is no type of weights 'q3_x'; allowed: f32"),
        (["bits"], {"tie": [["attn_q", "ffn_up"]]}, "attn_q and ffn_up are of different parts"),
        (["bits"], {"tie": [["attn_w"]]}, "a block has no matrix 'attn_w'; allowed: attn_q"),
    ],
)
def test_parts_that_cannot_vary(shape, parts, more, message):
    with pytest.raises(NasbuildError, match=message):
        model_space(shape, parts, **more)


def test_files_of_another_kind(tmp_path):
    (tmp_path / "text.gguf").write_bytes(b"GGUL" + bytes(100))
    with pytest.raises(NasbuildError, match=r"text\.gguf: not a GGUF file"):
        read_shape(tmp_path / "text.gguf")
    with pytest.raises(NasbuildError, match=r"has no readable config\.json"):
        read_shape(tmp_path)
    with pytest.raises(NasbuildError, match="no such file"):
        read_shape(tmp_path / "nowhere.gguf")
