"""`.ci/prose.py` finds sentences and lines that are too long, and nothing else."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent / ".ci" / "prose.py"


def load_script():
    spec = importlib.util.spec_from_file_location("prose", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["prose"] = module
    spec.loader.exec_module(module)
    return module


prose = load_script()


def words(n: int, end: str = ".") -> str:
    """A sentence of `n` words, in lines of ten."""
    lines = [" ".join(["word"] * min(10, n - at)) for at in range(0, n, 10)]
    return "\n".join(lines) + end


def counts(text: str) -> list[int]:
    """The number of words of each sentence."""
    running, _ = prose.blocks(text)
    return [prose.count_words(sentence) for block in running for _, sentence in prose.sentences(block)]


def found(text: str) -> list[tuple[int, str]]:
    """Line and measure of each finding."""
    return [(finding.line, " ".join(finding.what.split()[:2])) for finding in prose.check(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("One two three. Four five!\nSix?\n", [3, 2, 1], id="full stops"),
        pytest.param("One two. lower case begins. And y' too.", [2, 3, 3], id="lower case"),
        pytest.param("See e.g. this, i.e. that (cf. eq. 4, Mills et al. 2024).", [12], id="abbreviations"),
        pytest.param("Version 1.5 holds 0.02 points of x.y here.", [8], id="dots inside words"),
        pytest.param("One (two. Three.) Four.", [2, 1, 1], id="brackets"),
        pytest.param('He said "one." Then two.', [3, 2], id="quotes"),
        pytest.param("**One two.** Three *four.* Five.", [2, 2, 1], id="emphasis"),
        pytest.param("One ... two three. One... Two.", [3, 1, 1], id="ellipses"),
        pytest.param("One—two three — four – five.", [5], id="dashes"),
        pytest.param("Run `nasbuild fit --out x. Y.` now. Then stop.", [3, 2], id="code span"),
        pytest.param("A `code span\nover two. Lines` here.", [3], id="code span over two lines"),
        pytest.param("See [the two words](docs/a.b.md#c. d) here.", [5], id="link"),
        pytest.param(
            "See [`two` [x]](a_(b).md) and [that][ref].\n\n[ref]: a.md\n", [5], id="link by reference"
        ),
        pytest.param("See https://a.b/c. And <https://d.e> then.", [2, 3], id="addresses"),
        pytest.param("Before ![three more words](a.png) after it.", [1, 3, 2], id="image"),
        pytest.param("# A heading\nThen text\n## Another one ##\n", [2, 2, 2], id="headings"),
        pytest.param(
            "A heading\n=========\nThen text\n\nAnother\n---\n", [2, 2, 1], id="underlined headings"
        ),
        pytest.param("- one two\n- three\n  four\n* five\n\n1. six\n2) seven\n", [2, 2, 1, 1, 1], id="lists"),
        pytest.param("- one\n\n      code of it\n\n  two three\n", [1, 3, 2], id="list with paragraphs"),
        pytest.param("> one two.\n> three\n", [2, 1], id="quotation"),
        pytest.param("One\n\n```\n# Not this. Nor this.\n```\nTwo three\n", [1, 2], id="code block"),
        pytest.param("One\n\n~~~~\n~~~\nno\n~~~~\nTwo\n", [1, 1], id="long fence"),
        pytest.param("- One\n  ```yaml\n  no: no\n  ```\n- Two\n", [1, 1], id="code block in a list"),
        pytest.param("One:\n\n    no no. No.\n\nTwo three\n", [1, 2], id="indented code block"),
        pytest.param("One\n\n| a | b. c |\n|---|---|\n| d. e | f |\n\nTwo\n", [1, 1], id="table"),
        pytest.param("One\n\na | b\n---|---\nc | d. e\n\nTwo\n", [1, 1], id="table without outer bars"),
        pytest.param("One <!-- not. This --> two.\n<!--\nNor. This\n-->\nThree", [2, 1], id="comments"),
        pytest.param("<p align='center'>One <b>two</b>.</p>", [2], id="tags"),
        pytest.param("One\n\n---\n\nTwo\n***\nThree", [1, 1, 1], id="rules"),
        pytest.param("", [], id="empty"),
    ],
)
def test_words_of_each_sentence(text: str, expected: list[int]):
    assert counts(text) == expected


def test_a_sentence_of_thirty_words_is_fine_and_one_more_is_not():
    assert found(words(30)) == []
    assert found(words(31)) == [(1, "31 words")]
    assert found(f"Short. {words(31)}") == [(1, "31 words")]


def test_findings_name_the_line_where_the_sentence_begins():
    text = f"# Title\n\nShort.\n{words(31)}\nShort.\n\n- item\n- {words(45)}\n\nShort. A\n{words(40)}\n"
    assert found(text) == [(4, "31 words"), (11, "45 words"), (17, "41 words")]


def test_line_after_a_code_span_over_two_lines_is_right():
    assert found(f"A `code\nspan` and ![a\npicture](x.png).\n{words(31)}") == [(4, "31 words")]


def test_lines_may_have_a_hundred_characters():
    assert found("a" * 100) == []
    assert found("b\n" + "a" * 101) == [(2, "101 characters")]


def test_link_targets_code_and_tables_may_be_long():
    long = "a" * 120
    assert found(f"See [this]({long}).\n\n[ref]: {long}\n\n![{long}](b.png)\n") == []
    assert found(f"See https://{long}.org/\n\n| {long} | b |\n|---|---|\n| {long} | d |\n") == []
    assert found(f"```\n{long}\n```\n\n    {long}\n") == []


def test_the_command_prints_each_finding_and_exits_with_1(tmp_path: Path):
    good, bad = tmp_path / "good.md", tmp_path / "bad.md"
    good.write_text("Short.\n")
    bad.write_text(f"Short.\n\n{words(33)}\n{'a' * 130}\n")

    def run(*paths: Path):
        return subprocess.run([sys.executable, SCRIPT, *paths], capture_output=True, text=True, check=False)

    assert (run(good).returncode, run(good).stdout) == (0, "")
    done = run(good, bad)
    assert done.returncode == 1
    opening = " ".join(["word"] * 8)
    assert done.stdout.splitlines() == [
        f"{bad}:3: 33 words in a sentence: {opening} ...",
        f"{bad}:7: 130 characters in a line",
    ]
    assert run().returncode == 2
