"""Written folders, loaded by transformers, against the same change made with zeros."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from lm_samples import BLOCKS, CHANNELS, HIDDEN, TOKENS, changed_model, gguf_from, tiny_model
from safetensors.torch import load_file
from torch import nn
from transformers import AutoModelForCausalLM, LlamaConfig
from transformers.models.llama.modeling_llama import LlamaDecoderLayer

from nasbuild.errors import NasbuildError, OutputError
from nasbuild.zoo.lm.folder_writer import write_model_folder
from nasbuild.zoo.lm.model_change import BlockChange, ModelChange

SAME, GONE = BlockChange(), BlockChange(attention=False, mlp=False)
NO_ATTENTION, NO_MLP = BlockChange(attention=False), BlockChange(mlp=False)
ONE_KV = BlockChange(kv_heads=(1,), types={"attn_output": "q4_0", "attn_v": "w3g64"})
NARROW = BlockChange(channels=tuple(range(0, CHANNELS, 3)))
PLAIN = {
    "nothing": (SAME,) * BLOCKS,
    "blocks": (GONE, SAME, SAME, GONE, SAME),
    "a pair": (SAME, NO_MLP, NO_ATTENTION, SAME, SAME),
    "channels": (NARROW,) * BLOCKS,
    "heads": (ONE_KV, GONE, ONE_KV, ONE_KV, GONE),
}
IDS = torch.randint(0, TOKENS, (2, 24), generator=torch.Generator().manual_seed(0))


def logits_of(model: Any) -> torch.Tensor:
    with torch.no_grad():
        return model(IDS, use_cache=False).logits


@pytest.mark.parametrize("what", PLAIN)
@pytest.mark.parametrize("architecture", ["llama", "qwen2", "qwen3"])
def test_transformers_loads_the_smaller_model(architecture: str, what: str, tmp_path: Path):
    change = ModelChange(PLAIN[what], {"token_embd": "q8_0"} if what == "blocks" else {})
    model = tiny_model(architecture)
    model.save_pretrained(tmp_path / "whole")
    (tmp_path / "whole" / "tokenizer.json").write_text("{}")
    written = write_model_folder(tmp_path / "whole", change, tmp_path / "small")
    found, told = AutoModelForCausalLM.from_pretrained(
        tmp_path / "small", dtype="auto", output_loading_info=True
    )
    assert not any(told.values()), told
    torch.testing.assert_close(
        logits_of(found), logits_of(changed_model(model, change)), atol=2e-4, rtol=1e-4
    )
    assert (
        found.config.num_hidden_layers
        == written.blocks
        == sum(one != GONE for one in change.blocks) - (what == "a pair")
    )
    assert written.tensor_bytes == sum(one.nbytes for one in found.parameters())
    assert (tmp_path / "small" / "tokenizer.json").read_text() == "{}"
    assert bool(written.notes) == any(one.types for one in (change, *change.blocks))


def test_lists_by_block_and_files_of_a_large_model_are_kept_in_step(tmp_path: Path):
    model = tiny_model("qwen3", tied=False)
    model.config.layer_types = ["full_attention", "sliding_attention"] * 2 + ["full_attention"]
    model.config.sliding_window, model.config.use_sliding_window = 8, True
    model.save_pretrained(tmp_path / "whole", max_shard_size="300KB")
    assert len(list((tmp_path / "whole").glob("*.safetensors"))) > 2
    change = ModelChange((SAME, GONE, SAME, SAME, GONE))
    write_model_folder(tmp_path / "whole", change, tmp_path / "small")
    config = json.loads((tmp_path / "small" / "config.json").read_text())
    assert config["layer_types"] == ["full_attention", "full_attention", "sliding_attention"]
    found = AutoModelForCausalLM.from_pretrained(tmp_path / "small", attn_implementation="eager")
    whole = AutoModelForCausalLM.from_pretrained(tmp_path / "whole", attn_implementation="eager")
    whole.model.layers = nn.ModuleList(whole.model.layers[n] for n in (0, 2, 3))
    whole.config.num_hidden_layers, whole.config.layer_types = 3, config["layer_types"]
    torch.testing.assert_close(logits_of(found), logits_of(whole), atol=1e-5, rtol=1e-5)


def test_a_gguf_file_becomes_a_folder_with_its_tokenizer(tmp_path: Path):
    change = ModelChange(PLAIN["blocks"])
    source = gguf_from(tiny_model(), tmp_path / "tiny.gguf")
    written = write_model_folder(source, change, tmp_path / "small")
    found = AutoModelForCausalLM.from_pretrained(tmp_path / "small")
    torch.testing.assert_close(
        logits_of(found), logits_of(changed_model(tiny_model(), change)), atol=2e-4, rtol=1e-4
    )
    assert written.architecture == "LlamaForCausalLM"
    assert (tmp_path / "small" / "tokenizer.json").exists() or "no tokenizer" in written.notes[0]


class Deci(nn.Module):
    """Llama's layers as block_configs say, the way that DeciLM's code reads them."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        config = json.loads((folder / "config.json").read_text())
        assert (config["model_type"], config["architectures"]) == ("nemotron-nas", ["DeciLMForCausalLM"])
        assert (config["rope_theta"], config["rope_scaling"]) == (10000.0, None)
        state = load_file(folder / "model.safetensors")
        self.state, self.blocks = state, []
        for n, one in enumerate(config["block_configs"]):
            attention, ffn = one["attention"], one["ffn"]
            width = int(2 * (ffn["ffn_mult"] or 1) * config["hidden_size"] / 3)
            width += -width % 256
            llama = LlamaConfig(
                hidden_size=HIDDEN,
                num_attention_heads=config["num_attention_heads"],
                num_key_value_heads=config["num_attention_heads"] // (attention["n_heads_in_group"] or 1),
                intermediate_size=width,
                rms_norm_eps=config["rms_norm_eps"],
            )
            llama._attn_implementation = "eager"
            layer = LlamaDecoderLayer(llama, n)
            prefix = f"model.layers.{n}."
            inner = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
            told = layer.load_state_dict(inner, strict=False)
            gone = [p for p, off in (("self_attn", attention["no_op"]), ("mlp", ffn["no_op"])) if off]
            gone += ["input_layernorm"] * attention["no_op"] + ["post_attention_layernorm"] * ffn["no_op"]
            assert {name.partition(".")[0] for name in told.missing_keys} == set(gone)
            assert not told.unexpected_keys
            self.blocks.append((layer, attention["no_op"], ffn["no_op"]))

    def logits(self, model: Any) -> torch.Tensor:
        hidden = self.state["model.embed_tokens.weight"][IDS]
        places = torch.arange(IDS.shape[1])[None]
        turn = model.model.rotary_emb(hidden, places)
        mask = torch.full((IDS.shape[1],) * 2, -torch.inf).triu(1)[None, None]
        for layer, no_attention, no_mlp in self.blocks:
            if not no_attention:
                seen = layer.input_layernorm(hidden)
                hidden = hidden + layer.self_attn(seen, position_embeddings=turn, attention_mask=mask)[0]
            if not no_mlp:
                hidden = hidden + layer.mlp(layer.post_attention_layernorm(hidden))
        norm = type(model.model.norm)(HIDDEN, model.config.rms_norm_eps)
        norm.load_state_dict({"weight": self.state["model.norm.weight"]})
        return norm(hidden) @ self.state["model.embed_tokens.weight"].T


