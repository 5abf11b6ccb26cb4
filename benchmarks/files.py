"""From a file as people have it to built architectures, with two commands and no editing: the time of each.

    python benchmarks/files.py [--rows 150] [--only NAME ...]

Writes the networks of the table that ships (`fashion-ofa`) in every shape of `tests/own_tables.py`, runs `nasbuild fit` and
`nasbuild build` on each file as a user does, and notes the seconds. The first file is fitted once before, untimed, so that no
shape pays for a cold disk. Every fit must find the same stages; a command that fails ends the benchmark.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from _common import HERE, arguments, markdown, resume, save
from nasbuild.score import load_fit

sys.path.insert(0, str(HERE.parent / "tests"))

from own_tables import SHAPES, known_table, plain_rows

# The name that a file's own heading gets.
TARGETS = {"semicolons and decimal commas": "top_1_acc", "TSV": "val_acc", "dicts in a column": "top_1_acc"}


def nasbuild(*words: str) -> tuple[float, float]:
    """Seconds on the clock and of processors that a command takes."""
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, "-m", "nasbuild", *words], capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"nasbuild {' '.join(words)}: {done.stderr}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - began, cpu


def commands(data: str, target: str, out: Path, built: Path) -> list[list[str]]:
    """What a user types."""
    fit = ["fit", "--data", data, "--target", target, "--out", str(out)]
    return [fit, ["build", str(out), "--out", str(built)]]


def measured(name: str, rows: int) -> dict[str, float]:
    """Seconds of both commands on one shape of the table, and the numbers of stages and built architectures."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        data = str(SHAPES[name](folder, plain_rows(known_table(rows))))
        target = TARGETS.get(name, "acc")
        fit, build = (
            nasbuild(*words) for words in commands(data, target, folder / "fit", folder / "built.jsonl")
        )
        built = len((folder / "built.jsonl").read_text().splitlines())
        stages = len(load_fit(folder / "fit").table.space.stages)
    return {
        "fit": fit[0],
        "fit_cpu": fit[1],
        "build": build[0],
        "build_cpu": build[1],
        "stages": stages,
        "built": built,
    }


def main() -> None:
    parser = arguments("two commands from a file to built architectures", "files")
    parser.add_argument("--rows", type=int, default=150)
    parser.add_argument("--only", nargs="*", default=[*SHAPES])
    options = parser.parse_args()
    result = resume(options.out)
    rows = result.setdefault("rows", {})
    names = [name for name in options.only if name not in rows]
    if names:
        measured(names[0], options.rows)
    for name in names:
        rows[name] = measured(name, options.rows)
        save(options.out, result)
        print(*_line(name, rows[name]), sep="  ", flush=True)
    header = ["shape", "stages", "built", "fit, s", "of CPU", "build, s", "of CPU"]
    print(markdown(header, [_line(name, rows[name]) for name in options.only]))


def _line(name: str, row: dict[str, float]) -> Sequence[str]:
    seconds = [f"{row[key]:.1f}" for key in ("fit", "fit_cpu", "build", "build_cpu")]
    return [name, f"{row['stages']:.0f}", f"{row['built']:.0f}", *seconds]


if __name__ == "__main__":
    main()
