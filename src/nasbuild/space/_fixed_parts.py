"""Fixed parts, as in ``--fix``: ``stage3.depth = 2``, ``block0.*.attn = on``, ``stage1.0.kernel in 3, 5``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from nasbuild.errors import SpaceError
from nasbuild.space._check_architecture import shown, shown_choice
from nasbuild.space._choice import ABSENT, Absent, Choice, choice_of_text, choice_text, number_of_text
from nasbuild.space._feature import Feature
from nasbuild.space._layer_choices import count_depth
from nasbuild.space._space import Space
from nasbuild.space._stage import GLOBALS, Limit, Stage, module_key

_FORMS = (
    "STAGE.depth = N",
    "STAGE.*.FEATURE = CHOICE",
    "STAGE.LAYER.FEATURE in CHOICE, CHOICE",
    "globals.FEATURE = CHOICE",
    "*.*.FEATURE = CHOICE",
)
_WHERE = "--fix"
_LONGEST = 2_000
_PART = re.compile(r"(?P<place>[^=]+?) ?(?:==?| in ) ?(?P<values>.+)")
# Commas inside a list or a text in quotes separate no values.
_SEPARATOR = re.compile(r""",(?=(?:[^"]*"[^"]*")*[^"]*$)(?![^\[(]*[\])])""")


def fix_parts(space: Space, parts: Sequence[str]) -> Space:
    """The subspace in which some parts have a fixed choice, or one of a few.

    Features, and so the codes of modules, stay those of ``space``. A part at one layer holds for the
    modules that have this layer; of a feature that layers share, for all modules.

    Parameters
    ----------
    parts
        ``STAGE.depth = N``, ``STAGE.*.FEATURE = CHOICE``, ``STAGE.LAYER.FEATURE in CHOICE, CHOICE`` or
        ``globals.FEATURE = CHOICE``. A ``*`` for the stage means every stage that has the feature, or every stage for
        ``*.depth``. A column of the user's own table may name the place (``n_1 = 2``).

    Raises
    ------
    SpaceError
        If the space does not have a part, or a stage is left without modules.

    Examples
    --------
    >>> from nasbuild.space import count_architectures, fix_parts, load_space
    >>> space = load_space("digits-macro")
    >>> count_architectures(fix_parts(space, ["stage1.depth = 2", "stage2.*.op = mb_e3_k3"]))
    216
    """
    stages = list(space.stages)
    for text in (one for part in parts for one in _in_every_stage(space, part)):
        u, change = _read(space, text)
        where = f"{_WHERE} {text!r}"
        if isinstance(change, Limit):
            stages[u] = fixed_stage(stages[u], [change], where)
        else:
            depths = tuple(d for d in stages[u].depths if d in change)
            stages[u] = _with_depths(stages[u], depths, where)
    return replace(space, stages=tuple(stages), whole=space.whole or space) if parts else space


def fixed_stage(stage: Stage, limits: Sequence[Limit], where: str) -> Stage:
    """A stage with more limits; a listed stage loses the modules that violate them.

    Raises
    ------
    SpaceError
        If no module is left.
    """
    narrowed = replace(stage, limits=(*stage.limits, *(one for one in limits if one not in stage.limits)))
    if stage.modules is not None:
        kept = tuple(m for m in stage.modules if narrowed.permits(stage.encode(m)[None])[0])
        depths = tuple(sorted({len(m) for m in kept}))
        narrowed = replace(stage, depths=depths, modules=kept)
    else:
        for position, feature in enumerate(narrowed.features):
            shared = feature.name in narrowed.shared
            for layer in [None] if shared else range(max(narrowed.depths)):
                if not len(narrowed.allowed(layer, position)):
                    raise SpaceError(f"leaves no choice of {feature.name} in {stage.name}", where=where)
        if stage.conditional and not all(count_depth(narrowed, depth) for depth in narrowed.depths):
            raise SpaceError(f"leaves no layer of {stage.name} that meets its conditions", where=where)
    if not narrowed.depths:
        raise SpaceError(f"no module listed for {stage.name} satisfies this", where=where)
    return narrowed


def limit_of(stage: Stage, name: object, choices: Sequence[object], layer: object, where: str) -> Limit:
    """Limits a feature of a stage to some of its choices.

    Raises
    ------
    SpaceError
        If the stage lacks the feature, layer or choice; the message lists what it has.
    """
    feature = next((f for f in stage.features if f.name == name), None)
    if feature is None:
        allowed = [f.name for f in stage.features]
        raise SpaceError(f"{stage.name} has no feature {shown(name)}", where=where, allowed=allowed)
    if layer is not None and (
        isinstance(layer, bool) or not isinstance(layer, int) or layer not in range(max(stage.depths))
    ):
        raise SpaceError(
            f"{stage.name} has no layer {shown(layer)}",
            where=where,
            allowed=f"0 to {max(stage.depths) - 1}, *",
        )
    found: dict[int, Choice | Absent] = {}
    for choice in choices:
        index = feature.index(choice)
        if index < 0:
            raise SpaceError(
                f"{shown_choice(choice)} is not a choice of {feature.name}",
                where=where,
                allowed=feature.allowed,
            )
        found[index] = feature.choices[index]
    if not found:
        raise SpaceError(f"lists no choice of {feature.name}", where=where, allowed=feature.present)
    if feature.absent >= 0:
        # The limit holds where the feature exists.
        found[feature.absent] = ABSENT
    layer = None if feature.name in stage.shared else layer
    return Limit(feature.name, tuple(found[i] for i in sorted(found)), layer)


def _with_depths(stage: Stage, depths: tuple[int, ...], where: str) -> Stage:
    if not depths:
        raise SpaceError(
            f"leaves no number of layers for {stage.name}", where=where, todo="remove one of the parts"
        )
    if stage.modules is None:
        return replace(stage, depths=depths)
    return replace(stage, depths=depths, modules=tuple(m for m in stage.modules if len(m) in depths))


def _in_every_stage(space: Space, text: str) -> list[str]:
    """The part in each stage that has its feature, if the stage is ``*``; else the part alone."""
    place, equals, _ = text.partition("=")
    head, _, rest = place.strip().partition(".")
    if head != "*" or not rest or (not equals and " in " not in text):
        return [text]
    name = rest.split(" in ")[0].strip().rpartition(".")[2]
    named = [
        s.name
        for s in space.stages
        if not s.is_globals and (name == "depth" or any(f.name == name for f in s.features))
    ]
    if not named:
        allowed = dict.fromkeys(f.name for stage in space.stages for f in stage.features)
        raise SpaceError(
            f"no stage has a feature {name!r}", where=f"{_WHERE} {text[:80]!r}", allowed=list(allowed)
        )
    return [f"{one}{text.strip()[1:]}" for one in named]


def _read(space: Space, text: str) -> tuple[int, Limit | set[int]]:
    """The stage of a part, and its limit or its numbers of layers."""
    where = f"{_WHERE} {text[:80]!r}"
    # Repeated blanks are merged, so that matching takes linear time.
    match = _PART.fullmatch(" ".join(text.split())) if len(text) <= _LONGEST else None
    if match is None:
        raise _no_part(space, where)
    values = [value.strip() for value in _SEPARATOR.split(match["values"])]
    u, rest = find_stage(space, _place_of_column(space, match["place"]), where)
    stage = space.stages[u]
    if rest == "depth" and not stage.is_globals:
        if not all(value.isdecimal() and len(value) < 6 for value in values):
            raise SpaceError(
                f"{match['values']!r} is not a number of layers", where=where, allowed=stage.depths
            )
        depths = {int(value) for value in values}
        for depth in depths - set(stage.depths):
            raise SpaceError(
                f"{depth} is not a number of layers of {stage.name}", where=where, allowed=stage.depths
            )
        return u, depths
    layer, _, name = ("*", "", rest) if stage.is_globals else rest.partition(".")
    if not name or not (layer == "*" or (layer.isdecimal() and len(layer) < 6)):
        raise _no_part(space, where)
    feature = next((f for f in stage.features if f.name == name), None)
    choices = [c for value in values for c in ([value] if feature is None else _meant(feature, value, where))]
    return u, limit_of(stage, name, choices, None if layer == "*" else int(layer), where)


def _meant(feature: Feature, text: str, where: str) -> list[object]:
    """The choices that a text names: one, or all numbers within ``LOW..HIGH``."""
    numbers = feature.numbers
    ends = [number_of_text(end) for end in text.split("..")]
    if numbers is not None and len(ends) == 2 and ends[0] is not None and ends[1] is not None:
        inside: list[object] = [
            c for c, v in zip(feature.choices, numbers, strict=True) if ends[0] <= v <= ends[1]
        ]
        if not inside:
            raise SpaceError(f"{text} has no choice of {feature.name}", where=where, allowed=feature.allowed)
        return inside
    choice = choice_of_text(feature, text)
    if all(isinstance(c, bool) for c in feature.present):
        # As reports call them.
        choice = {"yes": True, "no": False}.get(text.lower(), choice)
    index = feature.index(choice)
    if feature.range is not None and index >= 0 and choice != feature.present[index]:
        raise SpaceError(
            f"{text} is not on the grid of {feature.name}, from which building chooses",
            where=where,
            allowed=f"its nearest value {feature.present[index]}, or LOW..HIGH",
        )
    return [choice]


def find_stage(space: Space, place: str, where: str) -> tuple[int, str]:
    """The stage that a place begins with (the longest name wins), and the rest of the place."""
    for stage in sorted(space.stages, key=lambda s: -len(s.name)):
        if place.startswith(f"{stage.name}."):
            return space.stages.index(stage), place[len(stage.name) + 1 :]
    head, _, rest = place.partition(".")
    if head.isdecimal() and int(head[:6]) < len(space.stages):
        return int(head[:6]), rest
    if not rest or head == GLOBALS:
        raise _no_part(space, where)
    names = [stage.name for stage in space.stages]
    raise SpaceError(f"there is no stage {head[:60]!r}", where=where, allowed=names)


def _place_of_column(space: Space, place: str) -> str:
    """The place that a column of the user's own table describes; any other place as it is."""
    for name, source in ({} if space.columns is None else space.columns.stages).items():
        if place == _merged(source.depth):
            return f"{name}.depth"
        for feature, columns in source.features.items():
            own = [_merged(column) for column in columns]
            if place in own:
                layer = "" if name == GLOBALS else "*." if len(own) == 1 else f"{own.index(place)}."
                return f"{name}.{layer}{feature}"
    return place


def _merged(column: str | None) -> str | None:
    return None if column is None else " ".join(column.split())


def _no_part(space: Space, where: str) -> SpaceError:
    """The refusal of what names no part, with a part that this space has."""
    stage = next(one for one in space.stages if one.features)
    feature = stage.features[0]
    place = feature.name if stage.is_globals else f"*.{feature.name}"
    value = choice_text(feature, feature.present[0])
    example = f'"{stage.name}.{place} = {value}"'
    if space.columns is not None:
        column = space.columns.stages[stage.name].features[feature.name][0]
        example += f', or by your column, "{column} = {value}"'
    return SpaceError(
        "does not name a part of the space", where=where, allowed=_FORMS, todo=f"write for example {example}"
    )


def allowed_modules(stage: Stage, codes: np.ndarray) -> np.ndarray:
    """Which modules of one depth a stage has, (modules,) bool, from codes (modules, depth, features).

    Examples
    --------
    >>> import numpy as np
    >>> from nasbuild.space import allowed_modules, fix_parts, load_space
    >>> stage = fix_parts(load_space("digits-macro"), ["stage1.0.op = mb_e3_k3"]).stages[0]
    >>> allowed_modules(stage, np.array([[[0]], [[1]]])).tolist()
    [False, True]
    """
    if stage.modules is not None:
        return np.array([module_key(code) in stage.listed for code in codes], dtype=bool)
    return stage.permits(codes)
