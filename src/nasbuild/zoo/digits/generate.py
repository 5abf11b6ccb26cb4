"""Trains all architectures with all seeds; can be interrupted and resumed at any time."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from nasbuild.errors import NasbuildError
from nasbuild.zoo.digits.space import Arch, arch_id

TRAININGS = "trainings.jsonl"
_LOCK = "lock"

#: ``(id, seed)`` -> ``{"acc": percent, "loss": nats, "seconds": duration}``
Trainings = dict[tuple[str, int], dict[str, float]]


def read_trainings(folder: Path) -> Trainings:
    """All finished trainings in ``folder``.

    An incomplete last line, as a kill may leave it, is ignored.

    Raises
    ------
    NasbuildError
        If another line is damaged, or a training appears twice.
    """
    path = folder / TRAININGS
    if not path.exists():
        return {}
    found: Trainings = {}
    for number, line in enumerate(path.read_bytes().split(b"\n")[:-1], start=1):
        where = f"{path}:{number}"
        try:
            row = json.loads(line)
            key = (str(row["id"]), int(row["seed"]))
            metrics = {name: float(row[name]) for name in ("acc", "loss", "seconds")}
        except (ValueError, KeyError, TypeError) as error:
            raise NasbuildError(f"damaged line ({type(error).__name__}: {error})", where=where) from None
        if key in found:
            raise NasbuildError(f"{key[0]} with seed {key[1]} appears twice", where=where)
        found[key] = metrics
    return found


def generate(
    folder: Path,
    archs: Sequence[Arch],
    seeds: Sequence[int],
    *,
    train: Callable[[Arch, int], dict[str, float]] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Train what is missing in ``folder``, seed by seed; each training appends a line of JSON.

    Parameters
    ----------
    train
        Trains an architecture with a seed; `train_arch` by default.
    progress
        Called with the number of completed and of all trainings, before the first and after each.

    Returns
    -------
    int
        Number of new trainings.

    Raises
    ------
    NasbuildError
        If another process is working in ``folder``.
    """
    if train is None:
        from nasbuild.zoo.digits.train import train_arch as train
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        _drop_incomplete_line(folder / TRAININGS)
        done = read_trainings(folder)
        wanted = [(arch, seed) for seed in seeds for arch in archs]
        todo = [(arch, seed) for arch, seed in wanted if (arch_id(arch), seed) not in done]
        before = len(wanted) - len(todo)
        if progress:
            progress(before, len(wanted))
        with (folder / TRAININGS).open("a", encoding="utf-8") as stream:
            for count, (arch, seed) in enumerate(todo, start=1):
                start = time.perf_counter()
                metrics = train(arch, seed)
                took = round(time.perf_counter() - start, 3)
                row = {"id": arch_id(arch), "seed": seed, **metrics, "seconds": took}
                stream.write(json.dumps(row) + "\n")
                stream.flush()
                if progress:
                    progress(before + count, len(wanted))
    return len(todo)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock ``folder``; the system releases the lock when the process ends, for any reason.

    Raises
    ------
    NasbuildError
        If another process holds the lock.
    """
    try:
        import fcntl
    except ImportError:
        raise NasbuildError("making the table needs a POSIX system (fcntl)") from None
    with (folder / _LOCK).open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise NasbuildError(
                "another process is working here", where=str(folder), todo="wait, or give another folder"
            ) from None
        yield


def _drop_incomplete_line(path: Path) -> None:
    data = path.read_bytes() if path.exists() else b""
    # A line without a line end may be incomplete even if it parses. Its training is repeated.
    if data and not data.endswith(b"\n"):
        os.truncate(path, data.rfind(b"\n") + 1)
