"""One tick of a lattice of voxels in Numba: a stencil over 26 neighbours, all columns and layers in one parallel call.

Synapses lie in planes (`kernels.lattice_reference` says how), each a walk over contiguous memory, three planes at a
time. A walk runs on from one row of voxels into the next, which is why synapses from outside the lattice must be 0.
Functions are module-level and cached on disk; they release the GIL. Small lattices are ticked by one thread, for the
reason given in `kernels.cpu`.
"""

from __future__ import annotations

import math
from typing import Any

from numba import config, njit, prange

from kernels import TINY
from kernels.cpu import bounded, furthest, half_difference, observe, use_threads
from kernels.tanh import tanh_of
from kernels.walk import FAST

SHARED_FROM = 300_000
"""Ticks of at least this many synapses times samples are shared by all threads, smaller ones done by one."""
ROOM = 4
"""Rows of scratch that a thread needs."""


@njit(error_model="numpy", fastmath=FAST)
def _add_products(a: Any, x: Any, b: Any, y: Any, c: Any, z: Any, out: Any) -> None:
    """out += a x + b y + c z."""
    for i in range(out.size):
        out[i] += a[i] * x[i] + b[i] * y[i] + c[i] * z[i]


@njit(error_model="numpy", fastmath=FAST)
def _gather(w: Any, x: Any, base: int, y: Any) -> None:
    """y[i] += w[0, i] x[j - 1] + w[1, i] x[j] + w[2, i] x[j + 1] with j = i + base; base is a number of whole rows."""
    first, last = max(0, -base), min(y.size, y.size - base)
    if last <= first:
        return
    y[first] += w[1, first] * x[first + base]
    if last - first == 1:
        return
    y[first] += w[2, first] * x[first + base + 1]
    i, end = first + 1, last - 1
    j, stop = i + base, end + base
    _add_products(w[0, i:end], x[j - 1 : stop - 1], w[1, i:end], x[j:stop], w[2, i:end], x[j + 1 : stop + 1], y[i:end])
    y[end] += w[0, end] * x[stop - 1] + w[1, end] * x[stop]


@njit(error_model="numpy", fastmath=FAST)
def _receive(K: Any, x: Any, b: int, c: int, z: int, side: int, y: Any) -> None:
    """y += what layer z receives from column c of sample b of x (L, B, C, N)."""
    for dz in range(3):
        source = z + dz - 1
        if 0 <= source < x.shape[0]:
            for dy in range(3):
                row = 9 * dz + 3 * dy
                _gather(K[z, row : row + 3], x[source, b, c], (dy - 1) * side, y)


@njit(error_model="numpy", fastmath=FAST)
def _credit(free: Any, moved: Any, out: Any) -> None:
    """out = (1 - free^2) moved."""
    one = free.dtype.type(1)
    for i in range(free.size):
        out[i] = (one - free[i] * free[i]) * moved[i]


@njit(error_model="numpy", fastmath=FAST)
def _displace(free: Any, push: Any, turn: Any, back: Any, out: Any) -> None:
    """J^T d, in `back`, plus the second-order remainder of the forward map; within the diameter of the state space."""
    one, two, tiny = free.dtype.type(1), free.dtype.type(2), free.dtype.type(TINY)
    for i in range(free.size):
        curved = (one - free[i] * free[i]) * (turn[i] / max(one + free[i] * turn[i], tiny) - push[i])
        out[i] = bounded(back[i] + curved, two)


