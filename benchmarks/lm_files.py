"""Written GGUF files in llama.cpp: their perplexity against that of the same change in PyTorch, on the same tokens.

    python benchmarks/lm_files.py --model MODEL.gguf --text FILE ... [--windows 4] [--out FILE.json]

Five changes of a model are written with ``write_gguf`` and run by the package xllamacpp, which has llama.cpp inside. It
tells the probability of each token of some windows of 256. PyTorch computes the changed model in float32, and llama.cpp
rounds activations to 8 bits beside weights of few bits. The unchanged file shows what that alone does.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from _common import HERE, arguments, markdown, resume, save
from nasbuild.zoo.lm import ChangedModel, load_model, load_tokenizer, read_texts, token_windows, write_gguf
from nasbuild.zoo.lm.model_change import BlockChange, ModelChange

sys.path.insert(0, str(HERE.parent / "tests" / "zoo"))
from llama_cpp_samples import llama_cpp_losses

CONTEXT = 256
FIRST = 8  # tokens before the first that counts
GONE = BlockChange(attention=False, mlp=False)
BITS = {"attn_q": "q4_0", "attn_k": "q4_0", "attn_v": "q8_0", "attn_output": "q5_1", "ffn_down": "q5_0"}


def changes(count: int, heads: int, channels: int) -> dict[str, ModelChange]:
    """Changes of a model of so many blocks; those that are touched lie between its ends."""
    at = [round(count * share) for share in (0.3, 0.37, 0.47, 0.57, 0.7)]
    bits = [BlockChange(types=BITS | {"ffn_gate": "w3g64", "ffn_up": "w3g64"}) for _ in range(count)]
    low, blocks, parts = ([BlockChange()] * count for _ in range(3))
    for n in at[1:]:
        low[n] = BlockChange(types={"ffn_up": "w2g64", "ffn_gate": "w3g32"})
    blocks[at[1]] = blocks[at[4]] = GONE
    parts[at[0]] = BlockChange(channels=tuple(range(channels - channels // 256 * 32)))
    parts[at[1]] = parts[at[4]] = BlockChange(attention=False)
    parts[at[2]] = BlockChange(mlp=False)
    parts[at[3]] = BlockChange(kv_heads=tuple(range(heads - 1)))
    return {
        "unchanged": ModelChange((BlockChange(),) * count),
        "q4_0 to q8_0 and 3 bits": ModelChange(tuple(bits)),
        "2 and 3 bits in four blocks": ModelChange(tuple(low), {"token_embd": "q5_1"}),
        "two blocks gone": ModelChange(tuple(blocks)),
        "parts, channels, a head gone": ModelChange(tuple(parts)),
    }


def main() -> None:
    parser = arguments("written GGUF files in llama.cpp", "lm_files")
    parser.add_argument("--model", type=Path, required=True, help="GGUF file")
    parser.add_argument("--text", nargs="+", required=True, help="text files, or patterns of them")
    parser.add_argument("--windows", type=int, default=4)
    options = parser.parse_args()
    torch.set_num_threads(1)
    result = resume(options.out)
    rows = result.setdefault("changes", {})
    model, tokenizer = load_model(options.model), load_tokenizer(options.model)
    texts = read_texts(options.text, Path.cwd())
    windows = token_windows(texts, tokenizer, CONTEXT, options.windows, "test").tolist()
    result["text"] = [Path(name).name for name, _ in texts]
    word = tokenizer("the", add_special_tokens=False)["input_ids"][0]
    changed, shape = ChangedModel(model), model.shape.blocks[0]
    for name, change in changes(len(model.shape.blocks), shape.kv_heads, shape.channels).items():
        if name not in rows:
            changed.apply(change)
            rows[name] = measured(options.model, change, model.network, windows, word)
            save(options.out, result)
            print(name, rows[name], flush=True)
    columns = ("tokens", "pytorch", "llama_cpp", "ratio", "ratio_error")
    cells = [[name, row["architecture"], *(str(row[key]) for key in columns)] for name, row in rows.items()]
    print(markdown(["change", "architecture", *columns], cells))


def measured(source: Path, change: ModelChange, network: Any, windows: list[list[int]], word: int) -> Any:
    """Perplexities by both, and the standard error of their ratio over tokens."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "small.gguf"
        written = write_gguf(source, change, path)
        theirs = np.concatenate([llama_cpp_losses(path, one, FIRST, word=word) for one in windows])
    ours = np.concatenate([losses(network, one) for one in windows])
    apart = theirs - ours
    ratio = float(np.exp(apart.mean()))
    return {
        "architecture": written.architecture,
        "file_bytes": written.file_bytes,
        "counted_bytes": written.counted_bytes,
        "tokens": len(ours),
        "pytorch": round(float(np.exp(ours.mean())), 3),
        "llama_cpp": round(float(np.exp(theirs.mean())), 3),
        "ratio": round(ratio, 4),
        "ratio_error": round(ratio * float(apart.std()) / len(apart) ** 0.5, 4),
        "notes": list(written.notes),
    }


def losses(network: Any, tokens: list[int]) -> np.ndarray:
    """Nats of each token from `FIRST` on, given those before it."""
    with torch.no_grad():
        logits = network(torch.tensor([tokens]), use_cache=False).logits[0, FIRST - 1 : -1]
    wanted = torch.tensor(tokens[FIRST:])
    return torch.nn.functional.cross_entropy(logits.double(), wanted, reduction="none").numpy()


if __name__ == "__main__":
    main()
