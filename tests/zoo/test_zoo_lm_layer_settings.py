"""Settings of other quantisers, read as their tools read them."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from lm_samples import gguf_from, tiny_model
from torch import nn

from nasbuild.errors import NasbuildError
from nasbuild.zoo.lm import read_shape
from nasbuild.zoo.lm.layer_settings import (
    auto_round_layer_config,
    llama_quantize_options,
    mlx_quantization,
    write_layer_settings,
)
from nasbuild.zoo.lm.model_change import BlockChange, ModelChange

GONE = BlockChange(attention=False, mlp=False)
MIXED = ModelChange(
    (
        BlockChange(types={"attn_v": "q8_0", "ffn_down": "w3g64"}),
        GONE,
        BlockChange(types={"attn_q": "q4_0", "attn_v": "q8_0"}),
        BlockChange(types={"ffn_up": "w2g64", "attn_v": "q5_1"}),
        BlockChange(),
    ),
    {"token_embd": "q8_0"},
)


@pytest.fixture(scope="module")
def shape(tmp_path_factory: pytest.TempPathFactory):
    return read_shape(gguf_from(tiny_model(), tmp_path_factory.mktemp("shape") / "tiny.gguf", "q4_1"))


def test_each_tensor_matches_one_pattern_of_llama_quantize(shape):
    found = llama_quantize_options(shape, MIXED)
    arguments = [one for line in found.settings for one in shlex.split(line)]
    options = list(zip(arguments[::2], arguments[1::2], strict=True))
    assert ("--token-embedding-type", "q8_0") in options
    assert ("--prune-layers", "1") in options
    patterns = [value.rsplit("=", 1) for option, value in options if option == "--tensor-type"]
    kept = [block for block in MIXED.blocks if block != GONE]
    for n, block in enumerate(kept):
        for name in shape.blocks[0].tensors:
            kinds = [kind for pattern, kind in patterns if re.search(pattern, f"blk.{n}.{name}.weight")]
            # Rows of 192 and 128 columns are no multiples of 256, so that ours become q4_0.
            wanted = block.types.get(name, "q4_1")
            assert kinds == ["q4_0" if wanted.startswith("w") else wanted]
    assert found.notes == (
        "llama-quantize has no w3g64: q4_0 is the nearest, as rows of 192 are no multiples of 256",
        "llama-quantize has no w2g64: q4_0 is the nearest, as rows of 128 are no multiples of 256",
    )


def test_llama_quantize_can_not_leave_out_parts(shape):
    with pytest.raises(
        NasbuildError, match="whole blocks alone, and a part of block 1 is gone or cut; use the GGUF"
    ):
        llama_quantize_options(shape, ModelChange((GONE, BlockChange(mlp=False), *MIXED.blocks[2:])))


def test_the_names_of_layers_are_those_of_the_smaller_model(shape):
    smaller = tiny_model(blocks=4)
    linear = {name for name, one in smaller.named_modules() if isinstance(one, nn.Linear)} - {"lm_head"}
    config = auto_round_layer_config(shape, MIXED).settings
    assert set(config) == linear
    assert set(mlx_quantization(shape, MIXED).settings) - {"group_size", "bits", "mode"} <= linear | {
        "model.embed_tokens"
    }


def test_bits_and_groups_of_each_layer(shape):
    def mlx(path: str) -> object:  # as mlx-lm's loader looks a layer up
        default = {key: settings[key] for key in ("group_size", "bits")}
        return settings.get(path, default)

    found = mlx_quantization(shape, MIXED)
    settings = json.loads(json.dumps(found.settings))
    assert settings["mode"] == "affine"
    assert mlx("model.embed_tokens") == {"group_size": 32, "bits": 8}
    assert mlx("model.layers.0.mlp.down_proj") == {"group_size": 64, "bits": 3}
    assert mlx("model.layers.2.mlp.up_proj") == {"group_size": 64, "bits": 2}
    assert mlx("model.layers.2.self_attn.v_proj") == {"group_size": 32, "bits": 5}
    assert mlx("model.layers.3.self_attn.v_proj") == {"group_size": 32, "bits": 4}
    rounds = auto_round_layer_config(shape, MIXED)
    three = {"bits": 3, "group_size": 64, "sym": True, "data_type": "int"}
    assert rounds.settings["model.layers.0.mlp.down_proj"] == three
    assert rounds.notes == (
        "auto-round leaves embeddings as they are",
        "auto-round has no 5 bits: q5_1 is 4 bits there",
    )


def test_files_are_written_for_the_tools_that_can(shape, tmp_path: Path):
    found = write_layer_settings(shape, MIXED, tmp_path / "all")
    lines = (tmp_path / "all" / "llama-quantize.txt").read_text().splitlines()
    assert lines == found["llama-quantize.txt"].settings
    written = json.loads((tmp_path / "all" / "mlx-quantization.json").read_text())
    assert written == found["mlx-quantization.json"].settings
    parts = ModelChange((BlockChange(mlp=False), *MIXED.blocks[1:]))
    left = ["auto-round-layer-config.json", "mlx-quantization.json"]
    assert sorted(write_layer_settings(shape, parts, tmp_path / "all")) == left
    assert sorted(one.name for one in (tmp_path / "all").iterdir()) == [*left, "notes.txt"]
    notes = (tmp_path / "all" / "notes.txt").read_text().splitlines()
    assert notes[0].startswith(
        "llama-quantize.txt: not written: llama-quantize leaves out whole blocks alone"
    )
    assert "auto-round-layer-config.json: auto-round has no 5 bits: q5_1 is 4 bits there" in notes
    floats = ModelChange((BlockChange(types={"attn_v": "f16"}), *MIXED.blocks[1:]))
    assert mlx_quantization(shape, floats).settings["model.layers.0.self_attn.v_proj"] is False
