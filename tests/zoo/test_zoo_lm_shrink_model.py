"""From a model's file to smaller models: ``space from-model``, the evaluator, and ``shrink-model``."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from lm_folder_samples import text, tiny_folder
from lm_samples import changed_model, gguf_from, losses, tiny_model
from typer.testing import CliRunner

import nasbuild as nb
from nasbuild.cli import app
from nasbuild.errors import NasbuildError
from nasbuild.space import load_space, parse_architecture, sample
from nasbuild.zoo.lm import (
    change_of,
    load_language_task,
    load_model,
    load_tokenizer,
    read_shape,
    read_texts,
    token_windows,
)

RUN = CliRunner()
CONTEXT = 32


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = tmp_path_factory.mktemp("lm")
    tiny_folder(place / "model", blocks=4)
    gguf_from(tiny_model(blocks=4), place / "tiny.gguf")
    (place / "corpus.txt").write_text(text())
    return place


def _ok(*arguments):
    done = RUN.invoke(app, [str(one) for one in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done


def test_evaluate_measures_a_space_of_the_model(place):
    space, file = place / "space.yaml", place / "lm.yaml"
    _ok(
        "space",
        "from-model",
        place / "model",
        "--vary",
        "attention,width",
        "--context",
        CONTEXT,
        "--out",
        space,
    )
    file.write_text(f"{{model: model, text: 'corp*.txt', context: {CONTEXT}, windows: 2}}")
    definition = load_space(space)
    found = sample(definition, 3, 0)
    table = nb.evaluate(definition, f"lm:{file}", found)
    windows = token_windows(read_texts(["corpus.txt"], place), load_tokenizer(place / "model"), CONTEXT, 2)
    for i, one in enumerate(table.architectures):
        # The evaluator keeps the channels with the largest activations; the others are zeros here.
        change = load_language_task(file).change_of(definition, one)
        model = changed_model(tiny_model(blocks=4), change)
        wanted = np.mean([losses(model, list(window), 1).mean() for window in windows])
        assert table.columns["loss"][i] == pytest.approx(wanted, abs=1e-5)
        for cost in ("bytes", "params", "macs", "kv_bytes"):
            assert table.columns[cost][i] == definition.costs[cost].values(definition, [one])[0]


def test_shrink_model_writes_the_best_within_each_budget(place):
    out = place / "small"
    arguments = ["shrink-model", place / "tiny.gguf", "--text", place / "corpus.txt", "--vary", "blocks,bits"]
    arguments += ["--types", "q8_0,q4_0", "--budget", "bytes <= 600e3 | 300e3 | 10", "--evaluations", 24]
    arguments += ["--context", CONTEXT, "--windows", 2, "--test-windows", 3, "--out", out, "--json"]
    with pytest.raises(NasbuildError, match=r"no model has bytes <= 10: the smallest one has \d+,\d+"):
        _ok(*arguments)
    arguments[arguments.index("bytes <= 600e3 | 300e3 | 10")] = "bytes <= 600e3 | 300e3"
    found = json.loads(_ok(*arguments).stdout)
    assert found["evaluated"] == 24
    space, shape = load_space(out / "space.yaml"), read_shape(place / "tiny.gguf")
    assert found["unchanged"]["bytes"] == space.costs["bytes"].values(space, [space.reference])[0]
    windows = token_windows(
        read_texts(["corpus.txt"], place), load_tokenizer(place / "tiny.gguf"), CONTEXT, 3, "test"
    )
    for one, budget in zip(found["models"], (600e3, 300e3), strict=True):
        assert one["costs"]["bytes"] <= budget
        change = change_of(shape, space, parse_architecture(space, one["architecture"]))
        model = changed_model(tiny_model(blocks=4), change)
        each = np.array([losses(model, list(window), 1).mean() for window in windows])
        before = np.array([losses(tiny_model(blocks=4), list(window), 1).mean() for window in windows])
        assert one["test_loss"] == pytest.approx(each.mean(), abs=1e-5)
        assert one["test_change"] == pytest.approx((each - before).mean(), abs=2e-5)
        assert one["test_error"] == pytest.approx((each - before).std(ddof=1) / 3**0.5, abs=2e-5)
        # The written file is that model.
        again = load_model(one["model"])
        with torch.no_grad():
            logits = again.network(torch.from_numpy(windows[:1])).logits
            assert torch.allclose(logits, model(torch.from_numpy(windows[:1])).logits, atol=2e-4)
    # The same command measures nothing again, and another text is refused.
    before = (out / "results.db").read_bytes()
    assert json.loads(_ok(*arguments).stdout) == found
    assert (out / "results.db").read_bytes() == before
    (place / "other.txt").write_text(text())
    arguments[arguments.index(place / "corpus.txt")] = place / "other.txt"
    with pytest.raises(NasbuildError, match=r"learn\.yaml: is of another model, text or number of windows"):
        _ok(*arguments)
