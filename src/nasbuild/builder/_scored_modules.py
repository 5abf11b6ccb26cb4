"""Modules of every stage with their scores for several targets, in a common order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nasbuild.score import TargetFit
from nasbuild.space import Architecture, Module, Space, module_key


@dataclass(frozen=True)
class ScoredModules:
    """Modules of every stage and their scores.

    Attributes
    ----------
    codes
        For each stage, the codes of its modules, each (depth, features).
    scores
        For each stage, (modules, targets), in each target's unit and direction.

    Examples
    --------
    >>> [len(codes) for codes in modules.codes], modules.scores[0].shape
    ([12, 12, 12], (12, 1))
    """

    space: Space
    codes: tuple[list[np.ndarray], ...]
    scores: tuple[np.ndarray, ...]

    def module(self, stage: int, position: int) -> Module:
        """A module of a stage, given by its position in ``codes``.

        Examples
        --------
        >>> modules.module(0, 0)
        (('mb_e6_k5',), ('mb_e6_k5',))
        """
        return self.space.stages[stage].decode(self.codes[stage][position])

    def architecture(self, picks: Sequence[int]) -> Architecture:
        """The architecture given by one position per stage.

        Examples
        --------
        >>> modules.architecture([0, 0, 0]).modules[0] == modules.module(0, 0)
        True
        """
        return Architecture(tuple(self.module(u, int(p)) for u, p in enumerate(picks)))

    def select(self, kept: Sequence[np.ndarray]) -> ScoredModules:
        """Keeps only the given positions of each stage.

        Examples
        --------
        >>> top = modules.select([np.arange(3)] * 3)
        >>> [len(codes) for codes in top.codes]
        [3, 3, 3]
        """
        return ScoredModules(
            self.space,
            tuple([own[i] for i in some] for own, some in zip(self.codes, kept, strict=True)),
            tuple(scores[some] for scores, some in zip(self.scores, kept, strict=True)),
        )


def scored_modules(targets: Sequence[TargetFit], *, searched: bool = True) -> ScoredModules:
    """Collects the modules that any target has scored, with scores for all targets.

    They are in the first target's order, best first. If a stage was searched, targets have scored
    different modules; missing scores are computed.

    Parameters
    ----------
    searched
        Whether to include searched stages; they are empty otherwise.
    """
    first = targets[0]
    space = first.scorer.space
    codes: list[list[np.ndarray]] = []
    scores: list[np.ndarray] = []
    for u in range(len(space.stages)):
        place: dict[tuple[int, bytes], int] = {}
        stage_codes: list[np.ndarray] = []
        found = []
        if not searched and any(target_fit.stages[u].searched for target_fit in targets):
            codes.append([])
            scores.append(np.zeros((0, len(targets))))
            continue
        for target_fit in targets:
            stage, rows = target_fit.stages[u], []
            for rank in target_fit.best(u):
                code = stage.code(int(rank))
                row = place.setdefault(module_key(code), len(stage_codes))
                if row == len(stage_codes):
                    stage_codes.append(code)
                rows.append((row, stage.score[rank]))
            found.append(rows)
        table = np.full((len(stage_codes), len(targets)), np.nan)
        for t, rows in enumerate(found):
            at, values = zip(*rows, strict=True)
            table[list(at), t] = values
            lacking = np.flatnonzero(np.isnan(table[:, t]))
            if len(lacking):
                modules = [space.stages[u].decode(stage_codes[i]) for i in lacking]
                table[lacking, t] = targets[t].scorer.score_modules(u, modules)[0]
        codes.append(stage_codes)
        scores.append(table)
    return ScoredModules(space, tuple(codes), tuple(scores))
