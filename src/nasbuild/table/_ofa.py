"""Once-for-all configurations: ``ks`` and ``e`` for every layer slot, ``d`` for every stage, ``r`` for the input.

The form is that of ``set_active_subnet`` in the once-for-all networks (Cai et al., ICLR 2020): every
stage has as many slots as its deepest module has layers, and those past its depth are not used.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nasbuild.errors import TableError
from nasbuild.space import Space
from nasbuild.table._rows import RawRow

_KEYS = ("ks", "e", "d")
_RESOLUTION = "resolution"


def is_ofa(row: Mapping[str, Any]) -> bool:
    """Whether a row, or its ``arch``, is a once-for-all configuration."""
    arch = row.get("arch", row)
    return isinstance(arch, Mapping) and all(key in arch for key in _KEYS)


def ofa_to_arch(space: Space, config: Mapping[str, Any], where: str = "configuration") -> dict[str, Any]:
    """The architecture of a configuration, as in ``archs.jsonl``.

    Raises
    ------
    TableError
        If a list has the wrong length, or the space has other features than ``expand`` and ``kernel``.
    """
    slots = [max(stage.depths) for stage in space.layered]
    for stage in space.layered:
        if {f.name for f in stage.features} != {"expand", "kernel"}:
            raise TableError(f"{space.name} has other features than expand and kernel", where=where)
    kernels = _listed(config, "ks", sum(slots), where)
    expands = _listed(config, "e", sum(slots), where)
    depths = _depths(config["d"], space, slots, where)
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
    """Reads configurations one after the other; the resolution may differ only if the space has it."""

    def __init__(self, space: Space) -> None:
        self._space = space
        self._seen: object = None

    def row(self, where: str, data: Mapping[str, Any]) -> RawRow:
        config = data.get("arch", data)
        arch = ofa_to_arch(self._space, config, where)
        resolution = _resolution(config)
        if not _has_resolution(self._space) and resolution is not None:
            if self._seen not in (None, resolution):
                raise TableError(
                    f"resolution {resolution} differs from {self._seen} in earlier rows",
                    where=where,
                    todo=f"add globals: {{{_RESOLUTION}: [...]}} to the space, or give one table a resolution",
                )
            self._seen = resolution
        metrics = data.get("metrics")
        if metrics is None:
            # Plain rows carry their metrics beside the configuration.
            metrics = {k: v for k, v in data.items() if k not in (*_KEYS, "r", "id", "arch", "wid", "w")}
        if not isinstance(metrics, Mapping):
            raise TableError("'metrics' is no object of numbers", where=where)
        return RawRow(where, data.get("id"), arch, metrics)


def _has_resolution(space: Space) -> bool:
    return space.globals is not None and [f.name for f in space.globals.features] == [_RESOLUTION]


def _resolution(config: Mapping[str, Any]) -> Any:
    r = config.get("r")
    return r[0] if isinstance(r, list) and len(r) == 1 else r


def _listed(config: Mapping[str, Any], key: str, length: int, where: str) -> list[Any]:
    values = config[key]
    if not isinstance(values, list) or len(values) != length:
        found = f"{len(values)} values" if isinstance(values, list) else repr(values)
        raise TableError(f"{key} has {found}, the space has {length} layer slots", where=where)
    return values


def _depths(values: object, space: Space, slots: list[int], where: str) -> list[int]:
    if isinstance(values, list) and len(values) == len(slots) - 1 and len(space.layered[-1].depths) == 1:
        values = [*values, slots[-1]]  # a last stage of one depth is often left out
    if not isinstance(values, list) or len(values) != len(slots) or any(type(v) is not int or v < 1 for v in values):
        raise TableError(f"d is {values!r}, the space has {len(slots)} stages", where=where)
    return [min(depth, slot) for depth, slot in zip(values, slots, strict=True)]
