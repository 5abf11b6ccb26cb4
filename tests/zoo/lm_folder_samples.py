"""A tiny language model as a Hugging Face folder with a tokenizer, and text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from lm_samples import TOKENS, tiny_model
from tokenizers import ByteLevelBPETokenizer
from transformers import PreTrainedTokenizerFast

from nasbuild.zoo.lm import BlockChange, ModelChange, ModelShape

WORDS = [
    "the",
    "of",
    "a",
    "bridge",
    "river",
    "road",
    "block",
    "weight",
    "small",
    "large",
    "carries",
    "over",
    "was",
    "is",
    "and",
    "in",
]


def text(words: int = 4000) -> str:
    """Random words in a random order."""
    return " ".join(np.random.default_rng(0).choice(WORDS, words))


def tiny_folder(folder: Path, architecture: str = "llama", *, blocks: int = 5, tied: bool = True) -> Path:
    """A folder that transformers loads, with ``corpus.txt`` beside its files."""
    folder.mkdir(parents=True, exist_ok=True)
    tiny_model(architecture, blocks=blocks, tied=tied).save_pretrained(folder)
    tokenizer = ByteLevelBPETokenizer()
    tokenizer.train_from_iterator([text()], vocab_size=TOKENS, show_progress=False)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer._tokenizer).save_pretrained(folder)
    (folder / "corpus.txt").write_text(text())
    return folder


def random_change(shape: ModelShape, rng: np.random.Generator, first: int = 0) -> ModelChange:
    """Parts off, narrower and rounded at random, from a block on."""
    types = ("q8_0", "q4_0", "w3g64", "w2g32")
    blocks = []
    for n, block in enumerate(shape.blocks):
        if n < first:
            blocks.append(BlockChange())
            continue
        channels = np.sort(rng.choice(block.channels, 64, replace=False)) if rng.random() < 0.4 else None
        heads = (int(rng.integers(block.kv_heads)),) if rng.random() < 0.3 else None
        rounded = {name: str(rng.choice(types)) for name in block.tensors if rng.random() < 0.4}
        kept = None if channels is None else tuple(int(c) for c in channels)
        blocks.append(BlockChange(bool(rng.random() < 0.8), bool(rng.random() < 0.8), heads, kept, rounded))
    return ModelChange(tuple(blocks), {"token_embd": "q8_0"} if first == 0 and rng.random() < 0.3 else {})
