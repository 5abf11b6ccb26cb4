"""Lists the sentences and lines of Markdown files that are too long to read with ease.

    python .ci/prose.py README.md docs/*.md

A sentence may have 30 words, a line 100 characters. Code blocks, tables, comments and link targets
do not count. A heading, a list item and an image's text are sentences of their own, and so is a
paragraph's last sentence without a full stop. A code span is one word. Exits with 1 if anything is
too long.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

MOST_WORDS = 30
MOST_CHARACTERS = 100

FENCE = re.compile(r"\s*(?:>\s?)*\s*(?:(?:[-*+]|\d+[.)])\s+)?(```+|~~~+)")
HEADING = re.compile(r"\s{0,3}#{1,6}(?:\s+|$)")
UNDERLINE = re.compile(r"\s{0,3}(?:=+|-+)\s*$")
RULE = re.compile(r"\s{0,3}(?:(?:-\s*){3,}|(?:\*\s*){3,}|(?:_\s*){3,})$")
ITEM = re.compile(r"(\s*)((?:[-*+]|\d{1,3}[.)])\s+)")
QUOTE = re.compile(r"^\s{0,3}(?:>\s?)+")
LINK_DEFINITION = re.compile(r"\s{0,3}\[[^\]]+\]:\s*\S+")
TABLE_DELIMITER = re.compile(r"\s*\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*$")

CODE_SPAN = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)", re.DOTALL)
IMAGE = re.compile(r"!\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])")
LINK = re.compile(r"\[((?:[^\[\]]|\[[^\]]*\])*)\](?:\((?:[^()]|\([^()]*\))*\)|\[[^\]]*\])")
LINK_TARGET = re.compile(r"(?<=\])\((?:[^()]|\([^()]*\))*\)")
URL = re.compile(r"<https?://[^\s>]+>|https?://[^\s>)]*[^\s>).,;:!?]")
TAG = re.compile(r"</?[a-zA-Z][^<>]*>")

SENTENCE_END = re.compile(r"(\.{3}|…|[.!?])[\"'”’)\]*_]*(?=\s)")
ABBREVIATIONS = {"al", "approx", "cf", "ch", "e.g", "eq", "eqs", "fig", "figs", "i.e", "p", "pp", "sec", "vs"}


@dataclass
class Block:
    """A paragraph, heading or list item: the number of its first line, and its lines."""

    first: int
    lines: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Finding:
    line: int
    what: str


def blocks(text: str) -> tuple[list[Block], list[tuple[int, str]]]:
    """The blocks of running text, and the numbered lines that are neither code nor table."""
    found: list[Block] = []
    prose: list[tuple[int, str]] = []
    block: Block | None = None
    fence = ""
    in_comment = in_table = in_list = False
    blank = True
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        if fence:
            if re.match(rf"\s*(?:>\s?)*\s*{re.escape(fence)}[{fence[0]}]*\s*$", line):
                fence = ""
            continue
        if not in_comment and (opened := FENCE.match(line)):
            fence, block, blank = opened[1], None, False
            continue
        line, in_comment = without_comments(line, in_comment)
        if not line.strip():
            block, in_table, blank = None, False, True
            continue
        if blank and not in_list and re.match(r"(?: {4}|\t)", line):  # an indented code block
            continue
        following = lines[number] if number < len(lines) else ""
        starts_table = "|" in line and "|" in following and TABLE_DELIMITER.match(following)
        if in_table or starts_table or line.lstrip().startswith("|"):
            in_table, block, blank = True, None, False
            continue
        if LINK_DEFINITION.match(line) and not line.lstrip().startswith("[^"):
            block, blank = None, False
            continue
        if block is not None and UNDERLINE.match(line):  # what stood above was a heading
            block, blank = None, False
            continue
        if RULE.match(line):
            block, blank, in_list = None, False, False
            continue
        prose.append((number, line))
        line = QUOTE.sub("", line)
        heading, item = HEADING.match(line), ITEM.match(line)
        if heading or item or block is None:
            block = Block(number)
            found.append(block)
        if heading:
            line, in_list = line[heading.end() :].rstrip("# "), False
        elif item:
            line, in_list = line[item.end() :], True
        elif blank and not line.startswith((" ", "\t")):
            in_list = False
        block.lines.append(line)
        if heading:
            block = None
        blank = False
    return found, prose


def without_comments(line: str, inside: bool) -> tuple[str, bool]:
    """The line without its HTML comments, and whether one is still open at its end."""
    kept = ""
    while line:
        mark = "-->" if inside else "<!--"
        before, found, line = line.partition(mark)
        kept += "" if inside else before
        if found:
            inside = not inside
    return kept, inside


def plain(text: str) -> str:
    """The words that a reader sees, in as many lines; a code span is one word."""

    def as_word(match: re.Match[str]) -> str:
        return "code" + "\n" * match[0].count("\n")

    def shown(match: re.Match[str]) -> str:
        return match[1] + "\n" * (match[0].count("\n") - match[1].count("\n"))

    def as_sentence(match: re.Match[str]) -> str:
        return f"\0{shown(match)}\0"

    text = CODE_SPAN.sub(as_word, text)
    text = IMAGE.sub(as_sentence, text)
    text = LINK.sub(shown, text)
    text = URL.sub("link", text)
    return TAG.sub(lambda match: "\n" * match[0].count("\n"), text)


def sentences(block: Block) -> Iterator[tuple[int, str]]:
    """Each sentence with the number of its first line."""
    text = plain("\n".join(block.lines))
    line = block.first
    for part in re.split(r"(\0)", text):
        start = 0
        ends = [match.end() for match in SENTENCE_END.finditer(part) if ends_sentence(part, match)]
        for end in [*ends, len(part)]:
            piece = part[start:end]
            inset = len(piece) - len(piece.lstrip())
            if re.search(r"\w", piece):
                yield line + piece[:inset].count("\n"), " ".join(piece.split())
            line += piece.count("\n")
            start = end


def ends_sentence(text: str, stop: re.Match[str]) -> bool:
    before = text[: stop.start()].split()
    if stop[1] in ("...", "…"):
        return bool(re.match(r"[\"'“‘(\[*_]*[A-Z]", text[stop.end() :].lstrip()))
    word = before[-1].lower().lstrip("\"'“‘([*_") if before else ""
    return stop[1] != "." or word not in ABBREVIATIONS


def count_words(sentence: str) -> int:
    """Words are parted by spaces and dashes; a lone sign is none."""
    return sum(bool(re.search(r"\w", word)) for word in re.split(r"[\s—]+|\s–\s", sentence))


def check(text: str) -> list[Finding]:
    """What is too long in a Markdown text, by line."""
    running, prose = blocks(text)
    found = []
    for block in running:
        for line, sentence in sentences(block):
            words = count_words(sentence)
            if words > MOST_WORDS:
                opening = " ".join(sentence.split()[:8])
                found.append(Finding(line, f"{words} words in a sentence: {opening} ..."))
    for number, line in prose:
        shown = URL.sub("", LINK_TARGET.sub("", IMAGE.sub("", line))).rstrip()
        if len(shown) > MOST_CHARACTERS:
            found.append(Finding(number, f"{len(shown)} characters in a line"))
    return sorted(found, key=lambda finding: finding.line)


def main(paths: list[str]) -> int:
    if not paths:
        print("usage: python .ci/prose.py FILE.md ...", file=sys.stderr)
        return 2
    total = 0
    for path in paths:
        for finding in check(Path(path).read_text(encoding="utf-8")):
            print(f"{path}:{finding.line}: {finding.what}")
            total += 1
    return 1 if total else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
