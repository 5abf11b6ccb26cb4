"""Once-for-all configurations: ``ks`` and ``e`` for every layer slot, ``d`` for every stage, ``r`` for input.

The form is that of ``set_active_subnet`` in the once-for-all networks (Cai et al., ICLR 2020). Every
stage has as many slots as its deepest module has layers. Slots beyond its depth are not used.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nasbuild.errors import SpaceError, TableError
from nasbuild.space import Space, parse_architecture
from nasbuild.table._rows import RawRow, metrics_of, shown

_KEYS = ("ks", "e", "d")
# Parts of a configuration that are fixed in a space: its input size and its width multiplier.
_OTHER_KEYS = ("r", "w", "wid")
_RESOLUTION = "resolution"


def is_ofa(row: Mapping[str, Any]) -> bool:
    """Whether a row, or its ``arch``, is a once-for-all configuration, even if parts are missing."""
    arch = row.get("arch", row)
    return isinstance(arch, Mapping) and "stages" not in arch and any(key in arch for key in _KEYS)


def ofa_to_arch(space: Space, config: Mapping[str, Any], where: str = "configuration") -> dict[str, Any]:
    """The architecture of a configuration, as in ``archs.jsonl``.

    Parameters
    ----------
    where
        Where the configuration stands, for messages.

    Raises
    ------
    TableError
        If a list is missing or has the wrong length, a depth is not one of the stage's, or the space has
        other features than ``expand`` and ``kernel``.

    Examples
    --------
    >>> from nasbuild.space import space_from_yaml
    >>> from nasbuild.table import ofa_to_arch
    >>> space = space_from_yaml(
    ...     "{name: tiny, stages: [{depth: [1, 2], features: {expand: [3, 6], kernel: [3, 5]}}]}"
    ... )
    >>> ofa_to_arch(space, {"ks": [3, 5], "e": [6, 3], "d": [1]})
    {'stages': [[{'expand': 6, 'kernel': 3}]]}
    """
    for stage in space.layered:
        if {f.name for f in stage.features} != {"expand", "kernel"}:
            raise TableError(
                f"once-for-all configurations need layers of expand and kernel, {stage.name} has others",
                where=where,
                allowed=(f.name for f in stage.features),
            )
    slots = [max(stage.depths) for stage in space.layered]
    kernels = _listed(config, "ks", sum(slots), where)
    expands = _listed(config, "e", sum(slots), where)
    depths = _depths(config, space, where)
    stages, start = [], 0
    for slot, depth in zip(slots, depths, strict=True):
        pairs = zip(expands[start : start + depth], kernels[start : start + depth], strict=True)
        stages.append([{"expand": e, "kernel": k} for e, k in pairs])
        start += slot
    arch: dict[str, Any] = {"stages": stages}
    if _has_resolution(space):
        arch["globals"] = {_RESOLUTION: _resolution(config)}
    return arch


class OfaReader:
    """Reads configurations in turn; resolutions may differ only if the space has this feature."""

    def __init__(self, space: Space) -> None:
        self._space = space
        self._seen: Any = None

    def row(self, where: str, data: Mapping[str, Any]) -> RawRow:
        """The raw row of a configuration, whose metrics are in ``metrics`` or beside it."""
        config = data.get("arch", data)
        arch = ofa_to_arch(self._space, config, where)
        self._check_resolution(config, arch, where)
        if "metrics" in data:
            own = {*_KEYS, *_OTHER_KEYS} if config is data else {"arch"}
            ignored = tuple(key for key in data if key not in {"id", "metrics", *own})
            return RawRow(where, data.get("id"), arch, metrics_of(where, data["metrics"]), ignored)
        metrics = {k: v for k, v in data.items() if k not in {*_KEYS, *_OTHER_KEYS, "id", "arch"}}
        return RawRow(where, data.get("id"), arch, metrics)

    def _check_resolution(self, config: Mapping[str, Any], arch: object, where: str) -> None:
        resolution = _resolution(config)
        if _has_resolution(self._space) or resolution is None:
            return
        if self._seen is None:
            # A bad row must not set the resolution that others are compared with.
            try:
                parse_architecture(self._space, arch)
            except SpaceError:
                return
            self._seen = resolution
        if resolution != self._seen:
            raise TableError(
                f"resolution {shown(resolution)} differs from {shown(self._seen)} in earlier rows",
                where=f"{where}, r",
                todo=f"add globals: {{{_RESOLUTION}: [...]}} to the space, or give one table a resolution",
            )


def _has_resolution(space: Space) -> bool:
    return space.globals is not None and [f.name for f in space.globals.features] == [_RESOLUTION]


def _resolution(config: Mapping[str, Any]) -> Any:
    r = config.get("r")
    return r[0] if isinstance(r, list) and len(r) == 1 else r


def _listed(config: Mapping[str, Any], key: str, length: int, where: str) -> list[Any]:
    if key not in config:
        raise TableError(f"{key} is missing", where=where, allowed=_KEYS)
    values = config[key]
    if not isinstance(values, list) or len(values) != length:
        found = f"has {len(values)} values" if isinstance(values, list) else f"is {shown(values)}"
        raise TableError(f"{key} {found}, the space has {length} layer slots", where=f"{where}, {key}")
    return values


def _depths(config: Mapping[str, Any], space: Space, where: str) -> list[int]:
    stages = space.layered
    # A last stage of fixed depth is often left out.
    lengths = [len(stages) - 1, len(stages)] if len(stages[-1].depths) == 1 else [len(stages)]
    values = config.get("d")
    if not isinstance(values, list) or len(values) not in lengths:
        found = "is missing" if "d" not in config else f"is {shown(values)}"
        raise TableError(f"d {found}, the space has {len(stages)} stages", where=f"{where}, d")
    depths = []
    for u, stage in enumerate(stages):
        depth = values[u] if u < len(values) else max(stage.depths)
        if isinstance(depth, bool) or not isinstance(depth, int) or depth < 1:
            raise TableError(f"{shown(depth)} is not a depth", where=f"{where}, d[{u}] ({stage.name})")
        # Configurations give stages of fixed depth any depth; it is cut to theirs.
        fixed = len(stage.depths) == 1
        if not fixed and depth not in stage.depths:
            raise TableError(
                f"{stage.name} has {depth} layers", where=f"{where}, d[{u}]", allowed=stage.depths
            )
        depths.append(min(depth, stage.depths[0]) if fixed else depth)
    return depths
