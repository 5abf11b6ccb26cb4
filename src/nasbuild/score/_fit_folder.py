"""Fit folders: written whole or not at all, read with suspicion. They hold plain data; nothing in them can execute."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, cast, overload

from nasbuild._atomic_write import FIT_FILE, writing_folder
from nasbuild.errors import FitError, NasbuildError
from nasbuild.predictor import AnyRecipe, recipe_from_dict, recipe_kind
from nasbuild.score import _space_fit_files as space_files
from nasbuild.score._fit import Fit
from nasbuild.score._fit_file import (
    TRUST,
    FitFile,
    TrustEntry,
    TrustFile,
    checked_bytes,
    parse_fit_file,
    read_fit_data,
    read_trust,
    sha256,
)
from nasbuild.score._trust import Trust
from nasbuild.score.graphs import _graph_fit_files as graph_files
from nasbuild.score.graphs._graph_fit import GraphFit
from nasbuild.score.graphs._graph_trust import GraphTrust

Kind = Literal["space", "graphs"]


@dataclass(frozen=True)
class _Form:
    """What one kind of fit keeps in its folder.

    Attributes
    ----------
    written
        Names of its files, besides ``fit.json`` and ``trust.json``.
    write
        Writes them into a folder.
    describe
        ``fit.json`` of a fit, from the fields that both kinds have.
    read
        The fit, from a folder, ``fit.json``, contents of files by name, the recipe, and the trust of each target.
    """

    file: type[FitFile[Any]]
    trust: type[TrustFile[Any]]
    written: tuple[str, ...]
    write: Callable[[Any, Path], None]
    describe: Callable[[Any, dict[str, Any]], FitFile[Any]]
    read: Callable[[Path, Any, dict[str, bytes], AnyRecipe, list[TrustEntry[Any]]], Fit | GraphFit]


_FORMS: dict[str, _Form] = {
    Fit.kind: _Form(
        space_files.SpaceFitFile,
        TrustFile[Trust],
        space_files.WRITTEN,
        space_files.write_space_files,
        space_files.describe_space_fit,
        space_files.read_space_fit,
    ),
    GraphFit.kind: _Form(
        graph_files.GraphFitFile,
        TrustFile[GraphTrust],
        graph_files.WRITTEN,
        graph_files.write_graph_files,
        graph_files.describe_graph_fit,
        graph_files.read_graph_fit,
    ),
}


def save_fit(fit: Fit | GraphFit, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Write a fit folder; nothing stays behind if it can't be written whole.

    Raises
    ------
    OutputError
        If the folder exists (unless ``overwrite`` and it is a fit folder), or can't be written.

    Examples
    --------
    >>> from nasbuild.score import save_fit
    >>> from pathlib import Path
    >>> save_fit(fit, "fit")
    >>> (Path("fit") / score.FIT_FILE).is_file()
    True
    >>> save_fit(fit, "fit")
    Traceback (most recent call last):
        ...
    nasbuild.errors.OutputError: fit: already exists; choose another place, or pass --overwrite
    """
    form = _FORMS[fit.kind]
    with writing_folder(path, overwrite=overwrite) as folder:
        form.write(fit, folder)
        trust = [
            {
                "target": one.target.name,
                "trust": asdict(one.trust),
                "features": [asdict(f) for f in one.features],
            }
            for one in fit.targets
        ]
        (folder / TRUST).write_text(json.dumps({"targets": trust}, indent=1) + "\n", encoding="utf-8")
        files = {name: sha256((folder / name).read_bytes()) for name in (*form.written, TRUST)}
        file = form.describe(fit, FitFile.fields_of(fit, recipe_kind(fit.recipe), files))
        # Last, so that a folder with a fit.json is a whole one.
        (folder / FIT_FILE).write_text(file.model_dump_json(indent=1) + "\n", encoding="utf-8")


@overload
def load_fit(path: str | os.PathLike[str]) -> Fit | GraphFit: ...
@overload
def load_fit(path: str | os.PathLike[str], kind: Literal["space"]) -> Fit: ...
@overload
def load_fit(path: str | os.PathLike[str], kind: Literal["graphs"]) -> GraphFit: ...
def load_fit(path: str | os.PathLike[str], kind: Kind | None = None) -> Fit | GraphFit:
    """Read a fit folder; scores, predictions and weights are equal to the bit.

    Parameters
    ----------
    kind
        The kind of fit that is needed: ``"space"``, learnt in a space, or ``"graphs"``, learnt from networks as
        graphs of operations. None takes either.

    Returns
    -------
    Fit or GraphFit
        Whichever the folder holds.

    Raises
    ------
    FitError
        If it is missing, foreign, damaged, of another kind than needed, or of an older or newer version.

    Examples
    --------
    >>> from nasbuild.score import load_fit, save_fit
    >>> save_fit(fit, "fit")
    >>> loaded = load_fit("fit")
    >>> np.array_equal(loaded["acc"].stages[0].score, acc.stages[0].score)
    True
    >>> load_fit("elsewhere")
    Traceback (most recent call last):
        ...
    nasbuild.errors.FitError: elsewhere: is no fit folder (it has no fit.json); make one with nasbuild fit
    """
    folder = Path(path)
    data = read_fit_data(folder)
    found = data.get("kind")
    form = _FORMS.get(found) if isinstance(found, str) else None
    if form is None:
        raise FitError(
            f"is no {FIT_FILE} that nasbuild wrote (kind)", where=str(folder / FIT_FILE), allowed=_FORMS
        )
    if kind is not None and found != kind:
        raise _other_kind(folder, cast(Kind, found))
    file = parse_fit_file(folder / FIT_FILE, data, form.file)
    contents = checked_bytes(folder, (*form.written, TRUST), file)
    try:
        recipe = recipe_from_dict(file.method, file.recipe)
    except (NasbuildError, TypeError) as error:
        raise FitError(f"is damaged ({error})", where=str(folder)) from None
    trust = read_trust(folder / TRUST, contents[TRUST], file, form.trust)
    return form.read(folder, file, contents, recipe, trust)


def _other_kind(folder: Path, found: Kind) -> FitError:
    if found == "graphs":
        return FitError(
            "is a fit of networks without a space, which has no stages and modules",
            where=str(folder),
            allowed="nasbuild explain, predict --graphs, compare and report",
            todo="or fit a table with --space",
        )
    return FitError(
        "is a fit of architectures in a space, and this needs one of networks as graphs",
        where=str(folder),
        todo="see nasbuild explain and predict for it, or fit networks with --graphs",
    )
