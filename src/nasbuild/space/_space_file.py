"""``space.yaml`` and the built-in spaces: loads, saves, and converts to plain data."""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path
from typing import Any

from nasbuild._atomic_write import write_text
from nasbuild._registry import load_registered, registered
from nasbuild._text_input import STANDARD_INPUT, reading
from nasbuild._yaml import plain_from_yaml, yaml_from_plain
from nasbuild.errors import SpaceError
from nasbuild.space._choice import ABSENT, plain_choice
from nasbuild.space._choice_attributes import attributes_to_dict
from nasbuild.space._columns import columns_to_dict
from nasbuild.space._declared_costs_file import costs_to_dict
from nasbuild.space._feature import Feature
from nasbuild.space._parse_space import space_from_dict, usual_kind
from nasbuild.space._reference import reference_to_dict, written_reference
from nasbuild.space._space import Metric, Space
from nasbuild.space._stage import GLOBALS, Limit, Stage
from nasbuild.space._tied_features import tied_to_list

_LARGEST_FILE = 16_000_000


def builtin_spaces() -> list[str]:
    """Names of the spaces that come with the package.

    Examples
    --------
    >>> from nasbuild.space import builtin_spaces
    >>> "nas-bench-macro" in builtin_spaces()
    True
    """
    folder = resources.files("nasbuild.space") / "builtin"
    return sorted(
        entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml")
    )


def load_space(source: str | os.PathLike[str]) -> Space:
    """Load a space from a ``space.yaml``, from standard input (``-``), or a built-in one by name.

    A file named like a built-in space is read as ``./name``. Installed packages add spaces by entry
    points of the group ``nasbuild.spaces``. An entry point names a `Space`, the path of a ``space.yaml``,
    or a function that returns either.

    Raises
    ------
    SpaceError
        If the space can't be read; the message names the file and the place in it.

    Examples
    --------
    >>> from nasbuild.space import load_space
    >>> [stage.name for stage in load_space("digits-macro").stages]
    ['stage1', 'stage2', 'stage3']
    """
    if str(source) in builtin_spaces():
        text = (resources.files("nasbuild.space") / "builtin" / f"{source}.yaml").read_text(encoding="utf-8")
        return space_from_yaml(text, where=f"built-in space {source}")
    if str(source) in registered("spaces"):
        where = f"space {source}"
        found = load_registered("spaces", str(source), where=where)
        made = found() if callable(found) else found
        if isinstance(made, Space):
            return made
        if not isinstance(made, str | os.PathLike):
            raise SpaceError(
                f"is registered as a {type(made).__name__}",
                where=where,
                allowed="a Space or the path of its space.yaml",
            )
        source = Path(made)
    path = Path(source)
    if str(path) != STANDARD_INPUT and path.suffix not in (".yaml", ".yml") and not _exists(path):
        raise SpaceError(
            f"there is no file and no built-in space {str(source)!r}",
            allowed=(*builtin_spaces(), *registered("spaces")),
        )
    with reading(path, SpaceError) as stream:
        text = stream.read(_LARGEST_FILE + 1)
    if len(text) > _LARGEST_FILE:
        raise SpaceError(
            f"is larger than {_LARGEST_FILE:,} characters, too long for a space.yaml", where=str(path)
        )
    return space_from_yaml(text, where=str(path))


def save_space(space: Space, path: str | os.PathLike[str]) -> None:
    """Write a ``space.yaml``; `load_space` returns an equal space.

    Raises
    ------
    OutputError
        If the file can't be written; an existing file stays as it was.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from nasbuild.space import load_space, save_space
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "space.yaml")
    ...     save_space(load_space("digits-macro"), path)
    ...     load_space(path) == load_space("digits-macro")
    True
    """
    write_text(path, space_to_yaml(space))


def space_from_yaml(text: str, *, where: str = "space") -> Space:
    """Read a space from the text of a ``space.yaml``.

    Parameters
    ----------
    where
        Name of the text, for messages.

    Raises
    ------
    SpaceError
        Naming ``where``, the place in the text, and what is allowed there.

    Examples
    --------
    >>> from nasbuild.space import space_from_yaml
    >>> space = space_from_yaml("{name: tiny, stages: [{depth: [1, 2], features: {kernel: [3, 5]}}]}")
    >>> space.stages[0].depths
    (1, 2)
    """
    data = plain_from_yaml(text, where=where)
    try:
        return space_from_dict(data)
    except SpaceError as error:
        raise error.at(where) from None


