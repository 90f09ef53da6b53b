"""One tick of the convolutional chain in Numba: all layers, all samples and all columns in one call.

A layer and sample at a time is a piece of work, so that a whole layer's neighbourhoods stay in the cache; a column is
one matrix product by BLAS, one thread each. The element-wise half is that of `kernels.cpu`.
"""

from __future__ import annotations

import math
from typing import Any

from numba import config, njit, prange

from kernels.convolution import C_OUT, FROM_BELOW, H_OUT, OWN, REACH, SHARE, SKIP, W_OUT, backward, forward
from kernels.cpu import (
    combine,
    displaced_block,
    furthest,
    half_difference,
    observe,
    square_sum,
    use_threads,
)
from kernels.sweeps import one_blas_thread
from kernels.tanh import tanh_of
from kernels.walk import FAST

SHARED_FROM = 100_000
"""Ticks that lay out at least this many numbers (layers times samples times a layer's neighbourhoods) are shared by all
threads, smaller ones done by one: see `kernels.cpu`."""


@njit(error_model="numpy", fastmath=FAST)
def size_of(shape: Any) -> int:
    """Neurons of the layer that a link ends in."""
    return int(shape[C_OUT] * shape[H_OUT] * shape[W_OUT])


@njit(error_model="numpy", parallel=True, nogil=True, cache=True, fastmath=FAST)
def _products(
    shapes: Any, ways: Any, weights: Any, alive: Any, inflow: Any, z: Any, s: Any, products: Any, room: Any,
    columns: int,
) -> None:  # fmt: skip
    """The matrix half of the tick. Rows of `products` per layer and sample, as in `kernels.cpu`.

    0-1 credit g, 2-4 R z and then the whole push, 5-6 R^T g, 7-9 K s_below and then tanh(push), 10-11 K^T g, the credit
    that the layer below receives, 12-14 what comes from above, 15 zeros.
    """
    layers, samples = z.shape[:2]
    one = z.dtype.type(1)
    for piece in prange(layers * samples):
        k, b = piece // samples, piece % samples
        below, own = shapes[k, FROM_BELOW], shapes[k, OWN]
        n, share = size_of(own), ways[k, SHARE]
        p, r, free = products[k, b], room[k, b], z[k, b, 0]
        for c in range(columns):
            forward(weights, own, z[k, b, c], 1, r, p[2 + c, :n])
            if k > 0:
                forward(weights, below, s[k - 1, b, c], 1, r, p[7 + c, :n])
            elif c == 0:
                forward(weights, below, inflow[b], 1, r, p[7, :n])
            else:
                p[7 + c, :n] = 0
        for c in range(1, columns):
            g = p[c - 1, :n]
            for i in range(n):
                g[i] = alive[k, i] * (one - free[i] * free[i]) * (z[k, b, c, i] + share * s[k, b, c, i])
            backward(weights, own, g, 1, r, p[4 + c, :n])
            for i in range(n):
                p[4 + c, i] *= alive[k, i]
            if k > 0:
                backward(weights, below, g, 1, r, p[9 + c, : size_of(shapes[k - 1, OWN])])


@njit(error_model="numpy", parallel=True, nogil=True, cache=True, fastmath=FAST)
def _update(
    shapes: Any, ways: Any, alive: Any, drive: Any, inflow: Any, force: Any, sigma: float, z: Any, s: Any, z_out: Any,
    s_out: Any, velocity: Any, flips: Any, sums: Any, products: Any, columns: int,
) -> None:  # fmt: skip
    """The element-wise half of the tick."""
    layers, samples = z.shape[:2]
    kind = z.dtype.type
    gain, one = kind(sigma), kind(1)
    for piece in prange(layers * samples):
        k, b = piece // samples, piece % samples
        n = size_of(shapes[k, OWN])
        skip, share, reach = ways[k, SKIP], ways[k, SHARE], ways[k, REACH]
        p = products[k, b]
        free, stream = z_out[k, b, 0, :n], s_out[k, b, 0, :n]
        push = p[2, :n]
        for i in range(n):
            push[i] = alive[k, i] * (gain * push[i] + p[7, i] + drive[k, b, i])
        tanh_of(push, free)
        if skip > 0:
            combine(share, free, s[k - 1, b, 0, :n] if k > 0 else inflow[b, :n], stream)
        else:
            combine(share, free, p[15, :n], stream)
        observe(free, z[k, b, 0, :n], velocity[k, b, :n], flips[k, b, :n], sums[k, b])
        moved = max(furthest(free, z[k, b, 0, :n]), furthest(stream, s[k, b, 0, :n]))
        nudged = 0.0
        for c in range(1, 3):
            dz, ds = z_out[k, b, c, :n], s_out[k, b, c, :n]
            if columns == 1:
                dz[:] = z[k, b, c, :n]
                ds[:] = s[k, b, c, :n]
                continue
            push, turn, above = p[2 + c, :n], p[7 + c, :n], p[12 + c, :n]
            for i in range(n):
                push[i] = alive[k, i] * (gain * push[i] + turn[i])
            tanh_of(push, turn)
            if k < layers - 1:
                combine(ways[k + 1, SKIP], s[k + 1, b, c, :n] if ways[k + 1, SKIP] > 0 else p[15, :n],
                        products[k + 1, b, 9 + c, :n], above)  # fmt: skip
            else:
                combine(one if c == 1 else -one, force[b, :n], p[15, :n], above)
            displaced_block(free, push, turn, p[4 + c, :n], above, gain, share, reach, dz, ds)
            nudged = max(nudged, furthest(dz, z[k, b, c, :n]), furthest(ds, s[k, b, c, :n]))
        sums[k, b, 2] = half_difference(s_out[k, b, 1, :n], s_out[k, b, 2, :n])
        sound = math.isfinite(sums[k, b, 0] + sums[k, b, 1] + square_sum(stream))
        sums[k, b, 3] = moved if sound else math.nan
        sums[k, b, 4] = nudged if math.isfinite(sums[k, b, 2]) else math.nan


def conv_tick(
    shapes: Any, ways: Any, weights: Any, alive: Any, drive: Any, inflow: Any, force: Any, sigma: float, z: Any, s: Any,
    z_out: Any, s_out: Any, velocity: Any, flips: Any, sums: Any, products: Any, room: Any, columns: int,
) -> None:  # fmt: skip
    """See `kernels.conv_reference.conv_tick`; products: (L, B, 16, N), room: (L, B, patches), both scratch."""
    one_blas_thread()
    use_threads(config.NUMBA_NUM_THREADS if room.size >= SHARED_FROM else 1)
    _products(shapes, ways, weights, alive, inflow, z, s, products, room, columns)
    _update(
        shapes, ways, alive, drive, inflow, force, sigma, z, s, z_out, s_out, velocity, flips, sums, products, columns
    )
