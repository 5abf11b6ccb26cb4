"""What the folder of a fit in a space holds: the table, the model, and the scored modules of every stage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field

from nasbuild._atomic_write import FIT_FILE
from nasbuild.errors import FitError, NasbuildError
from nasbuild.objective import labels, parse_target
from nasbuild.predictor import AnyRecipe
from nasbuild.score._fit import Fit, TargetFit
from nasbuild.score._fit_file import MODEL, FitFile, TargetEntry, TrustEntry
from nasbuild.score._module_rows import modules_from_arrow, modules_to_arrow, write_arrow
from nasbuild.score._proxy import ProxyLabels, proxy_labels
from nasbuild.score._scorer_file import scorers_from_bytes, scorers_to_bytes
from nasbuild.score._stage_scores import StageScores
from nasbuild.score._trust import Trust
from nasbuild.space import Space, space_from_dict, space_to_dict
from nasbuild.table import Table, read_table, write_table

TABLE, MODULES = "table.parquet", "modules.parquet"
WRITTEN = (TABLE, MODEL, MODULES)


class SpaceTargetEntry(TargetEntry):
    """A target, with the number of modules of each stage that were scored."""

    skip_bad: bool
    scored: list[int]


class SpaceFitFile(FitFile[SpaceTargetEntry]):
    """``fit.json`` of a fit in a space."""

    kind: Literal["space"]  # pyright: ignore[reportIncompatibleVariableOverride]: read only
    space: dict[str, Any]
    max_modules: int
    proxies: list[str] = Field(default_factory=list)


def write_space_files(fit: Fit, folder: Path) -> None:
    """Write the table, the model and the scored modules."""
    write_table(_plain(fit.table), folder / TABLE)
    (folder / MODEL).write_bytes(scorers_to_bytes([one.scorer for one in fit.targets]))
    scored = [(one.target.name, stage) for one in fit.targets for stage in one.stages]
    write_arrow(modules_to_arrow(fit.space, scored), folder / MODULES)


def _plain(table: Table) -> Table:
    """The table without the names of the user's own columns, which a fit folder does not depend on."""
    return replace(table, space=replace(table.space, columns=None))


def describe_space_fit(fit: Fit, fields: dict[str, Any]) -> SpaceFitFile:
    """``fit.json``, given the fields that every kind of fit has."""
    targets = [
        SpaceTargetEntry(
            **TargetEntry.fields_of(one),
            skip_bad=bool(one.labels.undefined),
            scored=[stage.scored for stage in one.stages],
        )
        for one in fit.targets
    ]
    return SpaceFitFile(
        **fields,
        targets=targets,
        space=space_to_dict(fit.space),
        max_modules=fit.max_modules,
        proxies=list(fit.proxies),
    )


def read_space_fit(
    folder: Path,
    file: SpaceFitFile,
    contents: dict[str, bytes],
    recipe: AnyRecipe,
    trust: list[TrustEntry[Trust]],
) -> Fit:
    """The fit of a folder, whose files' checksums are right.

    Raises
    ------
    FitError
        If the files do not belong together, or hold what nasbuild did not write.
    """
    try:
        space = space_from_dict(file.space)
        table = replace(read_table(folder / TABLE, replace(space, columns=None)), space=space)
    except (NasbuildError, TypeError) as error:
        raise FitError(f"is damaged ({error})", where=str(folder)) from None
    table = replace(table, notes=file.table.restored_notes())
    if table.digest() != file.table.sha256:
        raise FitError(f"{TABLE} is not the table that the fit was learnt from", where=str(folder))
    if any(len(target.scored) != len(space.stages) for target in file.targets):
        raise FitError("is damaged (it has other stages than its space)", where=str(folder / FIT_FILE))
    stages = _read_modules(folder / MODULES, contents[MODULES], space, file)
    found = []
    for entry in file.targets:
        try:
            target = parse_target(entry.name, table)
            found.append((target, labels(target, table, skip_bad=True)))
        except NasbuildError as error:
            raise FitError(f"is damaged ({error})", where=str(folder / FIT_FILE)) from None
    problems = [(tuple(table.architectures[i] for i in label.rows), label.values) for _, label in found]
    try:
        proxies = proxy_labels(file.proxies, table, [label for _, label in found])
    except NasbuildError as error:
        raise FitError(f"is damaged ({error})", where=str(folder / FIT_FILE)) from None
    used = [_used_proxy(one.trust, proxies) for one in trust]
    scorers = scorers_from_bytes(contents[MODEL], space, recipe, problems, str(folder / MODEL), used)
    target_fits = []
    for (target, label), scorer, entry in zip(found, scorers, trust, strict=True):
        scored = tuple(stages[target.name, u] for u in range(len(space.stages)))
        scorer = scorer.with_limits(target.limits)
        target_fits.append(TargetFit(target, label, scorer, scored, entry.features, entry.trust))
    return Fit(
        table, recipe, file.seed, tuple(target_fits), file.max_modules, file.versions, tuple(file.proxies)
    )


def _used_proxy(trust: Trust, proxies: Sequence[ProxyLabels]) -> ProxyLabels | None:
    """The proxy that the fit of a target uses; None without one."""
    names = {one.proxy for one in trust.proxies if one.used}
    return next((proxy for proxy in proxies if proxy.name in names), None)


def _read_modules(
    path: Path, data: bytes, space: Space, file: SpaceFitFile
) -> dict[tuple[str, int], StageScores]:
    scored = {(t.name, u): n for t in file.targets for u, n in enumerate(t.scored)}
    try:
        rows = pq.read_table(pa.BufferReader(data))
    except (pa.ArrowException, OSError) as error:
        raise FitError(f"can't be read ({str(error).splitlines()[0]})", where=str(path)) from None
    return modules_from_arrow(space, rows, scored, str(path))
