"""The message for inputs whose sizes are missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nasbuild.errors import NasbuildError


def missing_sizes(missing: Mapping[str, Sequence[str]]) -> NasbuildError:
    """One error for all missing sizes of inputs.

    Parameters
    ----------
    missing
        Names of free sizes, each with the places that need it.

    Examples
    --------
    >>> from nasbuild.ir import missing_sizes
    >>> print(missing_sizes({"seq": ["dimension 1 of 'ids'"]}))
    some sizes of inputs are missing: seq (dimension 1 of 'ids'); give them: --size seq=..., or sizes={'seq': ...}
    """
    needed = "; ".join(f"{key} ({', '.join(places)})" for key, places in missing.items())
    options = " ".join(f"--size {_quoted(f'{key}=...')}" for key in missing)
    sizes = ", ".join(f"{key!r}: ..." for key in missing)
    return NasbuildError(
        f"some sizes of inputs are missing: {needed}", todo=f"give them: {options}, or sizes={{{sizes}}}"
    )


def _quoted(text: str) -> str:
    """Quoted for a shell."""
    import shlex

    return shlex.quote(text)
