"""Limits linear algebra to one thread during fits, whose matrices are small."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from functools import cache

import scipy.linalg  # noqa: F401  # loads the linear algebra whose threads are counted
import torch
from threadpoolctl import ThreadpoolController


class _State:
    """How many fits are running, and what restores the numbers of threads after the last one."""

    lock = threading.Lock()
    inside = 0
    after = contextlib.ExitStack()


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Run torch and BLAS on one thread.

    For matrices and graphs of this size the default is many times slower, above all on a busy machine: threads that wait
    for each other at every step also wait for a core. Besides, results are equal to the bit for any number of cores. The
    settings belong to the operating system's process, so the last of several concurrent fits restores them.

    Examples
    --------
    >>> from nasbuild.predictor import one_thread
    >>> with one_thread():
    ...     threads = torch.get_num_threads()
    >>> threads
    1
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