def test_blocks_that_differ_are_said_as_deci_lm_reads_them(tmp_path: Path):
    model = tiny_model(channels=512)
    half = BlockChange(channels=tuple(range(1, 512, 2)))
    change = ModelChange((NO_ATTENTION, half, GONE, NO_MLP, SAME))
    model.save_pretrained(tmp_path / "whole")
    written = write_model_folder(tmp_path / "whole", change, tmp_path / "small")
    assert written.architecture == "DeciLMForCausalLM"
    assert "only with DeciLM's own code" in written.notes[0]
    with torch.no_grad():
        found = Deci(tmp_path / "small").logits(model)
    torch.testing.assert_close(found, logits_of(changed_model(model, change)), atol=2e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("architecture", "blocks", "message"),
    [
        (
            "llama",
            (ONE_KV, SAME, SAME, SAME, SAME),
            "can't say as key-value heads are gone; write a GGUF file",
        ),
        ("llama", (NARROW, SAME, SAME, SAME, SAME), "can't say as a width is no multiple of 256"),
        ("qwen3", (NO_MLP, SAME, SAME, SAME, SAME), "can't say as the model is no Llama"),
        ("llama", (SAME,), "the change has 1 blocks, the model 5"),
    ],
)
def test_what_no_configuration_says_is_refused(architecture: str, blocks, message: str, tmp_path: Path):
    tiny_model(architecture).save_pretrained(tmp_path / "whole")
    with pytest.raises(NasbuildError, match=message):
        write_model_folder(tmp_path / "whole", ModelChange(blocks), tmp_path / "small")
    assert not (tmp_path / "small").exists()


def test_an_existing_folder_is_not_overwritten(tmp_path: Path):
    tiny_model().save_pretrained(tmp_path / "whole")
    with pytest.raises(OutputError, match="already exists"):
        write_model_folder(tmp_path / "whole", ModelChange(PLAIN["blocks"]), tmp_path / "whole")
