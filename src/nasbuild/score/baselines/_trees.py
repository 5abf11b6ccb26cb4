"""Boosted trees as arrays of our own: LightGBM sees only what was checked to be trees.

Its reader of models trusts what it reads: a child out of range ends the process, a cycle never ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

_CATEGORICAL = 1  # bit of a decision that compares no numbers
_MOST_LEAVES = 2**20
_KINDS = {"leaves": np.int32, "left": np.int32, "right": np.int32, "feature": np.int32, "decision": np.uint8}
_TEXTS = {
    "left": "left_child",
    "right": "right_child",
    "feature": "split_feature",
    "decision": "decision_type",
}


@dataclass(frozen=True)
class Trees:
    """All trees of a model, one behind the other.

    A tree of L leaves has L - 1 nodes, of which the first is its root. A child is a node by its number
    in the tree, or leaf ``~child``.

    Attributes
    ----------
    leaves
        Leaves of each tree, (trees,).
    left, right, feature, threshold, decision
        Children of each node, the column that it compares, with what, and LightGBM's bits of how, (nodes,).
    value
        What each leaf adds to the prediction, (leaves of all trees,).
    """

    leaves: np.ndarray
    left: np.ndarray
    right: np.ndarray
    feature: np.ndarray
    decision: np.ndarray
    threshold: np.ndarray
    value: np.ndarray

    @classmethod
    def of_text(cls, text: str) -> Trees:
        """The trees of a model as LightGBM writes it."""
        parts = [_pairs(part) for part in text.split("\nTree=")[1:]]
        found = {
            name: np.array([int(v) for part in parts for v in part.get(key, "").split()], dtype=_KINDS[name])
            for name, key in _TEXTS.items()
        }
        return cls(
            np.array([int(part["num_leaves"]) for part in parts], dtype=np.int32),
            threshold=np.array([float(v) for p in parts for v in p.get("threshold", "").split()]),
            value=np.array([float(v) for part in parts for v in part["leaf_value"].split()]),
            **found,
        )

    def booster(self, width: int) -> Any:
        """LightGBM's model of rows of ``width`` columns."""
        import lightgbm

        trees = [self._tree_text(n, *span) for n, span in enumerate(self._spans())]
        head = (
            "tree",
            "version=v4",
            "num_class=1",
            "num_tree_per_iteration=1",
            "label_index=0",
            f"max_feature_idx={width - 1}",
            "objective=regression",
            f"feature_names={' '.join(f'Column_{i}' for i in range(width))}",
            f"feature_infos={' '.join(['none'] * width)}",
            f"tree_sizes={' '.join(str(len(tree)) for tree in trees)}",
            "",
            "",
        )
        return lightgbm.Booster(model_str="\n".join(head) + "".join(trees) + "end of trees\n")

    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray], width: int) -> Trees:
        """Trees on rows of ``width`` columns.

        Raises
        ------
        ValueError
            If the arrays are no trees.
        """
        names = [field.name for field in fields(cls)]
        if set(arrays) != set(names):
            raise ValueError("arrays of another kind of model")
        for name, array in arrays.items():
            if array.ndim != 1 or array.dtype != _KINDS.get(name, np.float64):
                raise ValueError(f"{name} is no list of such numbers")
        found = cls(**arrays)
        found._check(width)
        return found

    def _check(self, width: int) -> None:
        leaves = self.leaves.astype(np.int64)
        if not len(leaves) or leaves.min() < 1 or leaves.max() > _MOST_LEAVES:
            raise ValueError("trees without leaves")
        nodes = int((leaves - 1).sum())
        if any(len(a) != nodes for a in (self.left, self.right, self.feature, self.decision, self.threshold)):
            raise ValueError("trees with other numbers of nodes")
        if len(self.value) != leaves.sum() or not np.isfinite(self.value).all():
            raise ValueError("leaves without values")
        if nodes and (self.feature.min() < 0 or self.feature.max() >= width):
            raise ValueError("trees of another space")
        if (
            np.isnan(self.threshold).any()
            or (self.decision & _CATEGORICAL).any()
            or (self.decision > 15).any()
        ):
            raise ValueError("decisions that compare no numbers")
        for start, end, _, _ in self._spans():
            count = end - start
            children = np.concatenate([self.left[start:end], self.right[start:end]])
            parents = np.tile(np.arange(count), 2)
            inner = children >= 0
            # Every node but the root and every leaf once, and no way back: a node stands behind its parent.
            whole = np.array_equal(
                np.sort(children), np.concatenate([np.arange(-count - 1, 0), np.arange(1, count)])
            )
            if count and not (whole and (children[inner] > parents[inner]).all()):
                raise ValueError("nodes that are no tree")

    def _spans(self) -> list[tuple[int, int, int, int]]:
        """First node, end of the nodes, first leaf and end of the leaves of each tree."""
        ends = np.cumsum(self.leaves.astype(np.int64)).tolist()
        starts = [0, *ends[:-1]]
        return [(a - n, b - n - 1, a, b) for n, (a, b) in enumerate(zip(starts, ends, strict=True))]

    def _tree_text(self, number: int, start: int, end: int, first: int, last: int) -> str:
        lines = [f"Tree={number}", f"num_leaves={last - first}", "num_cat=0"]
        if end > start:
            own: dict[str, Sequence[Any]] = {
                key: getattr(self, n)[start:end].tolist() for n, key in _TEXTS.items()
            }
            own["threshold"] = [repr(v) for v in self.threshold[start:end].tolist()]
            lines += [f"{key}={' '.join(map(str, values))}" for key, values in own.items()]
        lines.append(f"leaf_value={' '.join(map(repr, self.value[first:last].tolist()))}")
        return "\n".join([*lines, "is_linear=0", "shrinkage=1", "", "", ""])


def _pairs(part: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in part.splitlines() if "=" in line)
