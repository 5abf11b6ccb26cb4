"""Text of files as windows of tokens, some for learning, others for the test."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from nasbuild.errors import NasbuildError

Split = Literal["learn", "test"]


def read_texts(patterns: Sequence[str], base: Path) -> list[tuple[str, str]]:
    """Names and texts of the files that patterns name, relative to a folder, in the order of patterns and names.

    Raises
    ------
    NasbuildError
        If a pattern names no file, or a file is no UTF-8 text.

    Examples
    --------
    >>> from pathlib import Path
    >>> from nasbuild.zoo.lm import read_texts
    >>> _ = Path("story.txt").write_text("So it goes.")
    >>> read_texts(["*.txt"], Path())
    [('story.txt', 'So it goes.')]
    """
    found: dict[str, str] = {}
    for pattern in patterns:
        # `Path.glob` takes no absolute patterns.
        matches = glob.glob(str(base / pattern), recursive=True)  # noqa: PTH207
        names = sorted(name for name in matches if Path(name).is_file())
        if not names:
            raise NasbuildError(f"no text file is called {pattern}", where=str(base))
        for name in names:
            try:
                found[name] = Path(name).read_text(encoding="utf-8")
            except UnicodeDecodeError as error:
                raise NasbuildError(f"is no UTF-8 text (byte {error.start})", where=name) from error
    return list(found.items())


def token_windows(
    texts: Sequence[tuple[str, str]], tokenizer: Any, context: int, windows: int, split: Split = "learn"
) -> np.ndarray:
    """Windows of consecutive tokens, spread evenly over the texts.

    The texts, one after the other, are cut into windows. Of every pair of neighbours that is taken, the first is for
    learning and the second for the test, so both have the same kinds of text, and no token is in both.

    Parameters
    ----------
    context
        Tokens of a window.
    windows
        How many of them; 0 for as many as there are.

    Returns
    -------
    np.ndarray
        Int64, (windows, context).

    Raises
    ------
    NasbuildError
        If the texts have too few tokens.

    Examples
    --------
    >>> from nasbuild.zoo.lm import token_windows
    >>> words = {"so": 1, "it": 2, "goes": 3}
    >>> tokenizer = lambda text, **_: {"input_ids": [words[word] for word in text.split()]}
    >>> token_windows([("text", "so it goes so it goes so it")], tokenizer, context=2, windows=2).tolist()
    [[1, 2], [2, 3]]
    >>> token_windows([("text", "so it goes so it goes so it")], tokenizer, context=2, windows=2, split="test").tolist()
    [[3, 1], [1, 2]]
    """
    tokens: list[int] = []
    for _, text in texts:
        tokens += tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
    pairs = len(tokens) // (2 * context)
    wanted = windows or pairs
    if pairs < max(wanted, 1):
        what = f"the text has {len(tokens):,} tokens; {wanted:,} windows of {context:,} need {2 * wanted * context:,}"
        raise NasbuildError(
            what, todo="give more text, or fewer or shorter windows; half of the text is kept for the test"
        )
    places = np.linspace(0, pairs - 1, wanted).round().astype(int)
    begins = (2 * places + (split == "test")) * context
    return np.array([tokens[begin : begin + context] for begin in begins], np.int64)
