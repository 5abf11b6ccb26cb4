"""Questions on what a table may mean in two ways."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nasbuild.errors import TableError


@dataclass(frozen=True)
class Question:
    """Two or more readings of a table.

    Attributes
    ----------
    key
        Its name, by which an answer is given.
    options
        Text of each possible answer, the likeliest first.
    answer
        The given answer, else the likeliest.
    given
        Whether the answer was given.

    Examples
    --------
    >>> import polars as pl
    >>> from nasbuild.table import guess_space
    >>> frame = pl.DataFrame({"op1": ["a", "b", "b"], "op2": ["a", "a", "b"], "acc": [71.2, 73.0, 72.5]})
    >>> [question] = guess_space(frame).questions
    >>> question.key, question.answer, list(question.options), question.given
    ('op', 'stages', ['stages', 'layers'], False)
    """

    key: str
    text: str
    options: Mapping[str, str]
    answer: str
    given: bool

    @property
    def sentence(self) -> str:
        """The question with the answer that was taken."""
        return f"{self.text} {'Answer' if self.given else 'Assumed'}: {self.options[self.answer]}"


class Questions:
    """Asks, and remembers what was asked."""

    def __init__(self, answers: Mapping[str, str]) -> None:
        self._answers = answers
        self.asked: list[Question] = []

    def ask(self, key: str, text: str, options: Mapping[str, str]) -> str:
        """The given answer, or the first option, which is the likeliest.

        Raises
        ------
        TableError
            If the given answer is no option.
        """
        answer = self._answers.get(key, next(iter(options)))
        if answer not in options:
            raise TableError(f"{answer!r} is no answer", where=f"answer {key}", allowed=options)
        self.asked.append(Question(key, text, options, answer, key in self._answers))
        return answer

    def check(self) -> None:
        """Refuse answers to what was not asked.

        Raises
        ------
        TableError
            Naming the first one.
        """
        known = {question.key for question in self.asked}
        for key in self._answers:
            if key not in known:
                raise TableError(
                    f"nothing is asked about {key!r}", where="answers", allowed=sorted(known) or None
                )
