"""Fixed points of a lattice for a whole batch: what training computes instead of ticks.

Sweeps in place (Gauss-Seidel), from layer 1 upwards for the free state and from layer L downwards for the nudge: what
runs with the stream crosses the lattice in one sweep. They end where the ticks of `kernels.lattice` end. Arrays are
feature-major, samples are columns: s (L, N, B), inflow and force (N, B). K and T lie voxel by voxel, (L, N, 27), rows
as in `kernels.lattice_reference`, and synapses that are 0 are skipped. Threads share the samples in chunks.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, prange

from kernels import TINY
from kernels.cpu import FAST, bounded
from kernels.sweeps import CHUNK
from kernels.tanh import tanh_of


@njit(error_model="numpy", fastmath=FAST)
def _add_scaled(factor: Any, x: Any, y: Any) -> None:
    """y += factor x."""
    for i in range(y.size):
        y[i] += factor * x[i]


@njit(error_model="numpy", fastmath=FAST)
def _collect(weights: Any, steps: Any, x: Any, here: int, y: Any) -> None:
    """y += what voxel `here` receives from x (L N, W) by its `weights` (27,)."""
    for row in range(steps.size):
        if weights[row] != 0:
            _add_scaled(weights[row], x[here + steps[row]], y)


@njit(error_model="numpy", fastmath=FAST)
def _take(new: Any, old: Any) -> Any:
    """old = new; the largest |change|, NaN where there is NaN."""
    furthest = new.dtype.type(0)
    for i in range(new.size):
        change = abs(new[i] - old[i])
        if change > furthest or change != change:
            furthest = change
        old[i] = new[i]
    return furthest


@njit(error_model="numpy", cache=True)
def _steps(side: int) -> Any:
    """How far in a flattened lattice each row's neighbour lies."""
    steps = np.empty(27, np.int64)
    for row in range(27):
        steps[row] = (row // 9 - 1) * side * side + (row % 9 // 3 - 1) * side + row % 3 - 1
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
        steps = _steps(side)
        state = np.zeros((layers * neurons, width), s.dtype)
        below = inflow[:, first : first + width].copy()
        push, new = np.empty(width, s.dtype), np.empty(width, s.dtype)
        count = 0
        while count < most:
            moved = s.dtype.type(0)
            for here in range(layers * neurons):
                z, i = here // neurons, here % neurons
                push[:] = b[z, i]
                if z == 0:
                    _add_scaled(s.dtype.type(1), below[i], push)
                _collect(K[z, i], steps, state, here, push)
                tanh_of(push, new)
                change = _take(new, state[here])
                if change > moved or change != change:
                    moved = change
            count += 1
            if not moved >= tolerance:
                break
        ticks[chunk] = count
        for here in range(layers * neurons):
            for j in range(width):
                s[here // neurons, here % neurons, first + j] = state[here, j]


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
        steps = _steps(side)
        free = s[:, :, first : first + width].copy().reshape((layers * neurons, width))
        pull = force[:, first : first + width].copy()
        moved_by, credit = np.zeros_like(free), np.zeros_like(free)
        push, turn, new = np.empty(width, s.dtype), np.empty(width, s.dtype), np.empty(width, s.dtype)
        way = one if sign == 0 else -one
        count = 0
        while count < most:
            moved = kind(0)
            for here in range(layers * neurons - 1, -1, -1):
                z, i = here // neurons, here % neurons
                at = free[here]
                push[:] = 0
                new[:] = 0
                if z == layers - 1:
                    _add_scaled(way, pull[i], new)
                _collect(K[z, i], steps, moved_by, here, push)
                _collect(T[z, i], steps, credit, here, new)
                tanh_of(push, turn)
                for j in range(width):
                    curved = (one - at[j] * at[j]) * (turn[j] / max(one + at[j] * turn[j], tiny) - push[j])
                    new[j] = bounded(new[j] + curved, two)
                change = _take(new, moved_by[here])
                for j in range(width):
                    credit[here, j] = (one - at[j] * at[j]) * new[j]
                if change > moved or change != change:
                    moved = change
            count += 1
            if not moved >= tolerance:
                break
        ticks[sign, chunk] = count
        for here in range(layers * neurons):
            for j in range(width):
                ds[sign, here // neurons, here % neurons, first + j] = moved_by[here, j]
