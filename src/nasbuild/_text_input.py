"""Opens text files safely: plain, gzipped or standard input, with limits on their size."""

from __future__ import annotations

import codecs
import contextlib
import functools
import gzip
import io
import os
import re
import stat
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from nasbuild.errors import NasbuildError

STANDARD_INPUT = "-"
LIMIT = "NASBUILD_MAX_BYTES"
"""Environment variable that raises the limits. ``nasbuild --max-bytes`` sets it, so that workers inherit it."""

_MOST = 2**30
_LINE_PART = 64  # the limit of a file divided by that of a line
# Real tables compress five to fifty times, so one of a few KB does not expand to gigabytes.
_EXPANDS, _SMALL = 200, 2**25
_CHUNK = 2**20
_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
RAISE_LIMIT = "raise the limit with nasbuild --max-bytes, such as 8G, if it is sound"


def is_gzipped(path: str | os.PathLike[str]) -> bool:
    """Whether the name of a file says that it is gzipped."""
    return Path(path).suffix.lower() == ".gz"


def bytes_of(text: str) -> int:
    """A number of bytes from a text such as ``500M``, ``8G`` or ``2000000``.

    Raises
    ------
    NasbuildError
        If the text is not a size.
    """
    found = re.fullmatch(r"\s*([0-9]{1,15})\s*([kmgt]?)b?\s*", text.lower())
    if found is None or int(found[1]) == 0:
        raise NasbuildError(
            f"{text!r} is not a size", where="--max-bytes", allowed="numbers of bytes, such as 500M or 8G"
        )
    return int(found[1]) * _UNITS[found[2]]


def most_bytes() -> int:
    """Maximum number of bytes read from one file, after decompression."""
    limit = os.environ.get(LIMIT, "")
    return bytes_of(limit) if limit else _MOST


def longest_line() -> int:
    """Maximum number of bytes of a line."""
    return max(most_bytes() // _LINE_PART, 1)


@contextlib.contextmanager
def reading(path: str | os.PathLike[str], error: type[NasbuildError]) -> Iterator[IO[str]]:
    """Open a text file: UTF-8, or UTF-16 with a byte order mark; gzipped if the name ends in ``.gz``.

    ``-`` stands for standard input. Whatever goes wrong becomes one clear ``error``. Files that are not
    regular may never end, a small gzip file may expand beyond memory, and lines of hundreds of megabytes
    are not rows.
    """
    place = Path(path)
    if "\0" in str(path):
        raise error("has a null character in its name", where=repr(str(path)))
    try:
        with (
            _opened(place, str(path), error) as binary,
            io.TextIOWrapper(binary, encoding=_encoding(binary)) as stream,
        ):
            yield stream
    except FileNotFoundError:
        raise error("no such file", where=str(path)) from None
    except UnicodeDecodeError:
        raise error("is not UTF-8 text", where=str(path)) from None
    except (gzip.BadGzipFile, zlib.error, EOFError) as cause:
        raise error(f"is a damaged gzip file ({cause})", where=str(path)) from None
    except OSError as cause:
        raise error(f"can't be read ({cause.strerror or cause})", where=str(path)) from None
    except MemoryError:
        raise error("does not fit into memory", where=str(path)) from None


@contextlib.contextmanager
def _opened(place: Path, where: str, error: type[NasbuildError]) -> Iterator[IO[bytes]]:
    most = most_bytes()
    if where == STANDARD_INPUT:
        data = _standard_input(most + 1)
        _measured(io.BytesIO(data), most, "standard input", error)
        yield io.BytesIO(data)
        return
    refuse_endless(place, error)
    size, gzipped = place.stat().st_size, is_gzipped(place)
    if gzipped and LIMIT not in os.environ:
        most = min(most, max(_SMALL, _EXPANDS * size))
    if gzipped or size > min(most, longest_line()):
        with _bytes(place) as stream:
            _measured(stream, most, where, error)
    with _bytes(place) as stream:
        yield stream


def _bytes(place: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(place) if is_gzipped(place) else place.open("rb"))


def refuse_endless(place: Path, error: type[NasbuildError]) -> None:
    """Refuse anything but files and folders, as reading an unused pipe would wait forever.

    Raises
    ------
    OSError
        If there is no such file.
    """
    mode = place.stat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise error(
            "is not a regular file",
            where=str(place),
            allowed="files, and - for standard input",
            todo="write its content to a file, or give - and pipe it in",
        )


def _encoding(stream: IO[bytes]) -> str:
    first = stream.read(2)
    stream.seek(0)
    return "utf-16" if first in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"


def _measured(stream: IO[bytes], most: int, where: str, error: type[NasbuildError]) -> None:
    """Refuse content that is too long, or has a line that is, before keeping any of it."""
    total = line = 0
    longest = longest_line()
    while chunk := stream.read(_CHUNK):
        total += len(chunk)
        if total > most:
            expanded = " once expanded" if isinstance(stream, gzip.GzipFile) else ""
            raise error(f"is longer than {most:,} bytes{expanded}", where=where, todo=RAISE_LIMIT)
        # Lines that begin and end within a chunk are below the limit.
        first = chunk.find(b"\n")
        line += len(chunk) if first < 0 else first
        if line > longest:
            raise error(f"has a line of more than {longest:,} bytes", where=where, todo=RAISE_LIMIT)
        if first >= 0:
            line = len(chunk) - 1 - chunk.rfind(b"\n")


@functools.cache
def _standard_input(most: int) -> bytes:
    # Cached, as a command may read its input twice.
    return sys.stdin.buffer.read(most)
