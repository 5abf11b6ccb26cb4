"""Stages: runs of layers, with the modules that they may be."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from nasbuild.space._choice import ABSENT, Absent, Choice, plain_choice
from nasbuild.space._feature import Feature

Layer = tuple["Choice | Absent", ...]
"""One choice for each feature of the stage, in the stage's order of features.

`ABSENT` stands where a feature does not exist, as its condition does not hold.
"""
Module = tuple[Layer, ...]
"""The whole layer sequence of one stage."""
GLOBALS = "globals"


@dataclass(frozen=True)
class Limit:
    """The choices that a feature may have at one layer of a stage (from 0), or at every layer (None).

    Examples
    --------
    >>> from nasbuild.space import fix_parts
    >>> fix_parts(space, ["stage1.0.kernel = 3"]).stages[0].limits
    (Limit(feature='kernel', choices=(3,), layer=0),)
    """

    feature: str
    choices: tuple[Choice | Absent, ...]
    layer: int | None = None


@dataclass(frozen=True)
class Stage:
    """A run of layers at one resolution (the paper's unit, u).

    Its modules are all combinations of choices in every allowed depth, or those that ``modules`` lists.
    Features in ``shared`` have one value in all layers. ``limits`` exclude choices where parts are fixed;
    a listed stage has none. The features of the whole architecture are a stage too: the last one, one
    layer deep, named ``globals``.

    Examples
    --------
    >>> first.name, first.depths, first.sizes
    ('stage1', (1, 2), (2,))
    """

    name: str
    depths: tuple[int, ...]
    features: tuple[Feature, ...]
    shared: frozenset[str] = frozenset()
    modules: tuple[Module, ...] | None = None
    limits: tuple[Limit, ...] = ()

    @property
    def is_globals(self) -> bool:
        return self.name == GLOBALS

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Number of choices of each feature."""
        return tuple(len(f.choices) for f in self.features)

    @cached_property
    def conditional(self) -> bool:
        """Whether a feature exists only with some choices of another."""
        return any(f.when for f in self.features)

    @cached_property
    def conditions(self) -> list[list[tuple[int, list[int]]]]:
        """For each feature, the positions of the features that it needs, and the codes that these may have."""
        names = [f.name for f in self.features]
        return [
            [(names.index(name), [self.feature(name).index(c) for c in choices]) for name, choices in f.when]
            for f in self.features
        ]

    @cached_property
    def ways_by_depth(self) -> dict[int, Any]:
        """Cache of `nasbuild.space._layer_choices.ways`."""
        return {}

    @cached_property
    def counts_by_depth(self) -> dict[int, int]:
        """Cache of `nasbuild.space.count_modules`."""
        return {}

    @cached_property
    def depth_shares(self) -> np.ndarray:
        """Share of all modules that have at most each depth, (depths,)."""
        from nasbuild.space._count import count_modules

        counts = [count_modules(self, depth) for depth in self.depths]
        total = sum(counts)
        shares = np.cumsum([count / total for count in counts])
        return shares / shares[-1]

    @cached_property
    def codes_by_depth(self) -> dict[int, np.ndarray]:
        """Codes of a listed stage, by depth: (modules, depth, features)."""
        grouped: dict[int, list[np.ndarray]] = {d: [] for d in self.depths}
        for module in self.modules or ():
            grouped[len(module)].append(self.encode(module))
        return {d: np.stack(codes) for d, codes in grouped.items()}

    @cached_property
    def listed(self) -> frozenset[tuple[int, bytes]]:
        """Keys of the modules of a listed stage."""
        return frozenset(module_key(code) for codes in self.codes_by_depth.values() for code in codes)

    def allowed(self, layer: int | None, position: int) -> np.ndarray:
        """Codes of the choices that a feature may have at a layer, ascending; None for a shared feature.

        Examples
        --------
        >>> from nasbuild.space import fix_parts
        >>> fixed = fix_parts(space, ["stage1.0.kernel = 5"]).stages[0]
        >>> fixed.allowed(0, 0).tolist(), fixed.allowed(1, 0).tolist()
        ([1], [0, 1])
        """
        if not self.limits:
            return np.arange(self.sizes[position])
        key = layer, position
        if key not in self._allowed:
            feature = self.features[position]
            remaining = set(range(self.sizes[position]))
            for limit in self.limits:
                if limit.feature == feature.name and (layer is None or limit.layer in (None, layer)):
                    remaining &= {feature.index(choice) for choice in limit.choices}
            self._allowed[key] = np.array(sorted(remaining), dtype=np.int64)
        return self._allowed[key]

    @cached_property
    def _allowed(self) -> dict[tuple[int | None, int], np.ndarray]:
        return {}

    def permits(self, codes: np.ndarray) -> np.ndarray:
        """Which modules of one depth obey depths and limits, (modules,) bool, from (modules, depth, features).

        Examples
        --------
        >>> from nasbuild.space import fix_parts
        >>> fixed = fix_parts(space, ["stage1.0.kernel = 5"]).stages[0]
        >>> fixed.permits(np.array([[[0]], [[1]]])).tolist()
        [False, True]
        """
        found = np.full(len(codes), codes.shape[1] in self.depths)
        for limit in self.limits:
            position = [f.name for f in self.features].index(limit.feature)
            inside = np.zeros(self.sizes[position], dtype=bool)
            inside[[self.features[position].index(choice) for choice in limit.choices]] = True
            # Layers that share a feature have one choice, so a limit at one of them holds for all, however many there are.
            if limit.layer is None or limit.feature in self.shared:
                found &= inside[codes[:, :, position]].all(axis=1)
            elif limit.layer < codes.shape[1]:
                found &= inside[codes[:, limit.layer, position]]
        if self.conditional:
            from nasbuild.space._layer_choices import consistent

            found &= consistent(self, codes).all(axis=1)
        return found

    def feature(self, name: str) -> Feature:
        """The feature of a name, which the stage must have.

        Examples
        --------
        >>> second.feature("op").choices
        ('conv', 'attn')
        """
        return next(f for f in self.features if f.name == name)

    def encode(self, module: Module) -> np.ndarray:
        """Indices of the choices of a module of this stage, (depth, features) int16.

        Examples
        --------
        >>> second.encode(((5, "attn"),)).tolist()
        [[1, 1]]
        """
        indices = [f.index for f in self.features]
        return np.array(
            [[index(c) for index, c in zip(indices, layer, strict=True)] for layer in module],
            dtype=np.int16,
        ).reshape(len(module), len(self.features))

    def decode(self, code: np.ndarray) -> Module:
        """The module of a code (depth, features).

        Examples
        --------
        >>> second.decode(np.array([[1, 1]]))
        ((5, 'attn'),)
        """
        choices = [f.choices for f in self.features]
        return tuple(
            [
                tuple([own[i] for own, i in zip(choices, row, strict=True)])
                for row in np.asarray(code).tolist()
            ]
        )

    def as_dicts(self, module: Module) -> list[dict[str, Choice]]:
        """The module as in ``archs.jsonl``: one ``{feature: choice}`` a layer, without absent features.

        Examples
        --------
        >>> second.as_dicts(((5, "attn"),))
        [{'kernel': 5, 'op': 'attn'}]
        """
        return [
            {f.name: plain_choice(c) for f, c in zip(self.features, layer, strict=True) if c is not ABSENT}
            for layer in module
        ]


def module_key(code: np.ndarray) -> tuple[int, bytes]:
    """A hashable key of a module's code (depth, features) int16.

    Examples
    --------
    >>> from nasbuild.space import load_space, module_key
    >>> stage = load_space("digits-macro").stages[0]
    >>> key = module_key(stage.encode((("mb_e3_k3",),)))
    >>> key == module_key(stage.encode((("mb_e3_k3",),)))
    True
    """
    return len(code), code.tobytes()
