"""Ticks of large batches: the matrix products by BLAS, one BLAS thread per layer and a pool of workers over layers.

A product of a large batch is bound by arithmetic, not by memory, and BLAS on (3B, N) blocks is the fastest there is.
The kernels of `kernels.cpu`, which keep a layer's weights in the cache for all samples, hold out longer than one would
think: on two cores they were ahead at 64 samples and behind at 128. The element-wise half of the tick is theirs.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from kernels import cpu

FROM_SAMPLES = 128
"""Batches of at least this many samples are worth BLAS."""

Array = NDArray[Any]


@cache
def _workers() -> ThreadPoolExecutor:
    """One worker per core; BLAS itself is kept to one thread from here on."""
    threadpool_limits(1, "blas")
    return ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="blas")


def _over_layers(work: Callable[[int], None], layers: int) -> None:
    """Run `work(layer)` for all layers, a contiguous share per worker; the first exception is raised."""
    shares = np.array_split(np.arange(layers), os.cpu_count() or 1)

    def run(share: NDArray[np.int64]) -> None:
        for layer in share:
            work(int(layer))

    for _ in _workers().map(run, shares):
        pass


def _rows(x: Array) -> Array:
    """(B, C, N) as (B * C, N)."""
    return np.ascontiguousarray(x).reshape(-1, x.shape[-1])


def recursive_tick(
    R: Array, W: Array, drive: Array, inflow: Array, force: Array, sigma: float, z: Array, s: Array, z_out: Array,
    s_out: Array, velocity: Array, flips: Array, sums: Array, products: Array, columns: int,
) -> None:  # fmt: skip
    """See `kernels.reference.recursive_tick`; products: (L, B, 16, N) scratch of the state's dtype.

    Small batches and half-precision weights go to `kernels.cpu`.
    """
    if z.shape[1] < FROM_SAMPLES or R.dtype == np.uint16:
        cpu.recursive_tick(
            R, W, drive, inflow, force, sigma, z, s, z_out, s_out, velocity, flips, sums, products, columns
        )
        return
    shape = z[0, :, :columns].shape
    nudged = z[0, :, 1:columns].shape
    share = z.dtype.type(1 / np.sqrt(len(z)))

    def work(k: int) -> None:
        p = products[k]
        if k == 0:
            p[:, 12] = inflow
            p[:, 13:15] = 0
        below = s[k - 1] if k else p[:, 12:15]
        p[:, 2 : 2 + columns] = (_rows(z[k, :, :columns]) @ R[k].T).reshape(shape)
        p[:, 7 : 7 + columns] = (_rows(below[:, :columns]) @ W[k].T).reshape(shape)
        if columns > 1:
            credit = (1 - np.square(z[k, :, :1])) * (z[k, :, 1:] + share * s[k, :, 1:])
            p[:, 5:7] = (_rows(credit) @ R[k]).reshape(nudged)
            p[:, 10:12] = (_rows(credit) @ W[k]).reshape(nudged)

    _over_layers(work, len(z))
    cpu.recursive_update(drive, inflow, force, sigma, z, s, z_out, s_out, velocity, flips, sums, products, columns)


def hopfield_tick(
    W: Array, drive: Array, inflow: Array, force: Array, sigma: float, omega: float, s: Array, s_out: Array,
    velocity: Array, flips: Array, sums: Array, products: Array, columns: int,
) -> None:  # fmt: skip
    """See `kernels.reference.hopfield_tick`; products: (L, B, 10, N) scratch of the state's dtype.

    Small batches and half-precision weights go to `kernels.cpu`.
    """
    if s.shape[1] < FROM_SAMPLES or W.dtype == np.uint16:
        cpu.hopfield_tick(W, drive, inflow, force, sigma, omega, s, s_out, velocity, flips, sums, products, columns)
        return
    shape = s[0, :, :columns].shape

    def work(k: int) -> None:
        p = products[k]
        if k == 0:
            p[:, 6] = inflow
            p[:, 7:9] = 0
        p[:, 9] = 0
        below = s[k - 1] if k else p[:, 6:9]
        p[:, 0:columns] = (_rows(below[:, :columns]) @ W[k].T).reshape(shape)
        p[:, 3 : 3 + columns] = (_rows(s[k, :, :columns]) @ W[k]).reshape(shape)

    _over_layers(work, len(s))
    cpu.hopfield_update(drive, force, sigma, omega, s, s_out, velocity, flips, sums, products, columns)
