"""Fixed points of a lattice for a whole batch: what training computes instead of ticks.

Sweeps in place (Gauss-Seidel), from layer 1 upwards for the free state and from layer L downwards for the nudge: what
runs with the stream crosses the lattice in one sweep. They end where the ticks of `kernels.lattice` end. Arrays are
feature-major, samples are columns: s (L, N, B), inflow and force (N, B). K and T lie voxel by voxel, (L, N, 27), rows
as in `kernels.lattice_reference`; three neighbours in a row are read at once, and skipped where all three synapses are
0. A rim of zeros round the states keeps these reads in memory. Threads share the samples in chunks.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, prange

from kernels import TINY
from kernels.cpu import bounded
from kernels.sweeps import CHUNK
from kernels.tanh import tanh_of
from kernels.walk import FAST


@njit(error_model="numpy", fastmath=FAST)
def _add_row(factor: Any, x: Any, row: int, y: Any) -> None:
    """y += factor times a row of x."""
    for j in range(y.size):
        y[j] += factor * x[row, j]


@njit(error_model="numpy", fastmath=FAST)
def _add_three(a: Any, b: Any, c: Any, x: Any, at: int, y: Any) -> None:
    """y += a, b, c times the rows at - 1, at, at + 1 of x (no views of rows: each would count its references)."""
    for j in range(y.size):
        y[j] += a * x[at - 1, j] + b * x[at, j] + c * x[at + 1, j]


@njit(error_model="numpy", fastmath=FAST)
def _collect(K: Any, z: int, i: int, steps: Any, x: Any, here: int, y: Any) -> None:
    """y += what voxel i of layer z receives, three neighbours at a time; in x (rim + L N + rim, W) it is row `here`."""
    for triple in range(9):
        a, b, c = K[z, i, 3 * triple], K[z, i, 3 * triple + 1], K[z, i, 3 * triple + 2]
        if a != 0 or b != 0 or c != 0:
            _add_three(a, b, c, x, here + steps[triple], y)


@njit(error_model="numpy", fastmath=FAST)
def _take(new: Any, x: Any, row: int) -> Any:
    """Row of x = new; the largest |change|, NaN where there is NaN."""
    furthest, unsound = new.dtype.type(0), new.dtype.type(0)
    for j in range(new.size):
        change = abs(new[j] - x[row, j])
        unsound += change
        furthest = max(furthest, change)
        x[row, j] = new[j]
    return furthest if unsound == unsound else unsound


@njit(error_model="numpy", cache=True)
def _steps(side: int) -> Any:
    """How far in a flattened lattice the middle one of each three neighbours lies."""
    steps = np.empty(9, np.int64)
    for triple in range(9):
        steps[triple] = (triple // 3 - 1) * side * side + (triple % 3 - 1) * side
    return steps


@njit(error_model="numpy", fastmath=FAST, parallel=True, cache=True, nogil=True)
def settle(
    K: Any, b: Any, inflow: Any, side: int, tolerance: float, most: int, s: Any, ticks: Any
) -> None:  # fmt: skip
    """Free fixed point, written to s. Sweeps until nothing changes by `tolerance`; ticks (chunks,) counts them."""
    layers, neurons, samples = s.shape
    for chunk in prange(ticks.size):
        first = chunk * CHUNK
        width = min(CHUNK, samples - first)
        steps, rim = _steps(side), neurons + side + 1
        state = np.zeros((layers * neurons + 2 * rim, width), s.dtype)
        below = inflow[:, first : first + width].copy()
        push, new = np.empty(width, s.dtype), np.empty(width, s.dtype)
        count = 0
        while count < most:
            moved = s.dtype.type(0)
            for here in range(layers * neurons):
                z, i = here // neurons, here % neurons
                push[:] = b[z, i]
                if z == 0:
                    _add_row(s.dtype.type(1), below, i, push)
                _collect(K, z, i, steps, state, here + rim, push)
                tanh_of(push, new)
                change = _take(new, state, here + rim)
                if change > moved or change != change:
                    moved = change
            count += 1
            if not moved >= tolerance:
                break
        ticks[chunk] = count
        for here in range(layers * neurons):
            for j in range(width):
                s[here // neurons, here % neurons, first + j] = state[here + rim, j]


@njit(error_model="numpy", fastmath=FAST, parallel=True, cache=True, nogil=True)
def nudge(K: Any, T: Any, s: Any, force: Any, side: int, tolerance: float, most: int, ds: Any, ticks: Any) -> None:
    """Displacements of the two nudged copies, +force and -force on layer L, at their own fixed points.

    ds = T g + N with g = (1 - s^2) ds and N the second-order remainder of the forward map. ds: (2, L, N, B); ticks
    (2, chunks) counts sweeps.
    """
    layers, neurons, samples = s.shape
    kind = s.dtype.type
    one, two, tiny = kind(1), kind(2), kind(TINY)
    chunks = ticks.shape[1]
    for piece in prange(2 * chunks):
        sign, chunk = piece // chunks, piece % chunks
        first = chunk * CHUNK
        width = min(CHUNK, samples - first)
        steps, rim = _steps(side), neurons + side + 1
        free = s[:, :, first : first + width].copy().reshape((layers * neurons, width))
        pull = force[:, first : first + width].copy()
        shape = (layers * neurons + 2 * rim, width)
        moved_by, credit = np.zeros(shape, s.dtype), np.zeros(shape, s.dtype)
        push, turn, new = np.empty(width, s.dtype), np.empty(width, s.dtype), np.empty(width, s.dtype)
        way = one if sign == 0 else -one
        count = 0
        while count < most:
            moved = kind(0)
            for here in range(layers * neurons - 1, -1, -1):
                z, i = here // neurons, here % neurons
                push[:] = 0
                new[:] = 0
                if z == layers - 1:
                    _add_row(way, pull, i, new)
                _collect(K, z, i, steps, moved_by, here + rim, push)
                _collect(T, z, i, steps, credit, here + rim, new)
                tanh_of(push, turn)
                for j in range(width):
                    at = free[here, j]
                    curved = (one - at * at) * (turn[j] / max(one + at * turn[j], tiny) - push[j])
                    new[j] = bounded(new[j] + curved, two)
                change = _take(new, moved_by, here + rim)
                for j in range(width):
                    credit[here + rim, j] = (one - free[here, j] * free[here, j]) * new[j]
                if change > moved or change != change:
                    moved = change
            count += 1
            if not moved >= tolerance:
                break
        ticks[sign, chunk] = count
        for here in range(layers * neurons):
            for j in range(width):
                ds[sign, here // neurons, here % neurons, first + j] = moved_by[here + rim, j]
