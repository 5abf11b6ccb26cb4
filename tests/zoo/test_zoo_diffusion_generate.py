"""Making the table of sd-unet-mini: preparation, resuming, writing."""

from __future__ import annotations

import gzip
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusion_samples import SMALLEST

from nasbuild.space import contains
from nasbuild.zoo._tensor_files import read_tensors
from nasbuild.zoo.diffusion import generate, mini
from nasbuild.zoo.diffusion.features import ClassifierTraining
from nasbuild.zoo.diffusion.generate import Work
from nasbuild.zoo.diffusion.space import sd_unet, sd_v1_4


class Killed(KeyboardInterrupt):
    pass


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fashion")
    rng = np.random.default_rng(0)
    for name, n in (("train", 40), ("t10k", 12)):
        for kind, array in (
            ("images-idx3", rng.integers(256, size=(n, 28, 28))),
            ("labels-idx1", np.arange(n) % 10),
        ):
            head = bytes([0, 0, 8, array.ndim]) + b"".join(int(k).to_bytes(4, "big") for k in array.shape)
            data = gzip.compress(head + array.astype(np.uint8).tobytes())
            (folder / f"{name}-{kind}-ubyte.gz").write_bytes(data)
    return folder


@pytest.fixture(scope="module")
def prepared(images, tmp_path_factory):
    """A work folder with parent, classifier and settings file, trained for a few steps."""
    small = {"images": 6, "steps": 2, "batch": 2, "every": 1, "warmup": 1, "denoising": 2, "paint": 6}
    train = mini.train_classifier

    def train_tiny(images, labels):
        return train(images, labels, ClassifierTraining(epochs=1, batch=20))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(generate, "RECIPE", generate.RECIPE | small)
        patch.setattr(mini.pretrain, "__defaults__", (replace(mini.PRETRAINING, steps=1, batch=2),))
        patch.setattr(mini, "train_classifier", train_tiny)
        calls = []
        work = Work(tmp_path_factory.mktemp("work"), images)
        work.prepare(lambda *a: calls.append(a))
        assert [what.partition(" (")[0] for what, _, _ in calls] == [
            "pre-training",
            "classifier",
            "classifier",
        ]
        yield work.folder


def test_variants_are_reproducible_cover_every_module_and_exclude_sd_v1_4(tmp_path):
    work = Work(tmp_path, tmp_path)
    variants = work.variants()
    assert len(set(variants)) == len(variants) == 68
    assert sd_v1_4() not in variants
    assert all(contains(sd_unet(), v) for v in variants)
    assert work.variants(10) == variants[:10]
    # Every module of every stage is there.
    for u, stage in enumerate(sd_unet().stages):
        assert {v.modules[u] for v in variants} == set(stage.modules or ())


def test_a_killed_run_ends_with_the_same_table(tmp_path, images, prepared, monkeypatch):
    calls = []
    for name in ("whole", "killed"):
        shutil.copytree(prepared, tmp_path / name)
    whole, killed = Work(tmp_path / "whole", images), Work(tmp_path / "killed", images)
    # What is prepared is not prepared again.
    whole.prepare(lambda *a: pytest.fail(f"trained {a}"))
    variants = [SMALLEST, SMALLEST.replace(4, sd_v1_4().modules[4])]
    expected = whole.table(whole.measure(variants, lambda *a: calls.append(a)))
    assert calls == [("variants, seed 0", n, 2) for n in range(3)]
    steps = iter(range(100))

    def stop(*_):
        # In the midst of the second variant, after its first checkpoint.
        if next(steps) == 2:
            raise Killed

    from nasbuild.zoo.diffusion import inpainting

    tune = inpainting.train_unet
    with monkeypatch.context() as patched:
        patched.setattr(inpainting, "train_unet", lambda *a, **k: tune(*a, **k, progress=stop))
        with pytest.raises(Killed):
            killed.measure(variants, lambda *_: None)
    left = list((killed.folder / f"{generate.FILE}.work").iterdir())
    assert [read_tensors(path)[1]["steps"] for path in left] == ["1"]
    again = killed.table(killed.measure(variants, lambda *_: None))
    assert again.architectures == expected.architectures
    for name, column in expected.columns.items():
        assert np.array_equal(again.columns[name], column)


def test_the_command_writes_table_and_card(tmp_path, images, prepared, monkeypatch, capsys):
    shutil.copytree(prepared, tmp_path / "out")
    from nasbuild.zoo.diffusion.__main__ import main

    monkeypatch.setattr(
        Work, "variants", lambda _, n: [SMALLEST, SMALLEST.replace(4, sd_v1_4().modules[4])][:n]
    )
    call = ["--images", str(images), "--out", str(tmp_path / "out"), "--again", "2", "--finish"]
    before = torch.get_num_threads()
    try:
        assert main(call) == 0
    finally:
        torch.set_num_threads(before)
    assert "wrote 2 architectures" in capsys.readouterr().out
    with gzip.open(tmp_path / "out" / "archs.jsonl.gz", "rt") as stream:
        rows = [json.loads(line) for line in stream]
    assert [set(row["metrics"]) for row in rows] == [set(sd_unet().metrics)] * 2
    card = (tmp_path / "out" / "card.md").read_text()
    assert "Seeds: 2 networks" in card
    assert main([*call[:1], str(tmp_path / "none"), *call[2:3], str(tmp_path / "new")]) == 2
    assert "no such file" in capsys.readouterr().err
