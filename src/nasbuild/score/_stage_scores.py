"""Scored modules of a stage: all of them, or the best and worst ones of a search where there are too many."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

import numpy as np

from nasbuild._arrays import ranges
from nasbuild.score._any_fit import range_text
from nasbuild.score._scorer import Scorer
from nasbuild.space import (
    Module,
    Space,
    Stage,
    count_modules,
    module_codes,
    module_key,
    neighbour_codes,
    sample_codes,
)

MAX_MODULES = 200_000
_CHUNK = 20_000
_RANDOM_SHARE = 0.25  # of a search's budget, spent on random modules before the beam search
_BEAM = 64  # width of the beam at each end
_STEPS = 200  # minimum number of steps; smaller budgets get a narrower beam
_MOST_SEARCHED = 800_000  # modules that are scored in all searched stages together
_LEAST_SEARCHED = 2_000  # modules that are scored in a searched stage at least
_KEPT = 5_000  # modules of each end that a search returns

_Key = tuple[int, bytes]
_Scored = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Codes of one depth (modules, depth, features), scores and deviations (modules,)."""


@dataclass(frozen=True)
class StageScores:
    """Scored modules of one stage, highest score first.

    Attributes
    ----------
    layers, offsets
        Codes of all layers of all modules, (layers, features) int16, and where each module begins,
        (modules + 1,) int64.
    score, std
        Scores and their spread over the members, (modules,), in the label's unit.
    scored, total
        Number of modules that were scored, and of all modules of the stage. Where they differ, the stage was searched, and
        these are the best and worst modules found.

    Examples
    --------
    >>> scores = acc.stages[0]
    >>> len(scores), scores.total, scores.searched
    (12, 12, False)
    """

    stage: int
    layers: np.ndarray
    offsets: np.ndarray
    score: np.ndarray
    std: np.ndarray
    scored: int
    total: int

    def __len__(self) -> int:
        return len(self.score)

    def __repr__(self) -> str:
        return (
            f"StageScores(stage {self.stage}, {len(self):,} of {self.total:,} modules, "
            f"scores{range_text(self.score)}{', searched' if self.searched else ''})"
        )

    @property
    def searched(self) -> bool:
        """Whether the stage was searched, as it has too many modules to score all."""
        return self.scored < self.total

    def code(self, rank: int) -> np.ndarray:
        """Code (depth, features) of the module at a position, 0 for the highest score.

        Examples
        --------
        >>> acc.stages[0].code(0).tolist()
        [[2], [2]]
        """
        return self.layers[self.offsets[rank] : self.offsets[rank + 1]]

    def module(self, space: Space, rank: int) -> Module:
        """The module at a position, 0 for the highest score.

        Examples
        --------
        >>> acc.stages[0].module(space, 0)
        (('mb_e6_k5',), ('mb_e6_k5',))
        """
        return space.stages[self.stage].decode(self.code(rank))

    def best(self, sign: int, n: int | None = None) -> np.ndarray:
        """Positions of the ``n`` best modules, best first, given the target's sign.

        Examples
        --------
        >>> acc.stages[0].best(1, 3).tolist(), acc.stages[0].best(-1, 3).tolist()
        ([0, 1, 2], [11, 10, 9])
        """
        order = np.arange(len(self))
        return (order if sign > 0 else order[::-1])[:n]


def score_stage(
    scorer: Scorer,
    stage: int,
    *,
    max_modules: int = MAX_MODULES,
    evaluations: int | None = None,
    seed: int = 0,
    definition: Stage | None = None,
) -> StageScores:
    """Score every module of a stage; a stage with more than ``max_modules`` (1 or more) is searched instead.

    A search scores ``evaluations`` modules, by default ``max_modules``. ``definition`` may restrict the stage to some of its modules; its features must be the same.

    Examples
    --------
    >>> from nasbuild.score import score_stage
    >>> scores = score_stage(scorer, 0)
    >>> len(scores), bool(np.all(np.diff(scores.score) <= 0))
    (12, True)
    """
    definition = scorer.space.stages[stage] if definition is None else definition
    total = count_modules(definition)
    if total > max_modules:
        budget = max_modules if evaluations is None else evaluations
        return _search(scorer, stage, definition, budget, np.random.default_rng(seed), total)
    found: list[_Scored] = []
    for depth in definition.depths:
        for start in range(0, count_modules(definition, depth), _CHUNK):
            codes = module_codes(definition, depth, start, start + _CHUNK)
            found.append((codes, *scorer.score(stage, codes)))
    return _sorted(stage, found, total)


def score_stages(
    scorer: Scorer,
    *,
    max_modules: int = MAX_MODULES,
    seed: int = 0,
    stage_done: Callable[[int, int], None] = lambda *_: None,
) -> list[StageScores]:
    """Score the modules of every stage.

    Where many stages are searched, they share 800,000 evaluations, so that a space of dozens of large stages takes seconds.

    Examples
    --------
    >>> from nasbuild.score import score_stages
    >>> [len(scores) for scores in score_stages(scorer)]
    [12, 12, 12]
    """
    found = []
    stages = len(scorer.space.stages)
    evaluations = search_budget(scorer.space.stages, max_modules)
    for stage in range(stages):
        found.append(score_stage(scorer, stage, max_modules=max_modules, evaluations=evaluations, seed=seed))
        stage_done(stage + 1, stages)
    return found


