"""Additive Gaussian processes as arrays and back, equal to the bit."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from nasbuild.errors import FitError
from nasbuild.predictor.additive_gp._additive_gp import AdditiveGP
from nasbuild.predictor.additive_gp._design_matrix import Term
from nasbuild.predictor.additive_gp._joint_kernel import NAMES, JointKernel
from nasbuild.predictor.additive_gp._proxy_link import ProxyLink, proxy_arrays, proxy_from_arrays
from nasbuild.predictor.additive_gp._proxy_sizes import proxy_changes
from nasbuild.predictor.additive_gp._rbf_interactions import Radial
from nasbuild.predictor.additive_gp._single_changes import single_changes
from nasbuild.predictor.additive_gp._single_parts import choices_shape
from nasbuild.predictor.additive_gp._warp import Warp
from nasbuild.space import Architecture, Space

_WARP = ("power", "mean", "std", "shift", "spread", "low", "high")
_RADIAL = ("theta", "widths", "variances")
_NUMBERS = ("interaction_variance", "noise", "slope", "level", "spread", "interaction_share")


def additive_gp_to_arrays(gp: AdditiveGP) -> dict[str, np.ndarray]:
    """Arrays of a process; architectures are stored as positions among the labels.

    Examples
    --------
    >>> from nasbuild.predictor import additive_gp_to_arrays
    >>> arrays = additive_gp_to_arrays(gp)
    >>> all(isinstance(array, np.ndarray) for array in arrays.values())
    True
    """
    arrays = {
        "terms": np.frombuffer(json.dumps([t.name for t in gp.terms]).encode(), dtype=np.uint8),
        "scales": np.array([t.scale for t in gp.terms]),
        "theta": gp.theta,
        "interaction_theta": gp.interaction_theta,
        "alpha": gp.alpha,
        "rows": gp.rows,
        "warp": np.array([getattr(gp.warp, name) for name in _WARP]),
        "numbers": np.array([getattr(gp, name) for name in _NUMBERS]),
        "passing": np.array([gp.passing], dtype=np.int64),
        "radials": np.array([len(gp.radials)], dtype=np.int64),
        **_joint_arrays(gp.joint),
        **_size_arrays(gp.sizes),
        **_size_arrays(gp.deviations, "deviation"),
        **proxy_arrays(gp.proxy),
        **_known_arrays(gp.known),
    }
    for r, radial in enumerate(gp.radials):
        arrays |= {f"radial{r}.{part}": getattr(radial, part) for part in _RADIAL}
    for t, term in enumerate(gp.terms):
        arrays |= {
            f"{t}.keys": term.keys,
            f"{t}.means": gp.means[t],
            f"{t}.weights": gp.weights[t],
        }
    return arrays


def additive_gp_from_arrays(
    arrays: dict[str, np.ndarray],
    space: Space,
    architectures: Sequence[Architecture],
    where: str,
    proxy: tuple[Sequence[Architecture], np.ndarray] | None = None,
) -> AdditiveGP:
    """The process of `additive_gp_to_arrays`, given all architectures with a label; those of its proxy, with their labels.

    Raises
    ------
    FitError
        If the arrays do not describe a process of this space and table.

    Examples
    --------
    >>> from nasbuild.predictor import additive_gp_from_arrays, additive_gp_to_arrays
    >>> again = additive_gp_from_arrays(additive_gp_to_arrays(gp), space, architectures, "fit")
    >>> np.array_equal(again.predict(architectures)[0], gp.predict(architectures)[0])
    True
    """
    try:
        names = json.loads(arrays["terms"].astype(np.uint8).tobytes())
        if not isinstance(names, list) or not all(isinstance(n, str) for n in names):
            raise ValueError("names of terms that are no list of texts")
        count, stages = len(names), len(space.stages)
        rows = arrays["rows"]
        real, whole = np.dtype(np.float64), np.dtype(np.int64)
        _require(rows, (None,), whole)
        of_singles = "joint" in arrays
        link, known = proxy_from_arrays(arrays, None if of_singles else proxy, count), arrays.get("known")
        if known is not None:
            _require(known, (len(rows),), real)
            if known.min() < 0:
                raise ValueError("a variance below 0")
        _require(arrays["alpha"], (len(rows) + (0 if link is None else link.count),), real)
        _require(arrays["warp"], (len(_WARP),), real)
        _require(arrays["numbers"], (len(_NUMBERS),), real)
        _require(arrays["passing"], (1,), whole)
        if arrays["passing"][0] not in (0, 1):
            raise ValueError("a flag that is neither 0 nor 1")
        for name in ("scales", "theta", "interaction_theta"):
            _require(arrays[name], (count,), real)
        _require(arrays["radials"], (1,), whole)
        joint, sizes = _joint(arrays, space), _sizes(arrays, space)
        deviations = _sizes(arrays, space, "deviation")
        radials = int(arrays["radials"][0])
        if not 0 <= radials <= len(arrays):
            raise ValueError("an impossible number of radial kernels")
        if link is not None and len(link.radials) != radials:
            raise ValueError("other radial kernels than its proxy")
        for r in range(radials):
            widths = len(arrays[f"radial{r}.widths"])
            for part in _RADIAL:
                _require(arrays[f"radial{r}.{part}"], (count if part == "theta" else widths,), real)
            if not widths or arrays[f"radial{r}.widths"].min() <= 0:
                raise ValueError("widths of radial kernels that are not above 0")
            if link is not None:
                _require(link.radials[r], (widths,), real)
            if min(*arrays[f"radial{r}.theta"], *arrays[f"radial{r}.variances"]) < 0:
                raise ValueError("a variance below 0")
        samples = arrays["0.weights"].shape[1] if count else 0
        for t in range(count):
            columns = len(arrays[f"{t}.keys"])
            _require(arrays[f"{t}.keys"], (columns,), np.dtype(np.uint64))
            _require(arrays[f"{t}.means"], (stages, columns), real)
            _require(arrays[f"{t}.weights"], (columns, samples), real)
            if columns == 0 or (np.diff(arrays[f"{t}.keys"].astype(object)) <= 0).any():
                raise ValueError(f"keys of term {t} that do not ascend")
        if not len(rows) or rows.min() < 0 or rows.max() >= len(architectures):
            raise ValueError("rows that the table does not have")
        if len(np.unique(rows)) < len(rows):
            raise ValueError("a row twice")
        expected = {
            "terms",
            "scales",
            "theta",
            "interaction_theta",
            "alpha",
            "rows",
            "warp",
            "numbers",
            "passing",
            "radials",
            *_joint_arrays(joint),
            *_size_arrays(sizes),
            *_size_arrays(deviations, "deviation"),
            *proxy_arrays(link),
            *_known_arrays(known),
        }
        expected |= {f"radial{r}.{part}" for r in range(radials) for part in _RADIAL}
        expected |= {f"{t}.{part}" for t in range(count) for part in ("keys", "means", "weights")}
        if set(arrays) != expected:
            raise ValueError(f"an array {min(set(arrays) ^ expected)!r} that is not expected or missing")
        warp, numbers = (
            dict(zip(n, arrays[k], strict=True)) for k, n in (("warp", _WARP), ("numbers", _NUMBERS))
        )
        if min(warp["std"], warp["spread"], numbers["slope"], numbers["spread"], *arrays["scales"]) <= 0:
            raise ValueError("a scale that is not above 0")
        if not warp["low"] < warp["high"]:
            raise ValueError("labels that have no range")
        if not 0 <= numbers["interaction_share"] <= 1:
            raise ValueError("a share outside 0 to 1")
        variances = (
            *arrays["theta"],
            *arrays["interaction_theta"],
            numbers["interaction_variance"],
            numbers["noise"],
        )
        if min(variances) < 0:
            raise ValueError("a variance below 0")
    except (KeyError, ValueError, IndexError, TypeError, UnicodeDecodeError) as error:
        raise FitError(f"is damaged ({_text(error)})", where=where) from None
    plain: dict[str, Any] = dict(zip(_NUMBERS, arrays["numbers"].tolist(), strict=True))
    return AdditiveGP(
        space,
        (*_proxy_rows(link, proxy), *(architectures[i] for i in rows)),
        rows,
        Warp(*arrays["warp"].tolist()),
        tuple(Term(n, arrays[f"{t}.keys"], float(arrays["scales"][t])) for t, n in enumerate(names)),
        arrays["theta"],
        tuple(arrays[f"{t}.means"] for t in range(count)),
        tuple(arrays[f"{t}.weights"] for t in range(count)),
        arrays["interaction_theta"],
        alpha=arrays["alpha"],
        radials=tuple(Radial(*(arrays[f"radial{r}.{part}"] for part in _RADIAL)) for r in range(radials)),
        passing=bool(arrays["passing"][0]),
        joint=joint,
        sizes=sizes,
        deviations=deviations,
        proxy=link,
        measured=_measured(space, architectures, proxy) if of_singles else (),
        known=known,
        **plain,
    )


def _measured(
    space: Space,
    architectures: Sequence[Architecture],
    proxy: tuple[Sequence[Architecture], np.ndarray] | None,
) -> tuple[Architecture, ...]:
    """Single changes that a proxy has measured, in a table of single changes."""
    changes = single_changes(space, architectures)
    if changes is None or proxy is None:
        return ()
    counts = proxy_changes(space, changes.reference, proxy[0]).counts
    return tuple(proxy[0][i] for i in np.flatnonzero(counts == 1).tolist())


def _known_arrays(known: np.ndarray | None) -> dict[str, np.ndarray]:
    return {} if known is None else {"known": known}


def _proxy_rows(
    link: ProxyLink | None, proxy: tuple[Sequence[Architecture], np.ndarray] | None
) -> list[Architecture]:
    return [] if link is None or proxy is None else [proxy[0][i] for i in link.rows]


def _joint_arrays(joint: JointKernel | None) -> dict[str, np.ndarray]:
    if joint is None:
        return {}
    return {"joint": joint.variances} | {f"joint.{u}": own for u, own in enumerate(joint.effects)}


def _size_arrays(sizes: Sequence[np.ndarray] | None, name: str = "size") -> dict[str, np.ndarray]:
    return {} if sizes is None else {f"{name}.{u}": own for u, own in enumerate(sizes)}


def _joint(arrays: dict[str, np.ndarray], space: Space) -> JointKernel | None:
    if "joint" not in arrays:
        return None
    _require(arrays["joint"], (len(NAMES),), np.dtype(np.float64))
    if arrays["joint"].min() < 0:
        raise ValueError("a variance below 0")
    return JointKernel(space, _of_choices(arrays, "joint", space), arrays["joint"])


def _sizes(arrays: dict[str, np.ndarray], space: Space, name: str = "size") -> tuple[np.ndarray, ...] | None:
    if f"{name}.0" not in arrays:
        return None
    found = _of_choices(arrays, name, space)
    if min(own.min() for own in found) < 0:
        raise ValueError(f"a {name} below 0")
    return found


def _of_choices(arrays: dict[str, np.ndarray], name: str, space: Space) -> tuple[np.ndarray, ...]:
    """An array for each stage with a number for every choice of every part."""
    for u, stage in enumerate(space.stages):
        _require(arrays[f"{name}.{u}"], choices_shape(stage), np.dtype(np.float64))
    return tuple(arrays[f"{name}.{u}"] for u in range(len(space.stages)))


def _require(array: np.ndarray, shape: tuple[int | None, ...], kind: np.dtype) -> None:
    fits = array.ndim == len(shape) and all(b in (None, a) for a, b in zip(array.shape, shape, strict=True))
    if not fits or array.dtype != kind:
        raise ValueError("an array of another shape or type")
    if kind.kind == "f" and not np.isfinite(array).all():
        raise ValueError("values that are no numbers")


def _text(error: Exception) -> str:
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)
