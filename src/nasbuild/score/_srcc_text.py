"""Spearman rank correlations (SRCC) as text."""

from __future__ import annotations

from nasbuild.score._held_out import Agreement


def srcc_text(agreement: Agreement) -> str:
    """The mean correlation with two digits; three where two would round it to a perfect 1.

    >>> srcc_text(Agreement.of([0.9, 0.8])), srcc_text(Agreement.of([0.997])), srcc_text(Agreement.of([-0.001]))
    ('0.85', '0.997', '0.00')
    """
    return correlation_text(agreement.mean)


def correlation_text(value: float) -> str:
    """One correlation, as in `srcc_text`; no minus sign before a zero."""
    return f"{value:.3f}" if value >= 0.995 else f"{value + 0.0:.2f}".replace("-0.00", "0.00")
