"""Losses of tokens by llama.cpp, through the package xllamacpp: a runtime that shares no code with ours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xllamacpp


def llama_cpp_losses(
    path: Path, tokens: list[int], first: int, *, word: int, quick: int = 1000
) -> np.ndarray:
    """Nats of each token from ``first`` on, given those before it.

    The server tells the log-probabilities of the ``quick`` most probable tokens; of all, for a token that is not
    among them. It tells none beside a token that prints nothing, so that it is made to answer with the token ``word``,
    which leaves the probabilities as they are.
    """
    settings = xllamacpp.CommonParams()
    settings.model.path = str(path)
    settings.n_ctx = max(128, len(tokens) + 8)
    settings.n_parallel = settings.cpuparams.n_threads = 1
    settings.warmup = settings.fit_params = settings.ui = False
    settings.verbosity = 0
    settings.cache_type_k = settings.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
    settings.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    server = xllamacpp.Server(settings)
    return np.array([_loss(server, tokens[:n], tokens[n], word, quick) for n in range(first, len(tokens))])


def _loss(server: xllamacpp.Server, before: list[int], token: int, word: int, most: int) -> float:
    answer = server.handle_completions(
        {
            "prompt": before,
            "max_tokens": 1,
            "logprobs": most,
            "logit_bias": [[word, 1e6]],
            "temperature": 0.0,
            "cache_prompt": True,
        }
    )
    told = answer["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
    found = [one["logprob"] for one in told if one["id"] == token]
    if not found:
        assert most < 1e6, f"llama.cpp does not tell the probability of token {token}"
        return _loss(server, before, token, word, 1_000_000)
    return -found[0]
