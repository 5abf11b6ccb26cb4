"""Damaged, foreign, older and newer fit folders: one clear sentence for each, and nothing changed on disk."""

from __future__ import annotations

import hashlib
import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import load, save
from score_samples import HASTY, example_table

from nasbuild.errors import FitError
from nasbuild.score import SCHEMA_VERSION, fit, load_fit, save_fit

OTHERS = ["table.parquet", "model.safetensors", "modules.parquet", "trust.json"]
ALL_FILES = ["fit.json", *OTHERS]


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "fit"
    save_fit(fit(example_table(20), ["acc", "latency"], recipe=HASTY, baselines=False), folder)
    return folder


@pytest.fixture
def folder(whole, tmp_path) -> Path:
    shutil.copytree(whole, tmp_path / "fit")
    return tmp_path / "fit"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def refused(folder: Path, match: str = ": ") -> None:
    before = contents(folder)
    with pytest.raises(FitError, match=match) as caught:
        load_fit(folder)
    text = str(caught.value)
    assert text.startswith(str(folder))
    assert "\n" not in text
    assert len(text) < 700
    assert contents(folder) == before


def edit(folder: Path, name: str, change: Callable[[dict], object]) -> None:
    """Change a JSON file by hand."""
    data = json.loads((folder / name).read_text())
    change(data)
    (folder / name).write_text(json.dumps(data))


def sign(folder: Path) -> None:
    """Write the checksums of the files as they are into fit.json, as someone who meant it would."""
    sums = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in OTHERS}
    edit(folder, "fit.json", lambda data: data.update(files=sums))


def test_a_whole_folder_can_be_read(folder):
    assert [one.target.name for one in load_fit(folder).targets] == ["acc", "latency"]
    sign(folder)
    assert [one.target.name for one in load_fit(folder).targets] == ["acc", "latency"]


@pytest.mark.parametrize("name", ALL_FILES)
def test_a_missing_file_is_refused(folder, name):
    (folder / name).unlink()
    refused(folder, "it has no fit.json" if name == "fit.json" else rf"{name}: can't be read \(No such file")


@pytest.mark.parametrize("name", ALL_FILES)
def test_a_folder_in_place_of_a_file_is_refused(folder, name):
    (folder / name).unlink()
    (folder / name).mkdir()
    refused(
        folder, "it has no fit.json" if name == "fit.json" else rf"{name}: can't be read \(Is a directory"
    )


def test_a_folder_of_an_older_version_says_to_fit_again(folder):
    (folder / "fit.json").rename(folder / "run.json")
    refused(folder, r"fit: was written by an older version of nasbuild; fit again$")


def test_a_place_without_a_fit_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty").mkdir()
    for name in ("nothing", "file", "empty"):
        with pytest.raises(
            FitError, match=r"is no fit folder \(it has no fit.json\); make one with nasbuild fit"
        ):
            load_fit(tmp_path / name)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("name", ALL_FILES)
