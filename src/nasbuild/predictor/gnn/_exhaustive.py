"""y' of all combinations of modules by graph networks, without running them on every architecture.

Edges of a chain run forward, so a layer's embedding after M hops depends on that layer and the M layers before it. A
stage's part of the graph mean (eq. 2) is therefore computed once for all architectures that agree in these layers, and
summed along the tree of all combinations.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from nasbuild.predictor._threads import one_thread
from nasbuild.predictor.gnn._ensemble import Ensemble
from nasbuild.predictor.gnn._graph_batch import GraphBatch
from nasbuild.predictor.gnn._network import Network
from nasbuild.space import Space, encode_parts

_AT_ONCE = 1 << 18  # architectures whose sums are in memory at a time
_GRAPHS = 4096  # graphs in one forward pass

_Context = tuple[tuple[int, int], ...]  # stage and position of the modules before a stage, within reach


def predict_combinations(
    ensemble: Ensemble, space: Space, codes: Sequence[Sequence[np.ndarray]]
) -> np.ndarray:
    """Weighted mean of the members' y' (section 5.3) for all combinations of some modules.

    Parameters
    ----------
    codes
        For each stage, modules as (depth, features) each.

    Returns
    -------
    (combinations,) in the label's unit, the last stage's module changing fastest.

    Examples
    --------
    >>> from nasbuild.predictor import predict_combinations
    >>> codes = [module_codes(stage, depth=1) for stage in space.stages]
    >>> predict_combinations(ensemble, space, codes).shape  # 3 × 3 × 3 architectures
    (27,)
    """
    tree = _Tree(space, codes, ensemble.hops)
    total = np.zeros(int(np.prod([len(own) for own in codes])))
    with one_thread(), torch.no_grad():
        pairs = zip(ensemble.networks, ensemble.members, ensemble.weights(ensemble.hops + 1), strict=True)
        for network, member, weight in pairs:
            if weight > 0:
                value = tree.predict(network)
                total += weight * (value * member.label_std + member.label_mean)
    return total


class _Tree:
    """All combinations, stage by stage, with the context of each module: the modules before it, within reach.

    Attributes
    ----------
    parts
        For each stage, packed graphs of every context followed by every module.
    owners
        For each stage, the row of the sums to which a node belongs; -1 for nodes of the context.
    following
        For each stage, the next context after a context and a module, (contexts, modules).
    """

    def __init__(self, space: Space, codes: Sequence[Sequence[np.ndarray]], hops: int) -> None:
        self.sizes = [np.array([len(code) for code in own]) for own in codes]
        self.parts, self.owners, self.following = [], [], []
        contexts: list[_Context] = [()]
        for u, own in enumerate(codes):
            parts, owners = [], []
            after: dict[_Context, int] = {}
            following = np.empty((len(contexts), len(own)), dtype=np.int64)
            for c, context in enumerate(contexts):
                before = [(v, codes[v][j]) for v, j in context]
                seen = sum(len(code) for _, code in before)
                for j, code in enumerate(own):
                    parts.append([*before, (u, code)])
                    owners += [-1] * seen + [c * len(own) + j] * len(code)
                    # One layer more than hops: it also matters whether a layer has a predecessor.
                    kept = _seen((*context, (u, j)), self.sizes, hops + 1)
                    following[c, j] = after.setdefault(kept, len(after))
            self.parts.append(
                [encode_parts(space, parts[i : i + _GRAPHS]) for i in range(0, len(parts), _GRAPHS)]
            )
            self.owners.append(torch.tensor(owners))
            self.following.append(following)
            contexts = list(after)

    def predict(self, network: Network) -> np.ndarray:
        """y' of one network, standardised, (combinations,) float64."""
        sums = []
        for parts, owners, following in zip(self.parts, self.owners, self.following, strict=True):
            nodes = torch.cat([network.hops(GraphBatch.of(graphs))[-1] for graphs in parts])
            own = owners >= 0
            added = nodes.new_zeros(following.size, nodes.shape[1]).index_add(0, owners[own], nodes[own])
            sums.append(added.reshape(*following.shape, -1))
        start = torch.zeros(1, sums[0].shape[-1])
        found: list[np.ndarray] = []
        self._grow(network, sums, 0, start, np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64), found)
        return np.concatenate(found)

    def _grow(
        self,
        network: Network,
        sums: list[torch.Tensor],
        stage: int,
        total: torch.Tensor,
        context: np.ndarray,
        nodes: np.ndarray,
        found: list[np.ndarray],
    ) -> None:
        """Extend sums (partial combinations, width) up to a stage by the next one, in chunks where they are many."""
        if stage == len(sums):
            mean = total / torch.from_numpy(nodes).to(total.dtype)[:, None]
            found.append(network.head(mean).squeeze(-1).double().numpy())
            return
        modules = len(self.sizes[stage])
        at_once = max(1, _AT_ONCE // modules)
        for i in range(0, len(total), at_once):
            some = slice(i, i + at_once)
            grown = total[some, None] + sums[stage][torch.from_numpy(context[some])]
            self._grow(
                network,
                sums,
                stage + 1,
                grown.reshape(-1, grown.shape[-1]),
                self.following[stage][context[some]].ravel(),
                np.add.outer(nodes[some], self.sizes[stage]).ravel(),
                found,
            )


def _seen(chosen: _Context, sizes: Sequence[np.ndarray], layers: int) -> _Context:
    """The last modules with at least so many layers together; all modules if there are fewer."""
    count, kept = 0, []
    for u, j in reversed(chosen):
        if count >= layers:
            break
        kept.append((u, j))
        count += int(sizes[u][j])
    return tuple(reversed(kept))
