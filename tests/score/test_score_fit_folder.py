"""Fit folders: equal to the bit when read back, whole or not there at all."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from score_samples import HASTY, example_table, table_of, with_metrics

from nasbuild.errors import OutputError
from nasbuild.score import Fit, fit, load_fit, predict, save_fit
from nasbuild.space import count_architectures, sample
from strategies import relaxed, spaces

FILES = {"fit.json", "table.parquet", "model.safetensors", "modules.parquet", "trust.json"}


@pytest.fixture(scope="module")
def fitted() -> Fit:
    table = example_table(24)
    columns = dict(table.columns)
    columns["latency"] = np.where(np.arange(24) == 5, np.nan, columns["latency"])
    return fit(
        replace(table, columns=columns),
        ["acc", "latency"],
        recipe=HASTY,
        seed=2,
        max_modules=15,
        baselines=False,
    )


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def check_equal(a: Fit, b: Fit) -> None:
    assert (a.table, a.recipe, a.seed, a.max_modules) == (b.table, b.recipe, b.seed, b.max_modules)
    assert a.table.digest() == b.table.digest()
    assert a.table.notes == b.table.notes
    assert len(a.targets) == len(b.targets)
    architectures = sample(a.space, 6, np.random.default_rng(0), distinct=False)
    for one, two in zip(a.targets, b.targets, strict=True):
        assert one.target == two.target
        assert one.trust == two.trust
        assert one.features == two.features
        assert [type(f.choice) for f in one.features] == [type(f.choice) for f in two.features]
        assert one.scorer.architectures == two.scorer.architectures
        assert (one.labels.missing, one.labels.undefined) == (two.labels.missing, two.labels.undefined)
        arrays = [(one.labels.values, two.labels.values), (one.labels.rows, two.labels.rows)]
        arrays.append((one.scorer.labels, two.scorer.labels))
        for x, y in zip(one.scorer.ensemble.members, two.scorer.ensemble.members, strict=True):
            assert (x.label_mean, x.label_std) == (y.label_mean, y.label_std)
            arrays += [
                (getattr(x, n), getattr(y, n)) for n in ("train", "test", "srcc", "norm_mean", "norm_std")
            ]
            assert list(x.weights) == list(y.weights) or set(x.weights) == set(y.weights)
            arrays += [(x.weights[n], y.weights[n]) for n in x.weights]
        for x, y in zip(one.stages, two.stages, strict=True):
            assert (x.stage, x.scored, x.total) == (y.stage, y.scored, y.total)
            arrays += [(getattr(x, n), getattr(y, n)) for n in ("layers", "offsets", "score", "std")]
        before, after = predict(one, architectures), predict(two, architectures)
        arrays += [(getattr(before, n), getattr(after, n)) for n in ("value", "std", "shares")]
        for x, y in arrays:
            assert (x.dtype, x.shape) == (y.dtype, y.shape)
            assert x.tobytes() == y.tobytes()


def test_what_is_read_equals_what_was_written(fitted, tmp_path):
    torch.manual_seed(0)
    state = torch.get_rng_state()
    save_fit(fitted, tmp_path / "fit")
    assert set(contents(tmp_path)) == {f"fit/{name}" for name in FILES}
    back = load_fit(tmp_path / "fit")
    check_equal(fitted, back)
    assert torch.equal(torch.get_rng_state(), state)
    # Read and written again it is the same, byte by byte, and knows what made it.
    save_fit(back, tmp_path / "again")
    assert contents(tmp_path / "again") == contents(tmp_path / "fit")
    assert set(back.versions) == {"nasbuild", "python", "torch", "numpy", "scipy"}


def test_the_same_learning_gives_the_same_files(fitted, tmp_path):
    again = fit(fitted.table, ["acc", "latency"], recipe=HASTY, seed=2, max_modules=15, baselines=False)
    save_fit(fitted, tmp_path / "a")
    save_fit(again, tmp_path / "b")
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


@given(spaces(), st.integers(0, 99), st.booleans(), st.integers(2, 30))
@hypothesis_settings(relaxed, max_examples=8)
def test_any_fit_of_any_space_is_equal_when_read_back(tmp_path_factory, space, seed, equation, most):
    assume(count_architectures(space) >= 5)
    rng = np.random.default_rng(seed)
    rows = min(count_architectures(space), 9)
    latency = rng.normal(size=rows)
    latency[0] = np.nan
    table = table_of(
        with_metrics(space), rows, seed, acc=rng.integers(0, 4, rows) + 0.1 * np.arange(rows), latency=latency
    )
    targets = ["-acc / 3 + max(latency, 0.1)"] if equation else ["acc"]
    made = fit(table, targets, recipe=HASTY, seed=seed, max_modules=most, baselines=False)
    folder = tmp_path_factory.mktemp("runs") / "fit"
    save_fit(made, folder)
    check_equal(made, load_fit(folder))


def test_a_fit_is_replaced_only_with_overwrite(fitted, tmp_path):
    folder = tmp_path / "fit"
    save_fit(fitted, folder)
    before = contents(tmp_path)
    other = replace(fitted, seed=9)
    with pytest.raises(OutputError, match=r"already exists; choose another place, or pass --overwrite"):
        save_fit(other, folder)
    assert contents(tmp_path) == before
    save_fit(other, folder, overwrite=True)
    assert load_fit(folder).seed == 9
    assert set(contents(tmp_path)) == set(before)


def test_an_empty_folder_is_filled_and_parents_are_made(fitted, tmp_path):
    (tmp_path / "empty").mkdir()
    save_fit(fitted, tmp_path / "empty")
    save_fit(fitted, tmp_path / "a" / "b" / "fit")
    assert contents(tmp_path / "empty") == contents(tmp_path / "a" / "b" / "fit")


@pytest.mark.parametrize("overwrite", [False, True])
def test_what_is_no_fit_folder_is_never_replaced(fitted, tmp_path, overwrite):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "thesis.tex").write_text("years of work")
    (tmp_path / "file").write_text("x")
    before = contents(tmp_path)
    for name in ("folder", "file"):
        with pytest.raises(OutputError, match=f"{name}: already exists; choose another place"):
            save_fit(fitted, tmp_path / name, overwrite=overwrite)
    assert contents(tmp_path) == before


def test_a_parent_that_is_a_file_is_refused(fitted, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="can't be written"):
        save_fit(fitted, tmp_path / "file" / "fit")
    assert contents(tmp_path) == {"file": b"x"}


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_is_refused(fitted, tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(OutputError, match=r"can't be written \(Permission denied"):
            save_fit(fitted, tmp_path / "fit")
    finally:
        tmp_path.chmod(0o700)
    assert contents(tmp_path) == {}


STEPS = [
    "_space_fit_files.write_table",
    "_space_fit_files.scorers_to_bytes",
    "_space_fit_files.modules_to_arrow",
    "_space_fit_files.write_arrow",
    "_fit_folder.asdict",
    "_space_fit_files.space_to_dict",
    "_fit_folder.FitFile.fields_of",
]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), KeyboardInterrupt()], ids=["full", "stop"]
)
@pytest.mark.parametrize("overwrite", [False, True])
def test_an_interrupted_write_leaves_things_as_they_were(
    fitted, tmp_path, monkeypatch, step, error, overwrite
):
    if overwrite:
        save_fit(fitted, tmp_path / "fit")
    before = contents(tmp_path)

    def failing(*_, **__):
        raise error

    monkeypatch.setattr(f"nasbuild.score.{step}", failing)
    expected = OutputError if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(expected) as caught:
        save_fit(replace(fitted, seed=7), tmp_path / "fit", overwrite=overwrite)
    if expected is OutputError:
        assert str(caught.value) == f"{tmp_path / 'fit'}: can't be written (No space left on device)"
    assert contents(tmp_path) == before
    assert len(list(tmp_path.iterdir())) == overwrite


def test_a_failing_rename_leaves_things_as_they_were(fitted, tmp_path, monkeypatch):
    save_fit(fitted, tmp_path / "fit")
    before = contents(tmp_path)
    plain = Path.replace

    def failing(self, target):
        if self.name.endswith(".partial"):
            raise OSError(5, "Input/output error")
        return plain(self, target)

    monkeypatch.setattr(Path, "replace", failing)
    with pytest.raises(OutputError, match="can't be written"):
        save_fit(replace(fitted, seed=7), tmp_path / "fit", overwrite=True)
    monkeypatch.undo()
    assert contents(tmp_path) == before
    assert load_fit(tmp_path / "fit").seed == 2


def test_nothing_in_the_folder_can_execute(fitted, tmp_path):
    save_fit(fitted, tmp_path / "fit")
    for name, data in contents(tmp_path / "fit").items():
        head = {".json": b"{", ".parquet": b"PAR1", ".safetensors": None}[Path(name).suffix]
        if head is None:
            header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
            assert header.pop("__metadata__") == {"format": "nasbuild"}
            assert {entry["dtype"] for entry in header.values()} == {"F64", "F32", "I64"}
        else:
            assert data.startswith(head)
