"""Dynamic programming along a chain: sums over slots and neighbouring slots, with priced bounds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from nasbuild.builder._dual_prices import dual_prices

_MAX_CELLS = 4_000_000  # cells of picks in memory
_PRICE_FACTORS = (1.0, 1.02, 1.05, 1.1, 1.2, 1.35, 1.5, 2.0, 3.0, 5.0, 10.0, 100.0)
_GAP_FACTOR = 1.25  # a quarter of the factor by which a gap is widened


@dataclass(frozen=True)
class Chain:
    """Scores and bounded costs of a chain of slots, with terms of neighbouring slots.

    Attributes
    ----------
    scores, costs
        For each slot, (options,) and (options, bounds).
    score_tables, cost_tables
        For each slot but the last, with the next one: (options, options of the next) and (..., bounds).
    bounds
        Upper limit of each cost, (bounds,).
    """

    scores: tuple[np.ndarray, ...]
    costs: tuple[np.ndarray, ...]
    score_tables: tuple[np.ndarray, ...]
    cost_tables: tuple[np.ndarray, ...]
    bounds: np.ndarray

    def priced(self, prices: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Scores minus priced costs: of slots, (options,), and of neighbouring slots."""
        own = [s - c @ prices for s, c in zip(self.scores, self.costs, strict=True)]
        both = [s - c @ prices for s, c in zip(self.score_tables, self.cost_tables, strict=True)]
        return own, both

    def best_path(self, prices: np.ndarray) -> np.ndarray:
        """The pick with the best priced sum (Viterbi, 1967), (slots,)."""
        own, both = self.priced(prices)
        ahead = _completions(own, both)
        pick = [int(np.argmax(own[0] + ahead[0]))]
        for s in range(1, len(own)):
            pick.append(int(np.argmax(both[s - 1][pick[-1]] + own[s] + ahead[s])))
        return np.array(pick, dtype=np.int64)

    def best_at(self, prices: np.ndarray) -> tuple[float, np.ndarray]:
        """Score and costs of `best_path`."""
        pick = self.best_path(prices)
        score = sum(float(own[p]) for own, p in zip(self.scores, pick, strict=True))
        spent = np.sum([own[p] for own, p in zip(self.costs, pick, strict=True)], axis=0)
        for s, (table, cost) in enumerate(zip(self.score_tables, self.cost_tables, strict=True)):
            score += float(table[pick[s], pick[s + 1]])
            spent = spent + cost[pick[s], pick[s + 1]]
        return score, spent

    @cached_property
    def prices(self) -> np.ndarray | None:
        """Dual prices of the bounds; None if the relaxation shows that nothing is within them."""
        return dual_prices(_PricedChain(self))

    def upper_bound(self, prices: np.ndarray) -> float:
        """Upper bound on the score of any pick within the bounds."""
        own, both = self.priced(prices)
        return float((own[0] + _completions(own, both)[0]).max() + prices @ self.bounds)

    def paths_at_higher_prices(self, prices: np.ndarray) -> np.ndarray:
        """Best picks at increasing multiples of the prices, (picks, slots)."""
        return np.unique([self.best_path(prices * factor) for factor in _PRICE_FACTORS], axis=0)

    def enumerate_gap(self, prices: np.ndarray, gap: float) -> np.ndarray | None:
        """Enumerates picks whose priced sum is at most ``gap`` below the best, (picks, slots).

        Prefixes that can't stay within the bounds are pruned. None if there are too many picks.
        """
        single, both = self.priced(prices)
        ahead = _completions(single, both)
        least = _least_costs(self.costs, self.cost_tables)
        lowest = float((single[0] + ahead[0]).max()) - gap * (1 + 1e-12)
        picks = np.arange(len(single[0]))[:, None]
        sums, spent = single[0], self.costs[0]
        held = _MAX_CELLS // len(single)
        for s in range(len(single)):
            if s:
                last = picks[:, -1]
                if len(last) * len(single[s]) > 50 * held:
                    return None
                value = sums[:, None] + both[s - 1][last] + single[s]
                row, option = np.nonzero(value + ahead[s] >= lowest)
                if len(row) > 20 * held:
                    return None
                sums = value[row, option]
                spent = spent[row] + self.cost_tables[s - 1][last[row], option] + self.costs[s][option]
                picks = np.column_stack([picks[row], option])
            may = (sums + ahead[s][picks[:, -1]] >= lowest) & np.all(
                spent + least[s][picks[:, -1]] <= self.bounds, axis=1
            )
            picks, sums, spent = picks[may], sums[may], spent[may]
            if len(picks) > held:
                return None
        return picks

    def widen_gap(self, prices: np.ndarray, n: int) -> np.ndarray | None:
        """Enumerates picks within a gap that is widened until there are ``n``.

        Returns the picks of the last gap that could be enumerated; None if not even the first one could.
        """
        own, both = self.priced(prices)
        span = sum(float(np.ptp(a)) for a in (*own, *both)) or 1.0
        gap, found = 1e-5 * span, None
        while gap < span:
            listed = self.enumerate_gap(prices, gap)
            if listed is None:
                return found
            found = listed
            if len(found) >= n:
                return found
            gap *= 4 * _GAP_FACTOR
        return found


class _PricedChain:
    """A chain for `dual_prices`: neighbouring terms count as slots of their own in the range of scores."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self.bounds = chain.bounds
        self.scores = (*chain.scores, *(t.ravel() for t in chain.score_tables))
        self.costs = (
            *chain.costs,
            *(
                t.reshape(t.shape[0] * t.shape[1], -1) if t.size else np.zeros((1, 0))
                for t in chain.cost_tables
            ),
        )

    def best_at(self, prices: np.ndarray) -> tuple[float, np.ndarray]:
        return self.chain.best_at(prices)


def _completions(own: list[np.ndarray], both: list[np.ndarray]) -> list[np.ndarray]:
    """For each slot, the best completion by the following slots for each of its options, (options,)."""
    ahead = [np.zeros(len(own[-1]))]
    for s in range(len(own) - 2, -1, -1):
        ahead.append((both[s] + (own[s + 1] + ahead[-1])[None]).max(axis=1))
    return ahead[::-1]


def _least_costs(costs: tuple[np.ndarray, ...], tables: tuple[np.ndarray, ...]) -> list[np.ndarray]:
    """For each slot, the least cost of the following slots for each of its options, (options, bounds)."""
    ahead = [np.zeros_like(costs[-1])]
    for s in range(len(costs) - 2, -1, -1):
        ahead.append((tables[s] + (costs[s + 1] + ahead[-1])[None]).min(axis=1))
    return ahead[::-1]
