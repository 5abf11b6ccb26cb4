"""Settings files: parsed, or an error that names the file, the key and the allowed values."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt

from nasbuild._settings_file import read_settings
from nasbuild.errors import NasbuildError

NAMES = "family, weights, rate, batch, workers, fast"


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid")

    family: Literal["small", "large"]
    weights: Path
    rate: PositiveFloat = 0.5
    batch: PositiveInt = 100
    workers: int | None = Field(default=None, ge=0, le=8)
    fast: bool = False


@pytest.mark.parametrize(
    "text",
    [
        "family: small\nweights: w.bin\nbatch: 7\nrate: 1e-3\nfast: true\n",
        '{"family": "small", "weights": "w.bin", "batch": 7, "rate": 0.001, "fast": true}',
    ],
)
def test_settings_are_parsed_from_yaml_and_json(tmp_path, text):
    (tmp_path / "f.yaml").write_text(text)
    settings = read_settings(tmp_path / "f.yaml", Settings)
    assert settings == Settings(family="small", weights=Path("w.bin"), batch=7, rate=0.001, fast=True)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", f": holds no settings; allowed: {NAMES}"),
        ("# nothing\n", f": holds no settings; allowed: {NAMES}"),
        ("- family\n", f": holds a list instead of settings such as 'family: ...'; allowed: {NAMES}"),
        ("small", f": holds 'small' instead of settings such as 'family: ...'; allowed: {NAMES}"),
        ("{broken", ", line 1: is not valid YAML (expected ',' or '}', but got '<stream end>')"),
        ("family: small\nfamily: small", ", line 2: is not valid YAML (key 'family' appears twice)"),
        # A mistyped key is named, not the key that is therefore missing.
        ("famly: small", f": unknown key 'famly'; allowed: {NAMES}; did you mean family?"),
        ("family: small\nweights: w\n7: 8", f": unknown key 7; allowed: {NAMES}"),
        ("family: small", ": weights is missing; allowed: paths"),
        ("family: huge\nweights: w", ": family is 'huge'; allowed: small, large"),
        ("family: small\nweights: 5", ": weights is 5; allowed: paths"),
        ("family: small\nweights: [w]", ": weights is a list; allowed: paths"),
        ("family: small\nweights: w\nbatch: many", ": batch is 'many'; allowed: whole numbers above 0"),
        ("family: small\nweights: w\nbatch: 2.5", ": batch is 2.5; allowed: whole numbers above 0"),
        ("family: small\nweights: w\nbatch: -3", ": batch is -3; allowed: whole numbers above 0"),
        ("family: small\nweights: w\nbatch: true", ": batch is true; allowed: whole numbers above 0"),
        ("family: small\nweights: w\nbatch:", ": batch is null; allowed: whole numbers above 0"),
        ("family: small\nweights: w\nrate: .nan", ": rate is NaN; allowed: numbers above 0"),
        ("family: small\nweights: w\nrate: .inf", ": rate is Infinity; allowed: numbers above 0"),
        ("family: small\nweights: w\nrate: {a: 1}", ": rate is a mapping; allowed: numbers above 0"),
        (
            "family: small\nweights: w\nworkers: 9",
            ": workers is 9; allowed: whole numbers from 0 and up to 8, null",
        ),
        ("family: small\nweights: w\nfast: maybe", ": fast is 'maybe'; allowed: true, false"),
        (f"family: {'x' * 5000}\nweights: w", f": family is '{'x' * 59}...; allowed: small, large"),
    ],
)
def test_an_error_names_the_allowed_values(tmp_path, text, sentence):
    path = tmp_path / "f.yaml"
    path.write_text(text)
    with pytest.raises(NasbuildError) as caught:
        read_settings(path, Settings)
    assert str(caught.value) == f"{path}{sentence}"


def test_huge_files_are_not_read(tmp_path, monkeypatch):
    monkeypatch.setenv("NASBUILD_MAX_BYTES", "64k")
    path = tmp_path / "f.yaml"
    path.write_text("family: small\nweights: w\n" + "# more\n" * 9000)
    assert read_settings(path, Settings).family == "small"
    path.write_text("family: small\nweights: w\n" + "# more\n" * 9400)
    with pytest.raises(
        NasbuildError, match="is longer than 65,536 bytes; raise the limit with nasbuild --max"
    ):
        read_settings(path, Settings)
