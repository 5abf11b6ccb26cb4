"""Damaged and hostile ONNX files: one clear sentence, no traceback, no hang, bounded memory.

    python benchmarks/fuzz.py [--files 10000] [--networks DIR]

Each file is a seed network changed in its bytes (flipped, cut, joined, repeated) or in its parts (types, names, sizes,
attributes, order), and is read in a separate process. It counts as a failure if the process ends by a signal, by the memory
limit, after 5 s, or by any exception other than NasbuildError.
"""

from __future__ import annotations

import multiprocessing
import resource
import tempfile
import time
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from _common import arguments, resume, save
from _damaged_onnx import changed, handmade
from nasbuild.errors import NasbuildError
from nasbuild.ir import read_onnx

LIMIT = 5.0
MEMORY = 4 * 2**30


def main() -> None:
    parser = arguments("Damaged ONNX files", "fuzz")
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--networks", type=Path, help="folder of further seed networks, .onnx")
    parser.add_argument("--first", type=int, default=0, help="number of the first file")
    options = parser.parse_args()
    seeds = [model.SerializeToString() for model in handmade()]
    if options.networks:
        small = [p for p in sorted(options.networks.glob("*.onnx")) if p.stat().st_size < 100_000]
        seeds += [p.read_bytes() for p in small]
    result = resume(options.out)
    outcomes, failures, slowest = Counter[str](), list[dict[str, Any]](), 0.0
    worker = _Worker()
    for number in range(options.first, options.first + options.files):
        data = changed(seeds, number)
        start = time.perf_counter()
        outcome = worker.read(data)
        seconds = time.perf_counter() - start
        slowest = max(slowest, seconds)
        outcomes[outcome.split(":")[0]] += 1
        if not outcome.startswith(("read", "refused")):
            failures.append({"file": number, "outcome": outcome})
            print(number, outcome, flush=True)
        if number % 1000 == 999:
            print(number + 1, dict(outcomes), f"slowest {slowest:.2f} s", flush=True)
    worker.end()
    result["files"] = options.files
    result["seeds"] = len(seeds)
    result["outcomes"] = dict(outcomes)
    result["failures"] = failures
    result["slowest, seconds"] = round(slowest, 2)
    result["most memory of a reader, MB"] = round(
        resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    )
    save(options.out, result)
    print(result)


class _Worker:
    """A process that reads files; it is restarted when it dies."""

    def __init__(self) -> None:
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._end, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()
        self._end.recv()

    def read(self, data: bytes) -> str:
        self._end.send_bytes(data)
        if not self._end.poll(LIMIT):
            self._process.kill()
            self._process.join()
            self._start()
            return f"hang: more than {LIMIT:g} s"
        try:
            return self._end.recv()
        except EOFError:
            self._process.join()
            code = self._process.exitcode
            self._start()
            return f"crash: exit {code}"

    def end(self) -> None:
        self._end.send_bytes(b"")
        self._process.join()


def _serve(end: Connection) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        path.write_bytes(handmade()[0].SerializeToString())
        read_onnx(path)
        end.send("ready")
        while data := end.recv_bytes():
            path.write_bytes(data)
            try:
                graph = read_onnx(path)
                end.send(f"read: {len(graph)} nodes")
            except NasbuildError as error:
                text = str(error)
                end.send(
                    f"refused: {text}" if "\n" not in text and len(text) < 1500 else f"unclear: {text[:300]}"
                )
            except BaseException as error:
                end.send(f"traceback: {type(error).__name__}: {str(error)[:200]}")


if __name__ == "__main__":
    main()
