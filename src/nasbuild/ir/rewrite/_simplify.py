"""The rewriting steps, in order."""

from __future__ import annotations

from collections.abc import Callable

from nasbuild.ir._draft_graph import Draft
from nasbuild.ir.rewrite._data_movement import (
    align_attention,
    drop_nothing,
    merge_reshapes,
    merge_transposes,
    share_equal,
    unflatten,
)
from nasbuild.ir.rewrite._fold_layers import fold_into_linear, fold_pads, name_pools
from nasbuild.ir.rewrite._fuse_activation import fuse_activations
from nasbuild.ir.rewrite._fuse_attention import fuse_attention
from nasbuild.ir.rewrite._fuse_norm import fuse_norms


def simplify(draft: Draft) -> None:
    """Bring a draft into the canonical form of both readers; the order of the steps matters."""
    steps: tuple[Callable[[Draft], None], ...] = (
        drop_nothing,
        share_equal,
        merge_transposes,
        fold_into_linear,
        unflatten,
        merge_reshapes,
        fold_into_linear,
        fold_pads,
        name_pools,
        fuse_activations,
        fuse_norms,
        merge_reshapes,
        fuse_attention,
        align_attention,
        merge_transposes,
        merge_reshapes,
        share_equal,
    )
    draft.prune()
    for step in steps:
        step(draft)
        draft.prune()
