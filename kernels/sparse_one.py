"""The walks of `kernels.sparse` along its cells for a single sample, where an inner loop over samples is no use.

Forward, four sums gather a row's cells side by side. Backward, one walk along the rows makes both gradients: the cells'
one after the other, the inputs' by scattering into one short array (one thread writes, so nothing is atomic).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from kernels.walk import FAST


@njit(nogil=True, cache=True, error_model="numpy", fastmath=FAST)
def weigh_one(starts: Any, columns: Any, values: Any, x: Any, y: Any) -> None:
    """y (R,) = W x (F,)."""
    zero = x.dtype.type(0)
    for r in range(starts.size - 1):
        first, last = np.uint64(starts[r]), np.uint64(starts[r + 1])
        fours = last - (last - first) % np.uint64(4)
        s0 = s1 = s2 = s3 = zero
        for c in range(first, fours, np.uint64(4)):
            s0 += values[c] * x[np.uint32(columns[c])]
            s1 += values[c + np.uint64(1)] * x[np.uint32(columns[c + np.uint64(1)])]
            s2 += values[c + np.uint64(2)] * x[np.uint32(columns[c + np.uint64(2)])]
            s3 += values[c + np.uint64(3)] * x[np.uint32(columns[c + np.uint64(3)])]
        for c in range(fours, last):
            s0 += values[c] * x[np.uint32(columns[c])]
        y[r] = (s0 + s1) + (s2 + s3)


@njit(nogil=True, cache=True, error_model="numpy", fastmath=FAST)
def gradients_one(starts: Any, columns: Any, values: Any, e: Any, x: Any, gradient: Any, back: Any) -> None:
    """gradient (nnz,) = e[row] x[column], and back (F,) = W^T e (R,), in one walk."""
    back[:] = 0
    for r in range(starts.size - 1):
        er = e[r]
        for c in range(np.uint64(starts[r]), np.uint64(starts[r + 1])):
            column = np.uint32(columns[c])
            gradient[c] = er * x[column]
            back[column] += values[c] * er
