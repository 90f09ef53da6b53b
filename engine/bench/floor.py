"""The floor: how fast this machine reads an array once, in four streams a thread.

A tick has to read each weight once, so no tick is faster than this, unless a smaller part of its weights has to come
from where the array comes from. Every array has its own floor: one that fits a cache is read faster than memory, and
for a small one waking a second thread does not pay, so the faster of one thread and all is taken.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from kernels.cpu import use_threads


@njit(error_model="numpy", fastmath=True, inline="always")
def _sum_of(x: Any) -> Any:
    quarter = x.size // 4
    first, second, third, fourth = x[:quarter], x[quarter : 2 * quarter], x[2 * quarter : 3 * quarter], x[3 * quarter :]
    a = b = c = d = np.float32(0)
    for i in range(quarter):
        a += first[i]
        b += second[i]
        c += third[i]
        d += fourth[i]
    return a + b + c + d


@njit(error_model="numpy", parallel=True, nogil=True, cache=True, fastmath=True)
def _read(x: Any, sums: Any) -> None:
    share = x.size // sums.size // 4 * 4
    for t in prange(sums.size):
        sums[t] = _sum_of(x[t * share : (t + 1) * share])


class Reader:
    """A contestant that only reads; `tick` reads every array once."""

    burst = 1

    def __init__(self, arrays: list[NDArray[Any]], threads: int) -> None:
        self._flat = [array.reshape(-1).view(np.float32) for array in arrays]
        self._threads = threads
        self.sums = [np.zeros(threads, np.float32) for _ in arrays]
        """Of each array, what each thread has summed."""
        self.size = sum(array.nbytes for array in arrays)
        """Bytes that a `tick` reads."""

    def prepare(self) -> None:
        """Set the number of threads."""
        use_threads(self._threads)

    def tick(self) -> None:
        """Read."""
        for flat, sums in zip(self._flat, self.sums, strict=True):
            _read(flat, sums)
