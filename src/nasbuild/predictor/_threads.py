"""One thread for the mathematics of fits: their matrices are small."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from functools import cache

import scipy.linalg  # noqa: F401  # loads the linear algebra whose threads are counted
import torch
from threadpoolctl import ThreadpoolController


class _State:
    """How many fits are under way, and what puts the numbers of threads back after the last of them."""

    lock = threading.Lock()
    inside = 0
    after = contextlib.ExitStack()


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Run torch and BLAS on one thread.

    Their default is many times slower at matrices and graphs of this size, above all where other programs run: threads that
    wait for each other at every step wait for a core as well. Besides, sums come out the same to the bit whatever the number
    of cores. The numbers are the process's, so the last of several threads that fit at once puts them back.
    """
    with _State.lock:
        if not _State.inside:
            _State.after.callback(torch.set_num_threads, torch.get_num_threads())
            torch.set_num_threads(1)
            _State.after.enter_context(_blas().limit(limits=1))
        _State.inside += 1
    try:
        yield
    finally:
        with _State.lock:
            _State.inside -= 1
            if not _State.inside:
                _State.after.close()


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController().select(user_api="blas")