@njit(error_model="numpy", parallel=True, nogil=True, cache=True, fastmath=FAST)
def _tick(
    K: Any, T: Any, drive: Any, inflow: Any, force: Any, s: Any, s_out: Any, velocity: Any, flips: Any, sums: Any,
    credit: Any, room: Any, side: int, columns: int,
) -> None:  # fmt: skip
    layers, samples = s.shape[:2]
    one = s.dtype.type(1)
    if columns == 3:
        for z in prange(layers):
            for b in range(samples):
                _credit(s[z, b, 0], s[z, b, 1], credit[z, b, 0])
                _credit(s[z, b, 0], s[z, b, 2], credit[z, b, 1])
    teams = room.shape[0]
    for team in prange(teams):
        push, turn, back = room[team, 0], room[team, 1], room[team, 2]
        for z in range(team * layers // teams, (team + 1) * layers // teams):
            for b in range(samples):
                free = s_out[z, b, 0]
                push[:] = drive[z, b]
                if z == 0:
                    for i in range(push.size):
                        push[i] += inflow[b, i]
                _receive(K, s, b, 0, z, side, push)
                tanh_of(push, free)
                observe(free, s[z, b, 0], velocity[z, b], flips[z, b], sums[z, b])
                moved = furthest(free, s[z, b, 0])
                nudged = 0.0
                for c in range(1, 3):
                    new, old = s_out[z, b, c], s[z, b, c]
                    if columns == 1:
                        new[:] = old
                        continue
                    push[:] = 0
                    back[:] = 0
                    if z == layers - 1:
                        way = one if c == 1 else -one
                        for i in range(back.size):
                            back[i] = way * force[b, i]
                    _receive(K, s, b, c, z, side, push)
                    _receive(T, credit, b, c - 1, z, side, back)
                    tanh_of(push, turn)
                    _displace(free, push, turn, back, new)
                    nudged = max(nudged, furthest(new, old))
                sums[z, b, 2] = half_difference(s_out[z, b, 1], s_out[z, b, 2])
                sums[z, b, 3] = moved if math.isfinite(sums[z, b, 0] + sums[z, b, 1]) else math.nan
                sums[z, b, 4] = nudged if math.isfinite(sums[z, b, 2]) else math.nan


@njit(error_model="numpy", parallel=True, nogil=True, cache=True, fastmath=FAST)
def _applied(K: Any, x: Any, side: int, out: Any) -> None:
    columns = x.reshape((x.shape[0], 1, 1, x.shape[1]))
    for z in prange(x.shape[0]):
        out[z, :] = 0
        _receive(K, columns, 0, 0, z, side, out[z])


@njit(error_model="numpy", parallel=True, nogil=True, cache=True)
def _turned(K: Any, side: int, out: Any) -> None:
    layers, rows, n = K.shape
    for z in prange(layers):
        for row in range(rows):
            source, shift = z + row // 9 - 1, (row % 9 // 3 - 1) * side + row % 3 - 1
            out[z, row, :] = 0
            if 0 <= source < layers:
                first, last = max(0, -shift), min(n, n - shift)
                if first < last:
                    out[z, row, first:last] = K[source, rows - 1 - row, first + shift : last + shift]


@njit(error_model="numpy", fastmath=FAST, parallel=True, cache=True, nogil=True)
def _correlated(g: Any, x: Any, side: int, out: Any) -> None:
    layers, neurons, samples = x.shape
    for z in prange(layers):
        for row in range(27):
            source, dy, dx = z + row // 9 - 1, row % 9 // 3 - 1, row % 3 - 1
            for i in range(neurons):
                y, across = i // side + dy, i % side + dx
                total = x.dtype.type(0)
                if 0 <= source < layers and 0 <= y < side and 0 <= across < side:
                    there, own = x[source, side * y + across], g[z, i]
                    for j in range(samples):
                        total += own[j] * there[j]
                out[z, row, i] = total


def _spread(synapses: int) -> None:
    use_threads(config.NUMBA_NUM_THREADS if synapses >= SHARED_FROM else 1)


def teams() -> int:
    """How many threads need a `room` of their own."""
    return int(config.NUMBA_NUM_THREADS)


def tick(
    K: Any, T: Any, drive: Any, inflow: Any, force: Any, s: Any, s_out: Any, velocity: Any, flips: Any, sums: Any,
    credit: Any, room: Any, side: int, columns: int,
) -> None:  # fmt: skip
    """See `kernels.lattice_reference.tick`; credit (L, B, 2, N) and room (teams(), ROOM, N) are scratch."""
    _spread(K.size * s.shape[1])
    _tick(K, T, drive, inflow, force, s, s_out, velocity, flips, sums, credit, room, side, columns)


def applied(K: Any, x: Any, side: int, out: Any) -> None:
    """See `kernels.lattice_reference.applied`."""
    _spread(K.size)
    _applied(K, x, side, out)


def turned(K: Any, side: int, out: Any) -> None:
    """See `kernels.lattice_reference.turned`."""
    _spread(K.size)
    _turned(K, side, out)


def correlated(g: Any, x: Any, side: int, out: Any) -> None:
    """See `kernels.lattice_reference.correlated`."""
    _spread(out.size * x.shape[2])
    _correlated(g, x, side, out)
