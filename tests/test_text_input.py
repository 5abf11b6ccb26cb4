"""Text is read plain, gzipped or from standard input, within limits; errors are one clear sentence."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nasbuild._atomic_write import write_text
from nasbuild._text_input import bytes_of, reading
from nasbuild.errors import NasbuildError, SpaceError, TableError


@pytest.mark.parametrize("name", ["t.jsonl", "t.jsonl.gz"])
def test_text_is_read_plain_or_gzipped(tmp_path, name):
    write_text(tmp_path / name, "é\n層\n")
    with reading(tmp_path / name, TableError) as stream:
        assert list(stream) == ["é\n", "層\n"]


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("absent", None, "no such file"),
        ("absent.gz", None, "no such file"),
        ("latin", b"caf\xe9", "is not UTF-8 text"),
        ("plain.gz", b"plain", "is a damaged gzip file (Not a gzipped file (b'pl'))"),
        (
            "cut.gz",
            gzip.compress(b"text" * 99, mtime=0)[:-9],
            "is a damaged gzip file (Compressed file ended",
        ),
        (
            "flipped.gz",
            gzip.compress(os.urandom(99))[:10] + bytes([6] * 99),
            "is a damaged gzip file (Error -3",
        ),
        (
            "sum.gz",
            gzip.compress(b"text", mtime=0)[:-8] + bytes(8),
            "is a damaged gzip file (CRC check failed",
        ),
        (".", None, "can't be read (Is a directory)"),
    ],
)
@pytest.mark.parametrize("kind", [SpaceError, TableError])
def test_unreadable_files_raise_the_requested_error(tmp_path, name, content, sentence, kind):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(kind) as caught, reading(path, kind) as stream:
        stream.read()
    assert str(caught.value).startswith(f"{path}: {sentence}")


def gz(folder: Path, content: bytes, name: str = "t.jsonl.gz") -> Path:
    (folder / name).write_bytes(gzip.compress(content, mtime=0))
    return folder / name


@pytest.mark.parametrize("piece", [b"\n", b" "])
def test_a_small_gzip_that_expands_without_end_is_refused_unread(tmp_path, piece):
    path = gz(tmp_path, piece * (2**26 // len(piece)))
    assert path.stat().st_size < 2**18
    with pytest.raises(TableError) as caught, reading(path, TableError) as stream:
        raise AssertionError(f"the block must not begin, {stream}")
    assert "is longer than" in str(caught.value) or "has a line of more than" in str(caught.value)
    assert "nasbuild --max-bytes" in str(caught.value)


def test_limits_are_exact_and_can_be_set(tmp_path, monkeypatch):
    plain = tmp_path / "t.jsonl"
    monkeypatch.setenv("NASBUILD_MAX_BYTES", "64k")
    for size, line, refused in (
        (65536, 1024, None),
        (65537, 1024, "is longer than 65,536 bytes"),
        (65536, 1025, "has a line of more than 1,024 bytes"),
        (65536, 65536, "has a line of more than 1,024 bytes"),
    ):
        content = (b"x" * line + b"\n") * (size // (line + 1) + 1)
        plain.write_bytes(content[:size])
        for path in (plain, gz(tmp_path, content[:size])):
            if refused is None:
                with reading(path, TableError) as stream:
                    assert len(stream.read()) == size
            else:
                with pytest.raises(TableError, match=refused), reading(path, TableError):
                    pass
    monkeypatch.setenv("NASBUILD_MAX_BYTES", "1G")
    with reading(plain, TableError) as stream:
        assert len(stream.read()) == 65536


@pytest.mark.parametrize("size", ["", " ", "0", "-1", "8 apples", "1e9"])
def test_invalid_sizes_are_refused(size):
    with pytest.raises(NasbuildError, match="is not a size"):
        bytes_of(size)


def test_sizes_have_units():
    assert [bytes_of(t) for t in ("7", "2k", "500M", "8GB", "1t")] == [7, 2048, 500 * 2**20, 2**33, 2**40]


def test_a_pipe_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(SpaceError, match="is not a regular file; allowed: files, and - for standard input"):
        reading(tmp_path / "pipe.yaml", SpaceError).__enter__()


def test_standard_input_is_read_where_asked_for(tmp_path):
    code = (
        "from nasbuild._text_input import reading; from nasbuild.errors import TableError\n"
        "for _ in 'ab':\n    with reading('-', TableError) as s: print(s.read())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input="é\n", capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout == "é\n\né\n\n"