@pytest.mark.parametrize("kind", ["empty", "half", "most", "foreign", "pickle", "zeros"])
def test_damage_of_any_file_is_refused(folder, name, kind, signed):
    data = (folder / name).read_bytes()
    damaged = {
        "empty": b"",
        "half": data[: len(data) // 2],
        "most": data[:-2],
        "foreign": b"\x89PNG\r\n\x1a\n" + bytes(50),
        "pickle": pickle.dumps({"schema_version": 1}),
        "zeros": bytes(len(data)),
    }[kind]
    (folder / name).write_bytes(damaged)
    if signed and name != "fit.json":
        sign(folder)
    refused(folder, name if signed or name == "fit.json" else f"{name}: is damaged or from another fit")


@given(st.sampled_from(OTHERS), st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_single_changed_bit_is_refused(folder, name, data):
    path = folder / name
    whole = path.read_bytes()
    place = data.draw(st.integers(0, 8 * len(whole) - 1))
    changed = bytearray(whole)
    changed[place // 8] ^= 1 << place % 8
    path.write_bytes(changed)
    try:
        refused(folder, f"{name}: is damaged or from another fit")
    finally:
        path.write_bytes(whole)


@pytest.mark.parametrize("name", OTHERS)
def test_a_file_of_another_fit_is_refused(folder, tmp_path, name):
    other = tmp_path / "other"
    save_fit(fit(example_table(20, seed=1), ["latency", "acc"], recipe=HASTY, seed=1, baselines=False), other)
    shutil.copy(other / name, folder / name)
    refused(folder, f"{name}: is damaged or from another fit")
    if name in ("table.parquet", "trust.json"):
        # Only their sums tell the weights and scores of one fit from those of another of the same kind.
        sign(folder)
        refused(folder, name)


def test_a_newer_schema_version_says_to_install_a_newer_nasbuild(folder):
    edit(folder, "fit.json", lambda data: data.update(schema_version=SCHEMA_VERSION + 1, something="new"))
    refused(
        folder,
        rf"fit.json: has schema version {SCHEMA_VERSION + 1}, this nasbuild \(.*\) reads up to {SCHEMA_VERSION}; "
        "install a newer nasbuild",
    )


@pytest.mark.parametrize("more", [{}, {"something": "old"}])
def test_an_older_schema_version_says_to_fit_again(folder, more):
    edit(folder, "fit.json", lambda data: data.update(schema_version=SCHEMA_VERSION - 1, **more))
    refused(
        folder,
        rf"fit.json: has schema version {SCHEMA_VERSION - 1}, this nasbuild \(.*\) reads {SCHEMA_VERSION}; fit again$",
    )


FIT_FILE_CHANGES = {
    "version 0": lambda d: d.update(schema_version=0),
    "text version": lambda d: d.update(schema_version=str(SCHEMA_VERSION)),
    "true version": lambda d: d.update(schema_version=True),
    "no kind": lambda d: d.pop("kind"),
    "unknown kind": lambda d: d.update(kind="rows"),
    "other kind": lambda d: d.update(kind="graphs"),
    "kind of list": lambda d: d.update(kind=["space"]),
    "no method": lambda d: d.pop("method"),
    "unknown method": lambda d: d.update(method="magic"),
    "other method": lambda d: d.update(method="additive"),
    "no version": lambda d: d.pop("schema_version"),
    "unknown key": lambda d: d.update(surplus=1),
    "no targets": lambda d: d.update(targets=[]),
    "text seed": lambda d: d.update(seed="0"),
    "no files": lambda d: d.pop("files"),
    "files of none": lambda d: d.update(files={}),
    "foreign direction": lambda d: d["targets"][0].update(direction="up"),
    "unknown metric": lambda d: d["targets"][0].update(name="miou"),
    "equation": lambda d: d["targets"][0].update(name="__import__('os')"),
    "other target": lambda d: d["targets"][0].update(name="acc + 1"),
    "swapped targets": lambda d: d["targets"].reverse(),
    "fewer targets": lambda d: d["targets"].pop(),
    "same target twice": lambda d: d["targets"].append(d["targets"][0]),
    "fewer stages": lambda d: d["targets"][0]["scored"].pop(),
    "more stages": lambda d: d["targets"][0]["scored"].append(3),
    "other counts": lambda d: d["targets"][0].update(scored=[1, 1, 1]),
    "huge counts": lambda d: d["targets"][0].update(scored=[10**30] * 3),
    "real counts": lambda d: d["targets"][0].update(scored=[20.5, 20, 2]),
    "note without text": lambda d: d["table"].update(notes=[{"kind": "x", "rows": []}]),
    "note of numbers": lambda d: d["table"].update(notes=[{"kind": "x", "text": "y", "rows": [1]}]),
    "table digest": lambda d: d["table"].update(sha256="0" * 64),
    "no space": lambda d: d.update(space={}),
    "space of text": lambda d: d.update(space="ofa"),
    "other choices": lambda d: d["space"]["stages"][0]["features"].update(kernel=[3, 5, 7]),
    "other order": lambda d: d["space"]["stages"].reverse(),
    "other stage": lambda d: d["space"]["stages"].append({"depth": 1}),
    "other metrics": lambda d: d["space"]["metrics"].pop("acc"),
    "recipe without": lambda d: d.update(recipe={}) or d["recipe"].update(width=5),
    "recipe surplus": lambda d: d["recipe"].update(magic=True),
    "recipe width": lambda d: d["recipe"].update(width=8),
    "recipe huge": lambda d: d["recipe"].update(width=10**12),
    "recipe hops": lambda d: d["recipe"].update(hops=3),
    "recipe text": lambda d: d["recipe"].update(hops="2"),
    "recipe kind": lambda d: d["recipe"].update(convolution="gin"),
    "recipe unknown": lambda d: d["recipe"].update(convolution="sage"),
}


@pytest.mark.parametrize("change", FIT_FILE_CHANGES)
def test_a_changed_fit_file_is_refused(folder, change):
    edit(folder, "fit.json", FIT_FILE_CHANGES[change])
    refused(folder)


@pytest.mark.parametrize(
    "text", ["[]", "3", "null", '"fit"', "[" * 100_000, '{"schema_version": ' + "9" * 5_000 + "}"]
)
def test_a_fit_file_that_is_no_object_is_refused(folder, text):
    (folder / "fit.json").write_text(text)
    refused(folder, "fit.json: ")


TRUST_CHANGES = {
    "no targets": lambda d: d.pop("targets"),
    "list": lambda d: d.update(targets=3),
    "other target": lambda d: d["targets"][0].update(target="miou"),
    "fewer targets": lambda d: d["targets"].pop(),
    "swapped targets": lambda d: d["targets"].reverse(),
    "no trust": lambda d: d["targets"][0].pop("trust"),
    "no baselines": lambda d: d["targets"][0]["trust"].pop("baselines"),
    "baselines of texts": lambda d: d["targets"][0]["trust"].update(baselines=["ridge"]),
    "text coverage": lambda d: d["targets"][0]["trust"].update(coverage="90 %"),
    "real n_tied": lambda d: d["targets"][0]["trust"].update(n_tied=[0.5, 1, 1]),
    "no verdict": lambda d: d["targets"][0]["trust"].pop("verdict"),
    "surplus": lambda d: d["targets"][0]["trust"].update(magic=1),
    "text mean": lambda d: d["targets"][0]["trust"]["modules"].update(mean="high"),
    "no values": lambda d: d["targets"][0]["trust"]["prediction"].pop("values"),
    "hops": lambda d: d["targets"][0]["trust"].update(hops=None),
    "unseen": lambda d: d["targets"][0]["trust"].update(unseen=[[1]]),
    "features": lambda d: d["targets"][0].update(features={}),
    "choice": lambda d: d["targets"][0]["features"][0].update(choice={"a": 1}),
    "text score": lambda d: d["targets"][0]["features"][0].update(score="much"),
    "feature surplus": lambda d: d["targets"][0]["features"][0].update(magic=1),
}


@pytest.mark.parametrize("change", TRUST_CHANGES)
def test_a_changed_trust_file_is_refused(folder, change):
    edit(folder, "trust.json", TRUST_CHANGES[change])
    sign(folder)
    refused(folder, "trust.json: is ")


def changed_table(frame: pl.DataFrame, change: str) -> pl.DataFrame:
    match change:
        case "label":
            return frame.with_columns(acc=pl.col("acc") + 1)
        case "row":
            return frame.slice(1)
        case "order":
            return frame.reverse()
        case "id":
            return frame.with_columns(id=pl.concat_str(pl.lit("x"), pl.col("id")))
        case "choice":
            return frame.with_columns(pl.lit(11).alias("one.0.kernel"))
        case "column":
            return frame.drop("globals.resolution")
    return frame.clear()


@pytest.mark.parametrize("change", ["label", "row", "order", "id", "choice", "column", "none"])
def test_a_replaced_table_is_refused(folder, change):
    path = folder / "table.parquet"
    changed_table(pl.read_parquet(path), change).write_parquet(path)
    sign(folder)
    refused(folder, "table.parquet")


@pytest.mark.parametrize("row", [20, 10**9, -1])
def test_a_model_of_other_rows_is_refused(folder, row):
    path = folder / "model.safetensors"
    arrays = load(path.read_bytes())
    train = arrays["1.1.train"].copy()
    train[-1] = row
    path.write_bytes(save(arrays | {"1.1.train": train}))
    sign(folder)
    refused(folder, "model.safetensors: .*(another table|no split of labels)")


def test_modules_with_other_scores_are_refused(folder):
    path = folder / "modules.parquet"
    frame = pl.read_parquet(path)
    frame.reverse().write_parquet(path)
    sign(folder)
    refused(folder, "modules.parquet: ")
    frame.with_columns(score=pl.lit(np.nan)).write_parquet(path)
    sign(folder)
    refused(folder, "modules.parquet: ")
