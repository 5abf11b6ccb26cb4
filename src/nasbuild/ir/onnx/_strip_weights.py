"""Reads ONNX files without their weights, so that a file of gigabytes costs megabytes."""

from __future__ import annotations

import mmap
import os
from pathlib import Path

from nasbuild.errors import NasbuildError

KEPT = 4096
"""Tensors up to so many bytes keep their numbers: shapes, axes and scales are that small."""
MOST_BYTES = 64 * 2**20
MOST_FIELDS = 1_000_000
MOST_DEPTH = 32

# Nested message by message and field number (onnx.proto, whose numbers never change).
_INSIDE: dict[str, dict[int, str]] = {
    "model": {7: "graph", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
# float, int32, int64, raw, double and uint64 data
_NUMBERS = {4, 5, 7, 9, 10, 11}


class _Broken(Exception):
    pass


def strip_weights(path: str | os.PathLike[str]) -> bytes:
    """The bytes of an ONNX model without the numbers of its larger tensors.

    Raises
    ------
    NasbuildError
        If there is no such file, or it can't be read, is not a protocol buffer, or exceeds the limits.
    """
    place = Path(path)
    try:
        with place.open("rb") as stream:
            if not os.fstat(stream.fileno()).st_size:
                raise NasbuildError("is empty", where=str(path))
            with (
                mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
                memoryview(mapped) as view,
            ):
                return _Slimmer(view).slim(0, len(view), "model", 0)
    except FileNotFoundError:
        raise NasbuildError("no such file", where=str(path)) from None
    except (OSError, ValueError) as error:
        raise NasbuildError(
            f"can't be read ({getattr(error, 'strerror', None) or error})", where=str(path)
        ) from None
    except _Broken as error:
        raise NasbuildError(f"is not an ONNX file, or is damaged ({error})", where=str(path)) from None


class _Slimmer:
    def __init__(self, view: memoryview) -> None:
        self._view = view
        self._fields = 0
        self._bytes = 0

    def slim(self, start: int, end: int, kind: str, depth: int) -> bytes:
        if depth > MOST_DEPTH:
            raise _Broken(f"graphs are nested more than {MOST_DEPTH} deep")
        pieces: list[bytes] = []
        at = kept = start
        while at < end:
            begin = at
            key, at = self._varint(at, end)
            number, wire = key >> 3, key & 7
            self._fields += 1
            if self._fields > MOST_FIELDS:
                raise _Broken(f"it has more than {MOST_FIELDS:,} parts")
            if wire == 0:
                _, at = self._varint(at, end)
                continue
            if wire in (1, 5):
                at += 8 if wire == 1 else 4
                size = 0
            elif wire == 2:
                size, at = self._varint(at, end)
            else:
                raise _Broken("a part has a form that is not known")
            if number == 0 or at + size > end:
                raise _Broken("a part is longer than the file" if number else "a part has no number")
            inside = _INSIDE[kind].get(number)
            heavy = size > KEPT
            if heavy and (inside is not None or (kind == "tensor" and number in _NUMBERS)):
                pieces.append(self._copy(kept, begin))
                if inside is not None:
                    within = self.slim(at, at + size, inside, depth + 1)
                    pieces += [_written(key), _written(len(within)), within]
                kept = at + size
            at += size
        if at != end:
            raise _Broken("it ends too early")
        pieces.append(self._copy(kept, end))
        return b"".join(pieces)

    def _copy(self, start: int, end: int) -> bytes:
        self._bytes += end - start
        if self._bytes > MOST_BYTES:
            raise _Broken(f"without weights it is larger than {MOST_BYTES // 2**20} MB")
        return bytes(self._view[start:end])

    def _varint(self, at: int, end: int) -> tuple[int, int]:
        value = shift = 0
        while at < end and shift < 70:
            byte = self._view[at]
            at += 1
            value |= (byte & 127) << shift
            if byte < 128:
                return value, at
            shift += 7
        raise _Broken("it ends too early" if at >= end else "a number in it is too long")


def _written(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)
