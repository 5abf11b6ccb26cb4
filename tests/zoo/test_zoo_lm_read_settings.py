"""Settings that we write for other quantisers are read back as tables."""

from __future__ import annotations

import pytest
from lm_samples import gguf_from, tiny_model

from nasbuild.errors import TableError
from nasbuild.table import guess_space
from nasbuild.zoo.lm import read_shape
from nasbuild.zoo.lm.layer_settings import write_layer_settings
from nasbuild.zoo.lm.model_change import BlockChange, ModelChange

SETTINGS = {
    # File -> type -> choice; None is the type of the unchanged model.
    "llama-quantize.txt": {"q8_0": "q8_0", "q4_0": "q4_0", "q5_1": "q5_1", None: "q4_1"},
    "mlx-quantization.json": {
        "q8_0": "8 bits, group 32",
        "q4_0": None,
        "q5_1": "5 bits, group 32",
        None: None,
    },
    "auto-round-layer-config.json": {
        "q8_0": "8 bits, group 32",
        "q4_0": "4 bits, group 32",
        "q5_1": "4 bits, group 32, asymmetric",
        None: "4 bits, group 32, asymmetric",
    },
}


@pytest.mark.parametrize("file", SETTINGS)
def test_written_settings_are_read_back(file, tmp_path):
    shape = read_shape(gguf_from(tiny_model(), tmp_path / "tiny.gguf", "q4_1"))
    types = ({"attn_v": "q8_0"}, {"attn_q": "q4_0", "attn_v": "q5_1"}, {}, {"attn_q": "q8_0"}, {})
    change = ModelChange(tuple(BlockChange(types=own) for own in types), {"token_embd": "q8_0"})
    write_layer_settings(shape, change, tmp_path)
    [(_, row)] = guess_space(tmp_path / file).held.good
    for n, own in enumerate(types):
        for name in ("attn_q", "attn_v"):
            layer = (
                f"model.layers.{n}.self_attn.{name[-1]}_proj" if file.endswith("json") else f"blk.{n}.{name}"
            )
            # mlx-lm's section has only the layers that differ from the most frequent choice.
            assert row.get(layer) == SETTINGS[file][own.get(name)]


def test_pruned_blocks_are_no_types_of_tensors(tmp_path):
    shape = read_shape(gguf_from(tiny_model(), tmp_path / "tiny.gguf", "q4_1"))
    gone = BlockChange(attention=False, mlp=False)
    write_layer_settings(shape, ModelChange((gone, *[BlockChange()] * 4)), tmp_path)
    with pytest.raises(TableError, match="--prune-layers says more than the types of tensors"):
        guess_space(tmp_path / "llama-quantize.txt")
