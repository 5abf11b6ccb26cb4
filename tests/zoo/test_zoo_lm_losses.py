"""Losses of changed language models: against transformers, and with hidden states kept against whole runs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from lm_folder_samples import random_change, tiny_folder
from lm_samples import changed_model, tiny_model
from torch.utils.flop_counter import FlopCounterMode

from nasbuild.errors import NasbuildError
from nasbuild.zoo.lm import (
    BlockChange,
    ChangedModel,
    LanguageLosses,
    ModelChange,
    language_costs,
    load_model,
    load_tokenizer,
    read_texts,
    token_windows,
)
from nasbuild.zoo.lm.kept_first import orders_by_activation, orders_by_norm

CONTEXT = 24


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_folder(tmp_path_factory.mktemp("tiny") / "model")


@pytest.fixture(scope="module")
def windows(folder):
    texts = read_texts(["corpus.txt"], folder)
    return token_windows(texts, load_tokenizer(folder), CONTEXT, 3)


@pytest.fixture(scope="module")
def losses(folder, windows, tmp_path_factory):
    place = tmp_path_factory.mktemp("kept") / "deep" / "probabilities.npy"
    return LanguageLosses(ChangedModel(load_model(folder)), windows, probabilities=place)


def _logits(model, windows):
    with torch.no_grad():
        return model(torch.from_numpy(windows)).logits[:, :-1].double()


def test_loss_and_divergence_are_those_of_transformers(losses, windows):
    """A changed copy of the model, with zeros where something is gone, is scored by torch's own losses."""
    shape, rng = losses.model.model.shape, np.random.default_rng(1)
    before = _logits(tiny_model(), windows).log_softmax(-1).flatten(0, 1)
    for _ in range(12):
        change = random_change(shape, rng)
        logits = _logits(changed_model(tiny_model(), change), windows).flatten(0, 1)
        wanted = torch.from_numpy(windows[:, 1:]).flatten()
        found = losses.measure(change)
        loss = float(torch.nn.functional.cross_entropy(logits, wanted))
        divergence = torch.nn.functional.kl_div(
            logits.log_softmax(-1), before, reduction="batchmean", log_target=True
        )
        assert found["loss"] == pytest.approx(loss, abs=1e-5)
        assert found["ppl"] == pytest.approx(np.exp(loss), rel=1e-5)
        assert found["kld"] == pytest.approx(float(divergence), abs=2e-5)


def test_runs_from_the_first_changed_block_equal_whole_runs(losses, windows):
    shape, rng = losses.model.model.shape, np.random.default_rng(2)
    whole = LanguageLosses(losses.model, windows)
    whole._kept_at = range(0)
    for first in range(len(shape.blocks) + 1):
        change = random_change(shape, rng, first) if first else shape.unchanged
        some, _ = losses.by_window(change)
        every, _ = whole.by_window(change)
        np.testing.assert_allclose(some, every, atol=1e-5)
    ran = []
    hooks = [
        block.register_forward_hook(lambda *_, n=n: ran.append(n))
        for n, block in enumerate(losses.model.model.blocks)
    ]
    losses.measure(ModelChange((*shape.unchanged.blocks[:3], BlockChange(mlp=False), BlockChange())))
    for hook in hooks:
        hook.remove()
    # All blocks are called, those before the first changed one only to hand on what is kept.
    assert ran == list(range(5))
    assert losses.model.model.blocks[0].__dict__.get("forward") is None


def test_little_memory_keeps_fewer_states_and_cuts_batches(losses, windows):
    change = random_change(losses.model.model.shape, np.random.default_rng(3), 4)
    small = LanguageLosses(losses.model, windows, memory=windows.size * 128 * 4 * 3)
    assert list(small._kept_at) == [2, 4]
    assert small._batch == 1
    np.testing.assert_allclose(small.by_window(change)[0], losses.by_window(change)[0], atol=1e-5)