def space_to_yaml(space: Space) -> str:
    """The text of a ``space.yaml``.

    Examples
    --------
    >>> from nasbuild.space import space_from_yaml, space_to_yaml
    >>> space = space_from_yaml("{name: tiny, stages: [{depth: [1, 2], features: {kernel: [3, 5]}}]}")
    >>> print(space_to_yaml(space))
    name: tiny
    stages:
    - name: stage1
      depth: [1, 2]
      features:
        kernel: [3, 5]
    <BLANKLINE>
    """
    return yaml_from_plain(space_to_dict(space))


def space_to_dict(space: Space) -> dict[str, Any]:
    """The plain data of a ``space.yaml``, for YAML or JSON.

    Examples
    --------
    >>> from nasbuild.space import space_from_yaml, space_to_dict
    >>> space = space_from_yaml("{name: tiny, stages: [{depth: [1, 2], features: {kernel: [3, 5]}}]}")
    >>> space_to_dict(space)["stages"]
    [{'name': 'stage1', 'depth': [1, 2], 'features': {'kernel': [3, 5]}}]
    """
    data: dict[str, Any] = {"name": space.name}
    if space.metrics:
        data["metrics"] = {m.name: _metric_entry(m) for m in space.metrics.values()}
    if space.globals is not None:
        data[GLOBALS] = _feature_entries(space.globals)
        if space.globals.limits:
            data["globals_limits"] = [_limit_entry(limit) for limit in space.globals.limits]
        if space.globals.modules is not None:
            data["globals_modules"] = [space.globals.as_dicts(m)[0] for m in space.globals.modules]
    data["stages"] = [_stage_entry(stage) for stage in space.layered]
    if space.costs:
        data["costs"] = costs_to_dict(space.costs, space.metrics)
    if space.tied:
        data["tied"] = tied_to_list(space.tied)
    if space.identity is not None:
        data["identity"] = list(space.identity) or "none"
    if space.columns is not None:
        data["columns"] = columns_to_dict(space.columns)
    reference = written_reference(space)
    if reference is not None:
        data["reference"] = reference_to_dict(space, reference)
    if attributes := attributes_to_dict(space):
        data["attributes"] = attributes
    return data


def _metric_entry(metric: Metric) -> dict[str, Any]:
    ends = {"minimum": metric.minimum, "maximum": metric.maximum}
    entry: dict[str, Any] = {"direction": metric.direction, "unit": metric.unit}
    return entry | {key: end for key, end in ends.items() if end is not None}


def _stage_entry(stage: Stage) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "name": stage.name,
        "depth": list(stage.depths),
        "features": _feature_entries(stage),
    }
    if stage.shared:
        entry["shared"] = [f.name for f in stage.features if f.name in stage.shared]
    if stage.limits:
        entry["limits"] = [_limit_entry(limit) for limit in stage.limits]
    if stage.modules is not None:
        entry["modules"] = [stage.as_dicts(m) for m in stage.modules]
    return entry


def _limit_entry(limit: Limit) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "feature": limit.feature,
        "choices": [plain_choice(c) for c in limit.choices if c is not ABSENT],
    }
    return entry if limit.layer is None else {**entry, "layer": limit.layer}


def _feature_entries(stage: Stage) -> dict[str, Any]:
    return {feature.name: _feature_entry(feature) for feature in stage.features}


def _feature_entry(feature: Feature) -> list[Any] | dict[str, Any]:
    choices = [plain_choice(c) for c in feature.present]
    entry: dict[str, Any] = {"choices": choices}
    if feature.range is not None:
        own = feature.range
        entry = {"range": [own.low, own.high]} | ({} if own.scale == "linear" else {"scale": own.scale})
        entry |= {} if own.step is None else {"step": own.step}
    more: dict[str, Any] = {} if feature.kind == usual_kind(feature.present) else {"kind": feature.kind}
    if feature.when:
        more["when"] = {name: _alone([plain_choice(c) for c in wanted]) for name, wanted in feature.when}
    if feature.ignored:
        more["elsewhere"] = "ignored"
    return {**entry, **more} if more or feature.range is not None else choices


def _alone(choices: list[Any]) -> Any:
    """A single choice without its list, unless it is a list itself."""
    return choices[0] if len(choices) == 1 and not isinstance(choices[0], list) else choices


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        # The name may be too long; opening it gives the exact error.
        return True
