"""The ``space.yaml`` of an inferred space, with comments for its reader."""

from __future__ import annotations

import textwrap

from nasbuild.space import space_to_yaml
from nasbuild.table.infer._infer_space import Guess

_WIDTH = 100
_COMMENTS = {
    "metrics": "What was measured, and whether more or less of it is better.",
    "globals": "Choices of the whole network.",
    "stages": "Runs of layers: how many there may be, and the choices of each layer.",
    "columns": "What the table calls them, so that commands read it as it is (docs/space.md).",
}


def commented_yaml(guess: Guess) -> str:
    """The text of a ``space.yaml`` that says where it is from, what was assumed, and what was left out.

    Examples
    --------
    >>> import polars as pl
    >>> from nasbuild.table import commented_yaml, guess_space
    >>> frame = pl.DataFrame({"d1": [1, 2], "k1_1": [3, 5], "k1_2": [None, 3], "acc": [71.2, 73.0]})
    >>> print(commented_yaml(guess_space(frame)))
    # A search space, inferred from 2 rows of frame. Correct what is wrong and add choices that the
    # table does not have.
    name: frame
    # What was measured, and whether more or less of it is better.
    metrics:
      acc: {direction: maximize, unit: '%'}
    # Runs of layers: how many there may be, and the choices of each layer.
    stages:
    - name: stage1
      depth: [1, 2]
      features:
        kernel: [3, 5]
    # What the table calls them, so that commands read it as it is (docs/space.md).
    columns:
      stages:
        stage1:
          depth: d1
          kernel: [k1_1, k1_2]
      metrics: {acc: acc}
    <BLANKLINE>
    """
    said = [
        f"A search space, inferred from {guess.rows:,} rows of {guess.source}. Correct what is wrong and add choices that the "
        "table does not have."
    ]
    said += [f"{question.sentence}." for question in guess.questions]
    said += guess.notes
    lines = [line for text in said for line in _comment(text)]
    for line in space_to_yaml(guess.space).splitlines():
        key = line.partition(":")[0]
        if key in _COMMENTS and not line.startswith((" ", "-")):
            lines += _comment(_COMMENTS[key])
        lines.append(line)
    return "\n".join(lines) + "\n"


def _comment(text: str) -> list[str]:
    # A name from the table may have any character; a comment has one line.
    plain = "".join(c if c.isprintable() else "?" for c in text)
    return textwrap.wrap(plain, _WIDTH, initial_indent="# ", subsequent_indent="# ")
