"""Types of GGUF tensors from recipes of GGUF-Tool-Suite and from ``--tensor-type-file`` of llama.cpp.

Both are lines ``PATTERN=TYPE``; lines of options, as on llama-quantize's command line, are read as well. Recipes have comments, and their names say mean bits and perplexity.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from nasbuild._text_input import reading
from nasbuild.errors import TableError
from nasbuild.table._table import Note
from nasbuild.table.quantizers._assigned import DEFAULT, Assigned, AssignedRow, Rule

ENDINGS = (".recipe", ".txt")
_TYPE = re.compile(r"[A-Za-z][A-Za-z0-9_]*\d\w*", re.ASCII)
_OF_TENSOR = {"--token-embedding-type": "token_embd", "--output-tensor-type": "output"}
_QUOTES = "'\""
_FIGURES = (("recipe_ppl", re.compile(r"(\d+(?:\.\d+)?)ppl")), ("bpw", re.compile(r"(\d+(?:\.\d+)?)bpw")))


def gguf_type(text: str) -> str:
    """A type as llama.cpp writes it: ``q4_K`` for ``Q4_K``, ``iq4_xs`` for ``IQ4_XS``.

    Examples
    --------
    >>> from nasbuild.table.quantizers._gguf_recipes import gguf_type
    >>> gguf_type("Q4_K"), gguf_type("IQ4_XS"), gguf_type("q4_k_r4")
    ('q4_K', 'iq4_xs', 'q4_k_r4')
    """
    lower = text.lower()
    lower = re.sub(r"^(q\d)_k$", r"\1_K", lower)
    return re.sub(r"^(q\d)_kv", r"\1_KV", lower)


def read_recipe(path: Path) -> Assigned:
    """The one architecture of a recipe or of a ``--tensor-type-file``; patterns count in their order.

    Raises
    ------
    TableError
        Naming the line that is not ``PATTERN=TYPE``.
    """
    rules = []
    with reading(path, TableError) as stream:
        for number, line in enumerate(stream, 1):
            # llama.cpp splits at any space; recipes have comments to the end of a line.
            rules += _rules(line.partition("#")[0].split(), f"{path}, line {number}")
    if not rules:
        raise TableError("has no line PATTERN=TYPE", where=str(path))
    name = re.sub(r"\.(recipe|txt)$", "", path.name, flags=re.IGNORECASE)
    metrics = {m: float(found[1]) for m, figure in _FIGURES if (found := figure.search(path.name))}
    # A recipe covers all tensors. llama-quantize gives the others the type that stands on its command line.
    is_recipe = path.name.lower().endswith(".recipe")
    row = AssignedRow(str(path), name, tuple(rules), None if is_recipe else DEFAULT, metrics)
    notes = []
    if metrics:
        notes.append(
            Note("read", f"{' and '.join(metrics)} of recipes are the figures in the names of their files")
        )
    if not is_recipe:
        text = (
            f"tensors that no line of a --tensor-type-file is about have the type that llama-quantize was called with, "
            f"which is not in the file: read as {DEFAULT!r}"
        )
        notes.append(Note("read", text))
    directions = dict.fromkeys(metrics, "minimize")
    return Assigned(
        str(path), [row], None, directions, {"bpw": "bits"} if "bpw" in metrics else {}, notes=notes
    )


def _rules(texts: list[str], where: str) -> Iterator[Rule]:
    """The rules of a line: ``PATTERN=TYPE``, or options of llama-quantize, as shells have them."""
    rest = iter(texts)
    for text in rest:
        if text in _OF_TENSOR:
            yield Rule(_OF_TENSOR[text], gguf_type(next(rest, "").strip(_QUOTES)))
        elif text == "--tensor-type":
            yield _rule(next(rest, ""), where)
        elif text.startswith("--"):
            raise TableError(
                f"{text[:60]} says more than the types of tensors",
                where=where,
                allowed=[*_OF_TENSOR, "--tensor-type"],
            )
        elif text != "\\":
            yield _rule(text, where)


def _rule(text: str, where: str) -> Rule:
    text = text.strip(_QUOTES)
    pattern, sign, kind = text.rpartition("=")
    if not sign or not pattern or not _TYPE.fullmatch(kind):
        raise TableError(
            f"{text[:60]!r} does not give tensors a type",
            where=where,
            allowed=r"PATTERN=TYPE, such as blk\.([0-9]|1[0-9])\.attn_v\.weight=q5_K",
        )
    return Rule(pattern, gguf_type(kind), is_pattern=True)
