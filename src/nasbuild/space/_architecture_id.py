"""Readable ids of architectures and modules."""

from __future__ import annotations

from urllib.parse import quote

from nasbuild.space._choice import ABSENT, choice_text
from nasbuild.space._feature import Feature
from nasbuild.space._space import Architecture, Space
from nasbuild.space._stage import Layer, Module, Stage

NO_LAYERS = "0+"
"""The id of a module without layers; no choice is written so."""


def module_id(stage: Stage, module: Module) -> str:
    """A readable name of a module, such as ``e3k7-e6k5``; different modules have different names.

    Where all features are shared by the layers it is ``3xe6k3``: the depth, then the one layer.

    Examples
    --------
    >>> from nasbuild.space import load_space, module_id
    >>> stage = load_space("nas-bench-macro").stages[0]
    >>> module_id(stage, (("mb_e3_k3",), ("identity",)))
    'mb_e3_k3-identity'
    """
    if not module:
        return NO_LAYERS
    labels = _labels(stage.features)
    layers = [_layer_id(stage.features, labels, layer) for layer in module]
    if not stage.is_globals and all(f.name in stage.shared for f in stage.features):
        return f"{len(layers)}x{layers[0]}"
    return "-".join(layers)


def architecture_id(space: Space, architecture: Architecture) -> str:
    """The canonical id of an architecture: the names of its modules, joined by ``/``.

    Equal ids mean equal architectures.

    Examples
    --------
    >>> from nasbuild.space import Architecture, architecture_id, space_from_yaml
    >>> space = space_from_yaml("{name: tiny, stages: [{depth: [1, 2], features: {kernel: [3, 5]}}]}")
    >>> architecture_id(space, Architecture((((3,), (5,)),)))
    'k3-k5'
    """
    return "/".join(module_id(stage, m) for stage, m in zip(space.stages, architecture.modules, strict=True))


def _layer_id(features: tuple[Feature, ...], labels: list[str], layer: Layer) -> str:
    if not features:
        return "o"
    # Labels differ, so that leaving out an absent feature leaves no doubt.
    parts = [
        label + _text(feature, choice)
        for label, feature, choice in zip(labels, features, layer, strict=True)
        if choice is not ABSENT
    ]
    # After a whole number the next one-letter label shows where it ends; anything else needs a mark.
    whole = all(isinstance(c, int) and c >= 0 for f in features for c in f.present) and all(
        f.uniform for f in features
    )
    return ("" if whole and not labels[0].endswith("=") else ",").join(parts)


def _labels(features: tuple[Feature, ...]) -> list[str]:
    names = [f.name for f in features]
    if len(names) == 1 and all(isinstance(c, str) for c in features[0].present):
        return [""]
    short = [_quoted(name[0]) for name in names]
    if len(set(short)) < len(names) or any(not label.isalpha() for label in short):
        return [_quoted(name) + "=" for name in names]
    return short


def _text(feature: Feature, choice: object) -> str:
    """The text of a choice; among choices of several types, marks (+ and =) that `_quoted` never writes tell them apart."""
    if isinstance(choice, tuple):
        # The length, then the parts: [3, 5] is 2=3=5.
        return f"{len(choice)}={'='.join(_text(feature, part) for part in choice)}"
    if choice is None:
        return "null"
    if isinstance(choice, bool):
        return str(int(choice)) if feature.uniform else str(choice).lower()
    if isinstance(choice, str):
        plain = feature.uniform or choice_text(feature, choice) == choice
        return _quoted(choice) if plain else f"+{_quoted(choice)}"
    return repr(choice)


def _quoted(text: str) -> str:
    # '-', '/' and ',' separate parts of an id, so they may not stand in a name.
    return quote(text, safe="").replace("-", "%2D")