def search_budget(stages: Sequence[Stage], max_modules: int) -> int:
    """Modules that are scored in each stage with more than ``max_modules``: all of them share `_MOST_SEARCHED`.

    >>> from nasbuild.space import load_space
    >>> stages = load_space("ofa-mobilenet-v3").stages
    >>> search_budget(stages, 5_000), search_budget(stages * 40, 5_000)
    (5000, 4000)
    """
    searched = sum(count_modules(stage) > max_modules for stage in stages)
    return min(max_modules, max(_MOST_SEARCHED // max(searched, 1), _LEAST_SEARCHED))


def best_modules(scorer: Scorer, scores: StageScores, sign: int, n: int | None = None) -> np.ndarray:
    """Positions of the ``n`` best modules, best first, given the target's sign; of modules that make the same network, one."""
    order = scores.best(sign)
    if scorer.has_equivalents:
        written: dict[_Key, list[tuple[_Key, int]]] = {}
        for rank in order.tolist():
            code = scores.code(rank)
            written.setdefault(module_key(scorer.canonical_code(scores.stage, code)), []).append(
                (module_key(code), rank)
            )
        # The same one for every target.
        kept = {min(same)[1] for same in written.values()}
        order = np.array([rank for rank in order.tolist() if rank in kept])
    return order[:n]


def _search(
    scorer: Scorer, stage: int, definition: Stage, budget: int, rng: np.random.Generator, total: int
) -> StageScores:
    """Beam search for the highest and the lowest scores, from a random start.

    Each step expands a few of the ``_BEAM`` best modules of each end, best first, and scores all their neighbours. Where
    all are expanded, more random modules are scored, until the budget is spent. A smaller budget expands fewer modules in
    a step, so that it lasts for more steps.
    """
    seen: dict[_Key, float] = {}
    found: list[_Scored] = []

    def add(candidates: Iterable[np.ndarray]) -> None:
        fresh: dict[_Key, np.ndarray] = {}
        for candidate in candidates:
            # A wide layer has millions of variants: no more are listed than can be scored.
            if len(seen) + len(fresh) >= budget:
                break
            if (key := module_key(candidate)) not in seen:
                fresh[key] = candidate
        for depth in definition.depths:
            codes = [c for c in fresh.values() if len(c) == depth]
            for part in (codes[i : i + _CHUNK] for i in range(0, len(codes), _CHUNK)):
                score, std = scorer.score(stage, np.stack(part))
                found.append((np.stack(part), score, std))
                seen.update({module_key(c): float(v) for c, v in zip(part, score, strict=True)})

    def draw() -> None:
        for depth in definition.depths:
            add(sample_codes(definition, depth, drawn, rng))

    drawn = max(int(budget * _RANDOM_SHARE) // len(definition.depths), 1)
    draw()
    width = min(max(budget // _STEPS, 4), _BEAM)
    expanded: set[_Key] = set()
    while len(seen) < budget:
        beam: list[_Key] = []
        for best in (heapq.nlargest, heapq.nsmallest):
            beam += [key for key in best(_BEAM, seen, key=seen.__getitem__) if key not in expanded][:width]
        if not beam:
            before = len(seen)
            draw()
            if len(seen) == before:
                break
        expanded.update(beam)
        shape = len(definition.features)
        codes = [np.frombuffer(data, dtype=np.int16).reshape(depth, shape) for depth, data in beam]
        # In turn, so that the rest of the budget serves both ends.
        steps = zip_longest(*(neighbour_codes(definition, code) for code in codes))
        add(step for turn in steps for step in turn if step is not None)
    return _ends(_sorted(stage, found, total), _KEPT)


def _sorted(stage: int, found: list[_Scored], total: int) -> StageScores:
    score = np.concatenate([s for _, s, _ in found])
    std = np.concatenate([d for _, _, d in found])
    depths = np.concatenate([np.full(len(codes), codes.shape[1]) for codes, _, _ in found])
    layers = np.concatenate(
        [codes.reshape(codes.shape[0] * codes.shape[1], codes.shape[2]) for codes, _, _ in found]
    )
    starts = np.concatenate([[0], np.cumsum(depths)[:-1]])
    order = np.argsort(-score, kind="stable")
    offsets = np.concatenate([[0], np.cumsum(depths[order])])
    kept = layers[ranges(starts[order], depths[order])]
    return StageScores(stage, kept, offsets, score[order], std[order], len(score), total)


def _ends(scores: StageScores, kept: int) -> StageScores:
    """The ``kept`` highest and lowest scores."""
    if len(scores) <= 2 * kept:
        return scores
    return picked(scores, np.concatenate([np.arange(kept), np.arange(len(scores) - kept, len(scores))]))


def picked(scores: StageScores, index: np.ndarray) -> StageScores:
    """Scored modules at some positions, in their order."""
    sizes = np.diff(scores.offsets)[index]
    return replace(
        scores,
        layers=scores.layers[ranges(scores.offsets[index], sizes)],
        offsets=np.concatenate([[0], np.cumsum(sizes)]),
        score=scores.score[index],
        std=scores.std[index],
    )
