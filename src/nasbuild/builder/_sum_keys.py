"""Terms of an exact sum: the keys of modules, and how often each architecture has them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from nasbuild.space import Space

Key = tuple[object, ...]


def assign_columns(space: Space, codes: Sequence[Sequence[np.ndarray]], form: str) -> dict[Key, int]:
    """Assigns a column to every key of the architectures."""
    place: dict[Key, int] = {}
    for u, stage_codes in enumerate(codes):
        numbers = _products_of(space, u, form)
        for code in distinct_codes(stage_codes)[0]:
            for key, _ in _keys(u, code, form, numbers):
                place.setdefault(key, len(place))
    if form == "products":
        for u in range(len(space.layered) - 1):
            for f, _ in scaled_numbers(space, u):
                for g, _ in scaled_numbers(space, u + 1):
                    place.setdefault((u, "next", f, g), len(place))
    return place


def distinct_codes(codes: Sequence[np.ndarray]) -> tuple[list[np.ndarray], np.ndarray]:
    """Distinct codes in the order in which they occur, and which of them each row has, (rows,)."""
    number: dict[tuple[int, bytes], int] = {}
    of_row = [number.setdefault((len(code), code.tobytes()), len(number)) for code in codes]
    first = {n: row for row, n in reversed(list(enumerate(of_row)))}
    return [codes[first[n]] for n in range(len(number))], np.array(of_row, dtype=np.int64)


def count_keys(
    space: Space, codes: Sequence[np.ndarray], stage: int, form: str, place: Mapping[Key, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Values of the keys of modules, (modules, keys), and whether modules have unknown keys, (modules,)."""
    found, unknown = np.zeros((len(codes), len(place))), np.zeros(len(codes), dtype=bool)
    numbers = _products_of(space, stage, form)
    for row, code in enumerate(codes):
        for key, value in _keys(stage, code, form, numbers):
            if key in place:
                found[row, place[key]] += value
            else:
                unknown[row] = True
    return found, unknown


def products_across_stages(
    space: Space, codes: Sequence[Sequence[np.ndarray]], place: Mapping[Key, int]
) -> np.ndarray:
    """Products across stages, of last layers and first layers of the next stage, (architectures, keys)."""
    found = np.zeros((len(codes[0]), len(place)))
    for u in range(len(space.layered) - 1):
        for f, before in scaled_numbers(space, u):
            for g, after in scaled_numbers(space, u + 1):
                found[:, place[u, "next", f, g]] = [
                    before[a[-1, f]] * after[b[0, g]] if len(a) and len(b) else 0.0
                    for a, b in zip(codes[u], codes[u + 1], strict=True)
                ]
    return found


def scaled_numbers(space: Space, stage: int) -> list[tuple[int, np.ndarray]]:
    """Positions of a stage's numeric features, and the numbers of their choices scaled to at most 1."""
    found = []
    for f, feature in enumerate(space.stages[stage].features):
        values = feature.numbers
        if values is not None and len(values) > 1:
            # A product with an absent feature adds nothing.
            found.append((f, np.nan_to_num(values / (np.nanmax(np.abs(values)) or 1.0))))
    return found


def _products_of(space: Space, stage: int, form: str) -> list[tuple[int, list[float]]]:
    """`scaled_numbers` where the form multiplies those of neighbouring layers, as lists; none otherwise."""
    if form != "products" or space.stages[stage].is_globals:
        return []
    return [(f, values.tolist()) for f, values in scaled_numbers(space, stage)]


def _keys(
    stage: int, code: np.ndarray, form: str, numbers: list[tuple[int, list[float]]]
) -> Iterator[tuple[Key, float]]:
    """Yields the keys of a module and their values, as the form defines them."""
    for key in _choices(stage, code) if form == "features" else _places(stage, code):
        yield key, 1.0
    if form == "pairs":
        for key in _pairs(stage, code):
            yield key, 1.0
    if numbers:
        layers = code.tolist()
        for place in range(1, len(layers)):
            above, here = layers[place - 1], layers[place]
            for f, before in numbers:
                for g, after in numbers:
                    yield (stage, place, "times", f, g), before[above[f]] * after[here[g]]


def _choices(stage: int, code: np.ndarray) -> Iterator[Key]:
    """Yields the depth, and every choice of every layer at its place."""
    yield stage, len(code)
    for place, layer in enumerate(code.tolist()):
        for feature, choice in enumerate(layer):
            yield stage, place, feature, choice


def _places(stage: int, code: np.ndarray) -> Iterator[Key]:
    """Yields the depth, and every whole layer at its place."""
    yield stage, len(code)
    for place, layer in enumerate(code.tolist()):
        yield stage, place, tuple(layer)


def _pairs(stage: int, code: np.ndarray) -> Iterator[Key]:
    """Yields every layer with the previous one."""
    layers = [tuple(layer) for layer in code.tolist()]
    for place in range(1, len(layers)):
        yield stage, place, layers[place - 1], layers[place]