def test_the_unchanged_model_comes_back_to_the_bit(folder):
    model = load_model(folder)
    changed, rng = ChangedModel(model, memory=1), np.random.default_rng(4)
    ids = torch.arange(20)[None]
    with torch.no_grad():
        before = model.network(ids).logits
        for _ in range(5):
            changed.apply(random_change(model.shape, rng))
        assert not torch.equal(model.network(ids).logits, before)
        changed.apply(model.shape.unchanged)
        assert torch.equal(model.network(ids).logits, before)


@pytest.mark.parametrize(
    ("architecture", "tied"), [("llama", True), ("llama", False), ("qwen2", True), ("qwen3", False)]
)
def test_costs_are_those_of_a_counted_model(tmp_path, architecture, tied):
    folder = tiny_folder(tmp_path / "model", architecture, blocks=3, tied=tied)
    model, context = load_model(folder), 16
    model.network.set_attn_implementation("eager")  # torch does not count the fused one
    found = language_costs(model.shape, model.shape.unchanged, context)
    params = sum(p.numel() for p in model.network.parameters())
    assert found["params"] == params
    assert found["bytes"] == 4 * params
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.network(torch.zeros(1, context, dtype=torch.long), use_cache=False)
    assert found["macs"] == counter.get_total_flops() / 2 / context
    cache = model.network(torch.zeros(1, context, dtype=torch.long), use_cache=True).past_key_values
    numbers = sum(layer.keys.numel() + layer.values.numel() for layer in cache.layers)
    assert found["kv_bytes"] == 2 * numbers
    # Without attention in one block, and with fewer channels and heads in another.
    kept = tuple(range(64))
    change = ModelChange(
        (BlockChange(attention=False), BlockChange(kv_heads=(1,), channels=kept), BlockChange())
    )
    ChangedModel(model).apply(change)
    some = language_costs(model.shape, change, context)
    gone = model.blocks[0].self_attn
    norms = model.shape.blocks[0].attention_norms
    rest = sum(p.numel() for p in model.network.parameters()) - sum(p.numel() for p in gone.parameters())
    own = sum(p.numel() for name, p in gone.named_parameters() if "norm" in name)
    assert some["params"] == rest - (norms - own)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.network(torch.zeros(1, context, dtype=torch.long), use_cache=False)
    assert some["macs"] == counter.get_total_flops() / 2 / context


def test_heads_and_channels_that_matter_are_kept_first(folder):
    model = load_model(folder)
    down = model.matrix(1, "ffn_down").weight
    down[:, 7] *= 100
    model.matrix(2, "attn_v").weight[32:] *= 100  # the second head
    for orders in (orders_by_norm(model), orders_by_activation(model, [torch.arange(30)[None]])):
        assert orders[1]["channels"][0] == 7
        assert sorted(orders[1]["channels"]) == list(range(192))
        assert orders[2]["kv_heads"] == [1, 0]


def test_windows_of_learning_and_test_are_apart(folder):
    texts, tokenizer = read_texts(["*.txt"], folder), load_tokenizer(folder)
    learn, test = (token_windows(texts, tokenizer, 10, 0, split) for split in ("learn", "test"))
    tokens = tokenizer(texts[0][1])["input_ids"]
    pairs = len(tokens) // 20
    assert learn.shape == test.shape == (pairs, 10)
    both = np.stack([learn, test], axis=1).reshape(-1)
    np.testing.assert_array_equal(both, tokens[: 20 * pairs])
    some = token_windows(texts, tokenizer, 10, 3)
    np.testing.assert_array_equal(some, learn[[0, round((pairs - 1) / 2), pairs - 1]])
    with pytest.raises(NasbuildError, match=r"9,000 windows of 10 need 180,000; give more text"):
        token_windows(texts, tokenizer, 10, 9000)
    with pytest.raises(NasbuildError, match=r"no text file is called nowhere\*\.txt"):
        read_texts(["nowhere*.txt"], folder)


def test_blocks_that_are_no_sums_are_refused(folder):
    model = load_model(folder)
    block = model.blocks[1]
    forward = type(block).forward
    block.forward = lambda hidden_states, **more: 2 * forward(block, hidden_states, **more)
    with pytest.raises(NasbuildError, match="are no identity: they change what passes through them"):
        ChangedModel(model)
