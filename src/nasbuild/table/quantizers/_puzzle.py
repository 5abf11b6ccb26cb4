"""Replaced blocks of NVIDIA's Puzzle: what was measured of each replacement alone, by parts of a block.

Read are ``replacement_metrics_and_stats.json``, and the folder of validations with ``teacher.json`` and ``solution_*.json``.
Bercovich et al., "Puzzle: Distillation-Based NAS for Inference-Optimized LLMs", 2024.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nasbuild.errors import TableError
from nasbuild.table._rows import shown
from nasbuild.table._table import Note
from nasbuild.table.quantizers._assigned import Assigned, AssignedRow, Rule

TEACHER = "teacher.json"
_ATTENTION, _FFN = "attention", "ffn"
_PLACES = {"mla": _ATTENTION, "mamba": _ATTENTION, "moe": _FFN}
"""What stands in place of attention or of the feed-forward part."""
_REPEATED = "one_minus_"


def replacement_metrics(path: Path, data: object) -> Assigned | None:
    """Rows of ``replacement_metrics_and_stats.json``: each replacement alone, and the teacher; None if it is another file.

    Raises
    ------
    TableError
        If a replacement stands for several blocks, or a block of the teacher is missing.
    """
    if not isinstance(data, Mapping) or not data:
        return None
    entries = list(data.items())
    if not all(
        isinstance(e, Mapping) and "block_config" in e and isinstance(e.get("metrics"), Mapping)
        for _, e in entries
    ):
        return None
    teacher: dict[str, str] = {}
    costs: dict[str, dict[str, dict[str, float]]] = {}
    rows, whole = [], dict[str, float]()
    for key, entry in entries:
        where = f"{path}, {key}"
        parts = _parts(entry["block_config"], _block(entry, where), where)
        _add_costs(costs, entry.get("stats"), parts)
        if entry.get("is_teacher"):
            teacher |= parts
            whole = _metrics(entry["metrics"])
        else:
            rows.append((where, key, parts, _metrics(entry["metrics"])))
    missing = next((part for _, _, parts, _ in rows for part in parts if part not in teacher), None)
    if missing is not None:
        raise TableError(f"the teacher's {missing} is missing", where=str(path))
    found = [AssignedRow(str(path), "teacher", (), teacher, whole)]
    found += [_changed(where, key, parts, teacher, metrics) for where, key, parts, metrics in rows]
    return _assigned(str(path), found, teacher, costs)


def validation_folder(folder: Path, files: Mapping[Path, object]) -> Assigned | None:
    """Rows of ``solution_*.json`` and ``teacher.json``; None if the folder has no solutions.

    A block of the teacher is that of most solutions, as each of them replaces one.

    Raises
    ------
    TableError
        If a file has no list of all blocks.
    """
    solutions = {
        p: d
        for p, d in files.items()
        if isinstance(d, Mapping) and isinstance(d.get("puzzle_solution"), Mapping)
    }
    if not solutions:
        return None
    rows = []
    for path, data in solutions.items():
        solution = data["puzzle_solution"]  # pyright: ignore[reportIndexIssue]
        blocks = solution.get("block_configs")
        if not isinstance(blocks, list):
            raise TableError("does not list all blocks (block_configs)", where=f"{path}, puzzle_solution")
        parts: dict[str, str] = {}
        for n, block in enumerate(blocks):
            parts |= _parts(block, n, f"{path}, block_configs, {n}")
        rows.append((path, parts, _averages(data)))
    seen: dict[str, Counter[str]] = {}
    for _, parts, _ in rows:
        for part, choice in parts.items():
            seen.setdefault(part, Counter())[choice] += 1
    teacher = {part: counts.most_common(1)[0][0] for part, counts in seen.items()}
    found = [AssignedRow(str(path), path.stem, (), parts, metrics) for path, parts, metrics in rows]
    if (alone := files.get(folder / TEACHER)) is not None:
        found.insert(0, AssignedRow(str(folder / TEACHER), "teacher", (), teacher, _averages(alone)))
    return _assigned(str(folder), found, teacher, {})


def refuse_library(path: Path, data: object) -> None:
    """Raise where the file lists replacements of blocks without any score."""
    entries = data.get("entries") if isinstance(data, Mapping) else data
    if (
        isinstance(entries, list)
        and entries
        and all(isinstance(e, Mapping) and "child_block_configs" in e for e in entries)
    ):
        raise TableError(
            "lists which replacements there are, but no score of them",
            where=str(path),
            todo="give replacement_metrics_and_stats.json, or the folder of validations with teacher.json and solution_*.json",
        )


def _assigned(
    where: str,
    rows: list[AssignedRow],
    teacher: dict[str, str],
    costs: dict[str, dict[str, dict[str, float]]],
) -> Assigned:
    notes = []
    if costs:
        text = (
            f"{', '.join(costs)}: sums over blocks, without embeddings and head, which the file does not have"
        )
        notes.append(Note("read", text))
    return Assigned(where, rows, teacher, costs=costs, notes=notes)


def _changed(
    where: str, name: str, parts: dict[str, str], teacher: dict[str, str], metrics: dict[str, float]
) -> AssignedRow:
    rules = tuple(Rule(part, choice) for part, choice in parts.items() if teacher[part] != choice)
    return AssignedRow(where, name, rules, teacher, metrics)


def _block(entry: Mapping[str, Any], where: str) -> int:
    blocks = entry.get("parent_layer_indices", [entry.get("block_idx")])
    if not isinstance(blocks, list) or len(blocks) != 1 or not isinstance(blocks[0], int):
        raise TableError(f"replaces blocks {shown(blocks)}", where=where, allowed="one block")
    return blocks[0]


def _parts(config: object, block: int, where: str) -> dict[str, str]:
    """The choice of each part of a block: ``{"block_3.attention": "num_kv_heads=4", ...}``."""
    if not isinstance(config, Mapping):
        raise TableError(f"block_config is {shown(config)}, not an object", where=where)
    if config.get("parallel_blocks"):
        raise TableError("has parallel blocks, which are not read", where=where)
    listed = config.get("subblock_configs")
    if isinstance(listed, list):
        subblocks = [(str(one.get("kind")), one) for one in listed if isinstance(one, Mapping)]
    else:
        subblocks = [
            (kind, config[kind]) for kind in (_ATTENTION, _FFN) if isinstance(config.get(kind), Mapping)
        ]
    if not subblocks:
        raise TableError(
            "block_config has no parts", where=where, allowed="attention and ffn, or subblock_configs"
        )
    found: dict[str, str] = {}
    for kind, one in subblocks:
        place = _PLACES.get(kind, kind)
        name = f"block_{block}.{place}"
        number = 2
        while name in found:
            name, number = f"block_{block}.{place}_{number}", number + 1
        found[name] = _text(kind if kind != place else "", one)
    return found


def _text(kind: str, config: Mapping[str, Any]) -> str:
    if config.get("no_op"):
        return "no_op"
    given = {
        k: v for k, v in _flat(config).items() if k not in ("kind", "name") and v not in (None, False, [], {})
    }
    return ", ".join([*([kind] if kind else []), *(f"{k}={v}" for k, v in given.items())]) or "as it is"


def _flat(config: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{before}{key}.")
        else:
            found[f"{before}{key}"] = value
    return found


def _averages(data: object) -> dict[str, float]:
    assert isinstance(data, Mapping)
    return _metrics({k: v["avg"] for k, v in data.items() if isinstance(v, Mapping) and "avg" in v})


def _metrics(data: Mapping[str, Any]) -> dict[str, float]:
    return {
        name: float(value)
        for name, value in data.items()
        if isinstance(value, int | float) and not name.startswith(_REPEATED)
    }


def _add_costs(
    costs: dict[str, dict[str, dict[str, float]]], stats: object, parts: Mapping[str, str]
) -> None:
    """Numbers that Puzzle adds up over attention and feed-forward parts."""
    if not isinstance(stats, Mapping):
        return
    for name, value in stats.items():
        own = {part: stats.get(f"{part.rpartition('.')[2]}_{name}") for part in parts}
        if isinstance(value, int | float) and all(isinstance(v, int | float) for v in own.values()):
            for part, choice in parts.items():
                costs.setdefault(name, {}).setdefault(part, {})[choice] = float(own[part])  # pyright: ignore[reportArgumentType]
