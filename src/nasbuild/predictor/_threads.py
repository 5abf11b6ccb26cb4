"""One thread for the mathematics of fits: their matrices are small."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import cache

import scipy.linalg  # noqa: F401  # loads the linear algebra whose threads are counted
import torch
from threadpoolctl import ThreadpoolController


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Run torch and BLAS on one thread.

    Their default is many times slower at matrices and graphs of this size, above all where other programs run: threads that
    wait for each other at every step wait for a core as well. Besides, sums come out the same to the bit whatever the number
    of cores.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with _blas().limit(limits=1):
            yield
    finally:
        torch.set_num_threads(before)


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController().select(user_api="blas")
