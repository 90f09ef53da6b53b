"""Fixed points of nested chains for a whole batch: what training computes instead of ticks.

Level 1 is settled layer after layer, each with all that it holds: in passes from the bottom of the innermost Block to
the layer itself, every state at once used by the next (Gauss and Seidel), until a pass changes nothing any more. The
nudge runs the other way round. `walk` (steps, 2) is the order of a pass upwards: a layer and 0 where it listens (z), 1
where it speaks (s); `ends` (layers of level 1,) says where each layer's part ends.

Arrays are feature-major as in `kernels.sweeps`; links and ways as in `kernels.nested_reference`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, prange

from kernels.sweeps import CHUNK, largest_change, shift
from kernels.tanh import tanh_of
from kernels.walk import FAST


@njit(error_model="numpy", fastmath=FAST)
def _mixed(a: Any, x: Any, b: Any, y: Any, out: Any) -> None:
    """out = a x + b y for flat arrays."""
    for i in range(out.size):
        out[i] = a * x[i] + b * y[i]


@njit(error_model="numpy", fastmath=FAST)
def _taken(new: Any, now: Any, unsound: Any) -> Any:
    """now <- new, flat; the larger of what that changes and `unsound`."""
    change = largest_change(new, now)
    for i in range(new.size):
        now[i] = new[i]
    return change if not change <= unsound else unsound


@njit(error_model="numpy", fastmath=FAST, parallel=True, cache=True, nogil=True)
def nested_settle(
    R: Any, W: Any, b: Any, links: Any, ways: Any, walk: Any, ends: Any, inflow: Any, tolerance: float, most: int,
    z: Any, s: Any, passes: Any,
) -> None:  # fmt: skip
    """Free fixed point, written to z and s (L, N, B); passes (layers of level 1, chunks) counts."""
    neurons, samples = z.shape[1:]
    for chunk in prange(passes.shape[1]):
        begin = chunk * CHUNK
        end = min(begin + CHUNK, samples)
        shape, stack = (neurons, end - begin), (len(z), neurons, end - begin)
        zs, ss = np.zeros(stack, z.dtype), np.zeros(stack, z.dtype)
        entering = inflow[:, begin:end].copy()
        new, more = np.empty(shape, z.dtype), np.empty(shape, z.dtype)
        flat_new, flat_more = new.reshape(-1), more.reshape(-1)
        start = 0
        for root in range(len(ends)):
            count = 0
            while count < most:
                moved = z.dtype.type(0)
                for step in range(start, ends[root]):
                    k = walk[step, 0]
                    under, holder, last = links[k, 1], links[k, 2], links[k, 4]
                    below = ss[under] if under >= 0 else (zs[holder] if holder >= 0 else entering)
                    given = zs[k] if last < 0 else ss[last]
                    if walk[step, 1] == 1:
                        _mixed(ways[k, 2], below.reshape(-1), ways[k, 3], given.reshape(-1), flat_new)
                        moved = _taken(flat_new, ss[k].reshape(-1), moved)
                        continue
                    np.dot(R[k], given, new)
                    np.dot(W[k], below, more)
                    for i in range(neurons):
                        for j in range(shape[1]):
                            new[i, j] = ways[k, 0] * new[i, j] + ways[k, 1] * more[i, j] + b[k, i]
                    tanh_of(flat_new, flat_more)
                    moved = _taken(flat_more, zs[k].reshape(-1), moved)
                count += 1
                if not moved >= tolerance:
                    break
            passes[root, chunk] = count
            start = ends[root]
        for k in range(len(z)):
            for i in range(neurons):
                for j in range(shape[1]):
                    z[k, i, begin + j] = zs[k, i, j]
                    s[k, i, begin + j] = ss[k, i, j]


@njit(error_model="numpy", fastmath=FAST)
def _remainders(R: Any, W: Any, links: Any, ways: Any, z: Any, dz: Any, ds: Any, curved: Any) -> Any:
    """Second-order remainders of all layers from the displacements; the largest change."""
    shape, size = z[0].shape, z[0].size
    push, more, turn = np.empty(shape, z.dtype), np.empty(shape, z.dtype), np.empty(shape, z.dtype)
    flat, flat_more = push.reshape(-1), more.reshape(-1)
    one, moved = z.dtype.type(1), z.dtype.type(0)
    for k in range(len(z)):
        under, holder, last = links[k, 1], links[k, 2], links[k, 4]
        np.dot(R[k], dz[k] if last < 0 else ds[last], push)
        if under >= 0 or holder >= 0:
            np.dot(W[k], ds[under] if under >= 0 else dz[holder], more)
            _mixed(ways[k, 0], flat, ways[k, 1], flat_more, flat)
        else:
            _mixed(ways[k, 0], flat, z.dtype.type(0), flat, flat)
        at, rest = z[k].reshape(-1), curved[k].reshape(-1)
        shift(at, flat, turn.reshape(-1), flat_more)
        for i in range(size):
            flat_more[i] -= (one - at[i] * at[i]) * flat[i]
        moved = _taken(flat_more, rest, moved)
    return moved


@njit(error_model="numpy", fastmath=FAST, parallel=True, cache=True, nogil=True)
def nested_nudge(
    R: Any, W: Any, back_R: Any, back_W: Any, links: Any, ways: Any, walk: Any, ends: Any, z: Any, force: Any,
    tolerance: float, most: int, sweeps: int, dz: Any, ds: Any, bottom: Any, passes: Any,
) -> None:  # fmt: skip
    """Displacements of the two nudged copies, +force and -force, at their own fixed points.

    A sweep solves for given second-order remainders, which are then computed anew, until they change by less than
    `tolerance`. dz, ds: (2, L, N, B); bottom (2, N, B): what comes down to the stream below layer 1 of level 1; back_R,
    back_W: the transposes. passes (2, chunks) counts.
    """
    neurons, samples = z.shape[1:]
    chunks = passes.shape[1]
    kind = z.dtype.type
    for piece in prange(2 * chunks):
        sign, chunk = piece // chunks, piece % chunks
        begin = chunk * CHUNK
        end = min(begin + CHUNK, samples)
        shape, size = (neurons, end - begin), neurons * (end - begin)
        stack = (len(z), neurons, end - begin)
        way = kind(1) if sign == 0 else kind(-1)
        free = z[:, :, begin:end].copy()
        zs, ss = np.zeros(stack, z.dtype), np.zeros(stack, z.dtype)
        curved = np.zeros(stack, z.dtype)
        credit, new, more = np.empty(shape, z.dtype), np.empty(shape, z.dtype), np.empty(shape, z.dtype)
        flat_credit, flat_new, flat_more = credit.reshape(-1), new.reshape(-1), more.reshape(-1)
        top = ss[len(z) - 1]
        for i in range(neurons):
            for j in range(shape[1]):
                top[i, j] = way * force[i, begin + j]
        done = 0
        for _ in range(sweeps):
            stop = ends[len(ends) - 1]
            for root in range(len(ends) - 1, -1, -1):
                start = ends[root - 1] if root > 0 else 0
                for _ in range(most):
                    moved = kind(0)
                    for step in range(stop - 1, start - 1, -1):
                        k = walk[step, 0]
                        under, holder, last = links[k, 1], links[k, 2], links[k, 4]
                        at, shifted, stream = free[k].reshape(-1), zs[k].reshape(-1), ss[k].reshape(-1)
                        for i in range(size):
                            flat_credit[i] = (kind(1) - at[i] * at[i]) * shifted[i]
                        if walk[step, 1] == 1:
                            np.dot(back_R[k], credit, more)
                            _mixed(ways[k, 0], flat_more, ways[k, 3], stream, flat_new)
                            if last >= 0:
                                moved = _taken(flat_new, ss[last].reshape(-1), moved)
                            else:
                                _mixed(kind(1), flat_new, kind(1), curved[k].reshape(-1), flat_new)
                                moved = _taken(flat_new, shifted, moved)
                            continue
                        np.dot(back_W[k], credit, more)
                        _mixed(ways[k, 1], flat_more, ways[k, 2], stream, flat_new)
                        if under >= 0:
                            moved = _taken(flat_new, ss[under].reshape(-1), moved)
                        elif holder >= 0:
                            _mixed(kind(1), flat_new, kind(1), curved[holder].reshape(-1), flat_new)
                            moved = _taken(flat_new, zs[holder].reshape(-1), moved)
                    done += 1
                    if not moved >= tolerance:
                        break
                stop = start
            for i in range(neurons):
                for j in range(shape[1]):
                    bottom[sign, i, begin + j] = new[i, j]
            if not _remainders(R, W, links, ways, free, zs, ss, curved) >= tolerance:
                break
        passes[sign, chunk] = done
        for k in range(len(z)):
            for i in range(neurons):
                for j in range(shape[1]):
                    dz[sign, k, i, begin + j] = zs[k, i, j]
                    ds[sign, k, i, begin + j] = ss[k, i, j]
