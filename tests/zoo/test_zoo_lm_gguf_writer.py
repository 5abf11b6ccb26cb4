"""Written GGUF files, run by llama.cpp, against the same change in transformers; and their bytes."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from gguf import GGUFReader
from gguf.quants import dequantize
from llama_cpp_samples import llama_cpp_losses
from lm_samples import BLOCKS, CHANNELS, TOKENS, changed_model, gguf_from, losses, tiny_model, widened

from nasbuild.errors import NasbuildError
from nasbuild.zoo.lm.gguf_writer import write_gguf
from nasbuild.zoo.lm.model_change import BLOCK_TENSORS, BlockChange, ModelChange
from nasbuild.zoo.lm.tensor_types import encoded, type_bytes

SAME, GONE = BlockChange(), BlockChange(attention=False, mlp=False)
NO_ATTENTION, NO_MLP = BlockChange(attention=False), BlockChange(mlp=False)
HALF = BlockChange(channels=tuple(range(0, CHANNELS, 2)))
ONE_KV = BlockChange(kv_heads=(1,))
PRINTED = 270  # a word of the tiny tokenizer
TEXT = np.random.default_rng(0).integers(3, TOKENS, 20).tolist()

CHANGES = {
    "nothing": (SAME,) * BLOCKS,
    "blocks": (SAME, GONE, SAME, GONE, SAME),
    "parts": (NO_ATTENTION, SAME, NO_MLP, SAME, NO_MLP),
    "a pair": (SAME, NO_MLP, NO_ATTENTION, SAME, SAME),
    "channels": (BlockChange(channels=tuple(range(1, CHANNELS, 3))),) * BLOCKS,
    "channels of one": (SAME, HALF, SAME, SAME, SAME),
    "heads": (ONE_KV,) * BLOCKS,
    "heads of one": (SAME, ONE_KV, SAME, SAME, SAME),
    "all": (BlockChange(attention=False, channels=tuple(range(40))), ONE_KV, GONE, NO_MLP, HALF),
}


@cache
def source_of(architecture: str, folder: Path, kind: str = "f32") -> Path:
    return gguf_from(tiny_model(architecture), folder / f"{architecture}-{kind}.gguf", kind)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gguf")


@pytest.mark.parametrize("what", CHANGES)
@pytest.mark.parametrize("architecture", ["llama", "qwen2", "qwen3"])
def test_llama_cpp_computes_what_the_changed_model_computes(architecture: str, what: str, folder: Path):
    change = ModelChange(CHANGES[what])
    source, path = source_of(architecture, folder), folder / "small.gguf"
    written = write_gguf(source, change, path)
    expected = losses(changed_model(tiny_model(architecture), change), TEXT, 4)
    found = llama_cpp_losses(path, TEXT, 4, word=PRINTED)
    np.testing.assert_allclose(found, expected, atol=2e-4)  # float32, and losses of up to 30 nats
    assert written.file_bytes == path.stat().st_size
    assert written.counted_bytes <= written.tensor_bytes <= written.file_bytes
    if what in ("nothing", "blocks", "a pair", "channels"):
        assert written.architecture == architecture


def test_a_block_without_attention_has_none_in_the_file_and_zeros_are_said(folder: Path):
    change = ModelChange((SAME, NO_ATTENTION, NO_MLP, SAME, SAME))
    written = write_gguf(source_of("llama", folder), change, folder / "parts.gguf")
    reader = GGUFReader(folder / "parts.gguf")
    assert reader.fields["deci.attention.head_count"].contents() == [4, 0, 4, 4, 4]
    assert reader.fields["deci.attention.head_count_kv"].contents() == [2, 0, 2, 2, 2]
    assert reader.fields["deci.feed_forward_length"].contents() == [CHANNELS, CHANNELS, 1, CHANNELS, CHANNELS]
    assert reader.fields["nasbuild.mlp_of_block"].contents() == [0, 1, -1, 3, 4]
    tensors = {one.name: one for one in reader.tensors}
    assert not [name for name in tensors if name.startswith("blk.1.attn")]
    assert not tensors["blk.2.ffn_up.weight"].data.any()
    assert "architecture 'deci' (DeciLM) alone" in written.notes[0]
    assert "block 2 of the file has one channel of zeros" in written.notes[1]


def test_groups_of_zeros_fill_blocks_of_qwen3(folder: Path):
    source = source_of("qwen3", folder, "q8_0")
    types = {"ffn_gate": "w3g64", "ffn_down": "q4_1", "attn_q": "q5_0", "attn_output": "w2g32"}
    small = BlockChange(kv_heads=(1,), channels=HALF.channels, types=types)
    change = ModelChange((SAME, small, NO_ATTENTION, GONE, small))
    written = write_gguf(source, change, folder / "zeros.gguf")
    assert "blocks 1, 2, 3 of the file have zeros for what is gone" in written.notes[0]
    model = tiny_model("qwen3")
    unrounded = ModelChange(
        (BlockChange(types=dict.fromkeys(BLOCK_TENSORS, "q8_0")),) * BLOCKS, {"token_embd": "q8_0"}
    )
    expected = losses(changed_model(changed_model(model, unrounded), change), TEXT, 4)
    path = widened(folder / "zeros.gguf", folder / "zeros-floats.gguf")
    np.testing.assert_allclose(llama_cpp_losses(path, TEXT, 4, word=PRINTED), expected, atol=2e-4)


def test_llama_cpp_computes_with_the_rounded_values(folder: Path):
    source = gguf_from(tiny_model(channels=512), folder / "wide.gguf")
    downs, ups = ("q6_k", "q5_k", "q4_k", "q3_k", "q2_k"), ("w3g64", "w3g32", "w2g64", "w2g32", "q4_1")
    blocks = tuple(BlockChange(types={"ffn_down": d, "ffn_up": u}) for d, u in zip(downs, ups, strict=True))
    change = ModelChange(blocks)
    write_gguf(source, change, folder / "few-bits.gguf")
    found = llama_cpp_losses(folder / "few-bits.gguf", TEXT, 4, word=PRINTED)
    rounded = losses(changed_model(tiny_model(channels=512), change), TEXT, 4)
    whole = losses(tiny_model(channels=512), TEXT, 4)
    # llama.cpp rounds activations to 8 bits beside these types.
    assert np.abs(found - rounded).mean() < 0.2 * np.abs(rounded - whole).mean()


def test_what_is_not_changed_keeps_its_bytes_and_the_rest_is_rounded_once(folder: Path):
    source = source_of("llama", folder, "q4_1")
    types = {"attn_v": "w3g64", "ffn_down": "q5_1", "ffn_gate": "f16"}
    change = ModelChange((GONE, BlockChange(types=types), SAME, SAME, SAME), {"token_embd": "q8_0"})
    written = write_gguf(source, change, folder / "mixed.gguf")
    before = {one.name: one for one in GGUFReader(source).tensors}
    after = {one.name: one for one in GGUFReader(folder / "mixed.gguf").tensors}
    expected = {f"blk.0.{name}.weight": kind for name, kind in types.items()} | {"token_embd.weight": "q8_0"}
    counted = 0
    for name, tensor in after.items():
        old = before[re.sub(r"(?<=blk\.)\d", lambda number: str(int(number[0]) + 1), name)]
        if name not in expected:
            assert tensor.data.tobytes() == old.data.tobytes()
            counted += tensor.n_bytes
            continue
        values = dequantize(old.data, old.tensor_type)
        assert tensor.data.tobytes() == encoded(values, expected[name]).tobytes()
        counted += type_bytes(expected[name], *values.shape)
    assert len(after) == len(before) - 9
    assert written.counted_bytes == counted < written.tensor_bytes
    assert (
        f"w3g64: such weights are held as q4_0 with the same values, so that tensors take {written.tensor_bytes:,}"
        in (written.notes[0])
    )


def test_metadata_and_tokenizer_are_carried_over(folder: Path):
    source = source_of("llama", folder)
    write_gguf(source, ModelChange(CHANGES["all"]), folder / "all.gguf")
    write_gguf(source, ModelChange(CHANGES["nothing"]), folder / "same.gguf")
    before, after, same = (
        GGUFReader(path).fields for path in (source, folder / "all.gguf", folder / "same.gguf")
    )
    changed = {"head_count", "head_count_kv", "feed_forward_length", "block_count", "architecture"}
    for name, field in before.items():
        assert name.startswith("GGUF.") or same[name].contents() == field.contents()
        if not name.startswith("GGUF.") and name.rpartition(".")[2] not in changed:
            assert after[name.replace("llama.", "deci.", 1)].contents() == field.contents(), name


def test_channels_in_whole_groups_keep_their_bytes_and_others_are_rounded_again(folder: Path):
    source = source_of("llama", folder, "q4_1")
    whole = BlockChange(channels=(*range(32, 64), *range(160, 192)))
    write_gguf(source, ModelChange((whole,) * BLOCKS), folder / "groups.gguf")
    before, after = (
        next(
            dequantize(one.data, one.tensor_type)
            for one in GGUFReader(path).tensors
            if "0.ffn_down" in one.name
        )
        for path in (source, folder / "groups.gguf")
    )
    np.testing.assert_array_equal(after, before[:, list(whole.channels or ())])
    written = write_gguf(source, ModelChange((HALF,) * BLOCKS), folder / "half.gguf")
    assert "rounded again (q4_1): 5 tensors, the first blk.0.ffn_down.weight" in written.notes[0]
    short = BlockChange(channels=tuple(range(40)), types={"ffn_down": "q4_0"})
    with pytest.raises(NasbuildError, match=r"ffn_down.weight: 40 columns are left, which can't be 'q4_0'"):
        write_gguf(source, ModelChange((short,) * BLOCKS), folder / "short.gguf")
    assert not (folder / "short.gguf").exists()


@pytest.mark.parametrize(
    ("blocks", "types", "message"),
    [
        ((SAME,), {}, "the change has 1 blocks, the model 5"),
        ((GONE,) * BLOCKS, {}, "no block is left"),
        ((SAME,) * BLOCKS, {"output": "q8_0"}, "no head of its own; give the type to token_embd"),
        (
            (BlockChange(types={"attn_x": "q8_0"}),) * BLOCKS,
            {},
            "block 0: there is no tensor 'attn_x'; allowed: attn_q",
        ),
        ((BlockChange(types={"attn_q": "q9"}),) * BLOCKS, {}, "no type of weights 'q9'; allowed: f32"),
        (
            (BlockChange(kv_heads=(0, 2)),) * BLOCKS,
            {},
            "block 0, kv_heads: must be ascending numbers.*0 to 1",
        ),
        (
            (BlockChange(channels=()),) * BLOCKS,
            {},
            "block 0, channels: must be ascending numbers, at least one",
        ),
    ],
)
def test_changes_of_another_model_are_refused(blocks, types, message: str, folder: Path):
    with pytest.raises(NasbuildError, match=message):
        write_gguf(source_of("llama", folder), ModelChange(blocks, types), folder / "never.gguf")
    assert not (folder / "never.gguf").exists()


def test_other_files_are_refused(folder: Path):
    (folder / "text.gguf").write_text("no model")
    with pytest.raises(NasbuildError, match=r"text.gguf: is no GGUF file, or a damaged one"):
        write_gguf(folder / "text.gguf", ModelChange((SAME,)), folder / "never.gguf")
    whole = source_of("llama", folder).read_bytes()
    (folder / "cut.gguf").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(NasbuildError, match=r"cut.gguf: is no GGUF file, or a damaged one"):
        write_gguf(folder / "cut.gguf", ModelChange((SAME,) * BLOCKS), folder / "never.gguf")
    (folder / "wide.gguf").write_bytes(
        whole.replace(b"feed_forward_length\x04\0\0\0\xc0", b"feed_forward_length\x04\0\0\0\xc1")
    )
    with pytest.raises(
        NasbuildError, match="block 0: has 192 x 128 numbers in ffn_gate, where its metadata say 193 x"
    ):
        write_gguf(folder / "wide.gguf", ModelChange((SAME,) * BLOCKS), folder / "never.gguf")
    (folder / "other.gguf").write_bytes(
        whole.replace(b"\x05\0\0\0\0\0\0\0llama", b"\x05\0\0\0\0\0\0\0gemma", 1)
    )
    with pytest.raises(
        NasbuildError, match="architecture 'gemma', whose parts are not known; allowed: llama, qwen2"
    ):
        write_gguf(folder / "other.gguf", ModelChange((SAME,) * BLOCKS), folder / "never.gguf")
