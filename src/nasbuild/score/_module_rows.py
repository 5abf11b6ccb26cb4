"""Module rows: ``{"target", "stage", "module", "score", "std"}``, as columns and as files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from nasbuild.errors import FitError
from nasbuild.score._stage_scores import StageScores
from nasbuild.space import ABSENT, Feature, Space, choice_text, count_modules

COLUMNS = ("target", "stage", "module", "score", "std")


def modules_to_arrow(space: Space, scored: Iterable[tuple[str, StageScores]]) -> pa.Table:
    """Scores of stages of targets as an Arrow table; a module is a list of ``{feature: choice}``."""
    parts = [_part(space, target, scores) for target, scores in scored]
    return pa.concat_tables(parts).combine_chunks()


def modules_from_arrow(
    space: Space, rows: pa.Table, scored: dict[tuple[str, int], int], where: str
) -> dict[tuple[str, int], StageScores]:
    """The scores by target and stage; ``scored`` says how many modules of each were scored.

    Raises
    ------
    FitError
        If the table is not one of this space.
    """
    try:
        if rows.schema != _schema(space):
            raise FitError("has other columns than its fit", where=where)
        rows = rows.combine_chunks()
        targets = rows["target"].to_pylist()
        stages = rows["stage"].to_numpy()
        found = {}
        for target, u in scored:
            # Compared in Python, as NumPy ignores trailing zero bytes of texts.
            own = np.fromiter((name == target for name in targets), dtype=bool, count=len(targets))
            part = rows.filter(pa.array(own & (stages == u)))
            found[target, u] = _stage_scores(space, u, part, scored[target, u])
    except (pa.ArrowException, KeyError, IndexError, TypeError, ValueError) as error:
        raise FitError(f"is damaged ({str(error).splitlines()[0]})", where=where) from None
    if sum(map(len, found.values())) != rows.num_rows:
        raise FitError("has rows of other targets or stages than its fit", where=where)
    return found


def module_rows(
    space: Space, target: str, scores: StageScores, ranks: Sequence[int] | np.ndarray
) -> Iterator[dict[str, Any]]:
    """Module rows of the given positions, as plain data.

    Examples
    --------
    >>> from nasbuild.score import module_rows
    >>> [row] = module_rows(space, "acc", acc.stages[0], acc.best(0, 1))
    >>> list(row), row["module"]
    (['target', 'stage', 'module', 'score', 'std'], [{'op': 'mb_e6_k5'}, {'op': 'mb_e6_k5'}])
    """
    for rank in ranks:
        yield {
            "target": target,
            "stage": scores.stage,
            "module": space.stages[scores.stage].as_dicts(scores.module(space, int(rank))),
            "score": float(scores.score[rank]),
            "std": float(scores.std[rank]),
        }


def write_arrow(table: pa.Table, path: Path) -> None:
    pq.write_table(table, path, compression="zstd")


def _features(space: Space) -> dict[str, Feature]:
    return {f.name: f for stage in space.stages for f in stage.features}


def _arrow_type(space: Space, name: str) -> pa.DataType:
    features = [f for stage in space.stages for f in stage.features if f.name == name]
    choices: list[Any] = [c for f in features for c in f.present]
    if isinstance(choices[0], str) or not all(f.uniform for f in features):
        return pa.string()
    if isinstance(choices[0], bool):
        return pa.bool_()
    return pa.int64() if all(isinstance(c, int) and abs(c) < 2**63 for c in choices) else pa.float64()


def _array(feature: Feature, kind: pa.DataType) -> pa.Array:
    """The choices in a column's type, texts of several types as in tables; an absent feature is null."""
    texts = kind == pa.string()
    return pa.array(
        [None if c is ABSENT else choice_text(feature, c) if texts else c for c in feature.choices], kind
    )


def _schema(space: Space) -> pa.Schema:
    features = [(name, _arrow_type(space, name)) for name in _features(space)]
    # Parquet has no structs without fields.
    layer = pa.struct(features) if features else pa.null()
    fields = zip(COLUMNS, (pa.string(), pa.int64(), pa.list_(layer), pa.float64(), pa.float64()), strict=True)
    return pa.schema(list(fields))


def _part(space: Space, target: str, scores: StageScores) -> pa.Table:
    stage = space.stages[scores.stage]
    features = {f.name: (position, f) for position, f in enumerate(stage.features)}
    columns = []
    for name in _features(space):
        kind = _arrow_type(space, name)
        if name in features:
            position, feature = features[name]
            columns.append(_array(feature, kind).take(pa.array(scores.layers[:, position])))
        else:
            columns.append(pa.nulls(len(scores.layers), kind))
    if columns:
        layers = pa.StructArray.from_arrays(columns, names=list(_features(space)))
    else:
        layers = pa.nulls(len(scores.layers))
    modules = pa.ListArray.from_arrays(pa.array(scores.offsets, pa.int32()), layers)
    n = len(scores)
    arrays = [pa.array([target] * n, pa.string()), pa.array(np.full(n, scores.stage)), modules]
    return pa.Table.from_arrays(
        [*arrays, pa.array(scores.score), pa.array(scores.std)], schema=_schema(space)
    )


def _stage_scores(space: Space, u: int, part: pa.Table, scored: int) -> StageScores:
    stage, total = space.stages[u], count_modules(space.stages[u])
    modules = part["module"].combine_chunks() if part["module"].num_chunks != 1 else part["module"].chunk(0)
    if modules.null_count or part["score"].null_count or part["std"].null_count:
        raise ValueError(f"an empty field in stage {u}")
    offsets = modules.offsets.to_numpy().astype(np.int64)
    flat = modules.flatten()
    layers = np.empty((len(flat), len(stage.features)), dtype=np.int16)
    for position, feature in enumerate(stage.features):
        kind = _arrow_type(space, feature.name)
        index = pc.index_in(  # pyright: ignore[reportAttributeAccessIssue]
            flat.field(feature.name), _array(feature, kind)
        )
        if index.null_count:
            raise ValueError(f"no choice of {feature.name} in stage {u}")
        layers[:, position] = index.to_numpy()
    score, std = part["score"].to_numpy(), part["std"].to_numpy()
    offsets -= offsets[0]
    if not np.isin(np.diff(offsets), stage.depths).all():
        raise ValueError(f"a number of layers that stage {u} can't have")
    # A search keeps only some of the modules that it scored; without a search, all must be there.
    if not 0 < len(score) <= scored <= total or (scored == total > len(score)):
        raise ValueError(f"{len(score)} modules of stage {u}, {scored} were scored and it has {total}")
    if not (np.isfinite(score).all() and np.isfinite(std).all() and (np.diff(score) <= 0).all()):
        raise ValueError(f"scores of stage {u} that are out of order or no numbers")
    return StageScores(u, layers, offsets, score, std, scored, total)
