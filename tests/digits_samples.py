"""Networks of the digits space, with costs counted by hand."""

from __future__ import annotations

import re

import pytest

SMALLEST = [["mb_e1_k3"], ["mb_e1_k3"], ["mb_e1_k3"]]
LARGEST = [["mb_e6_k5"] * 2] * 3
MIXED = [["mb_e3_k3", "mb_e6_k5"], ["mb_e1_k3"], ["mb_e6_k5", "mb_e1_k3"]]


def needs_sklearn() -> None:
    pytest.importorskip("sklearn", reason="the digits come with scikit-learn (extra 'digits')")


def by_hand(arch) -> tuple[int, int]:
    """Parameters and MACs, written down a second time from the card's words."""
    params, macs = 9 * 8 + 2 * 8, 64 * 9 * 8  # stem: 3x3, 1 -> 8 channels, 64 pixels; norm
    width, pixels = 8, 64
    for stage, ops in enumerate(arch):
        for position, op in enumerate(ops):
            expand, kernel = map(int, re.findall(r"\d+", op))
            out = (8, 16, 24)[stage]
            inside = width * expand
            pixels_out = pixels // 4 if stage > 0 and position == 0 else pixels
            if expand > 1:
                params += width * inside + 2 * inside
                macs += pixels * width * inside
            params += kernel**2 * inside + 2 * inside + inside * out + 2 * out
            macs += pixels_out * (kernel**2 * inside + inside * out)
            width, pixels = out, pixels_out
    return params + 24 * 10 + 10, macs + 24 * 10
