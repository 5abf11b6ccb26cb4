"""Checks of pages in a browser."""

from __future__ import annotations


def texts_outside(page) -> list[str]:
    """Returns texts that overflow their picture."""
    return page.evaluate(
        """() => [...document.querySelectorAll('svg')].flatMap((s) => {
        const box = s.getBoundingClientRect();
        return [...s.querySelectorAll('text')].filter((t) => {
          const r = t.getBoundingClientRect();
          return r.left < box.left - 4 || r.right > box.right + 4 || r.bottom > box.bottom + 4;
        }).map((t) => t.textContent);
        })"""
    )
