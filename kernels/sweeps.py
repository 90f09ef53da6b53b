"""Fixed points of a whole batch, layer after layer: what training computes instead of ticks.

The recursive chain is block lower-triangular, so settling one layer after the other, each with inner ticks of its own
recurrence, reaches the fixed point of the synchronous tick with several times less work; the nudge runs downwards in
the same way. The Hopfield chain is swept red and black with over-relaxation. Nothing is stored but the fixed point.

Arrays are feature-major, samples are columns: z, s (L, N, B), inflow and force (N, B). Threads share the samples in
chunks that stay in the cache; products are BLAS on (N, N) by (N, chunk), one thread each.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numba import njit, prange
from threadpoolctl import threadpool_limits

from kernels import TINY
from kernels.tanh import tanh_of
from kernels.walk import FAST

CHUNK = 32
"""Samples that one thread carries through all layers at a time."""


@njit(error_model="numpy", fastmath=FAST, cache=True)
def largest_change(new: Any, old: Any) -> Any:
    """max |new - old| of flat arrays; NaN where there is NaN."""
    largest = new.dtype.type(0)
    unsound = False
    for i in range(new.size):
        change = abs(new[i] - old[i])
        unsound = unsound or change != change
        if change > largest:
            largest = change
    return new.dtype.type(np.nan) if unsound else largest


@njit(error_model="numpy", fastmath=FAST, cache=True)
def shift(free: Any, push: Any, turn: Any, out: Any) -> None:
    """out = tanh(a + push) - tanh(a) where free = tanh(a); flat arrays, turn is scratch."""
    tanh_of(push, turn)
    one, tiny = free.dtype.type(1), free.dtype.type(TINY)
    for i in range(free.size):
        out[i] = (one - free[i] * free[i]) * turn[i] / max(one + free[i] * turn[i], tiny)


@njit(error_model="numpy", fastmath=FAST, parallel=True, cache=True, nogil=True)
def recursive_settle(
    R: Any, W: Any, b: Any, inflow: Any, sigma: float, tolerance: float, most: int, z: Any, s: Any, ticks: Any
) -> None:
    """Free fixed point of the recursive chain, written to z and s.

    Each layer ticks until its largest change is under `tolerance`, `most` times at most; ticks (L, chunks) counts them.
    """
    layers, neurons, samples = z.shape
    kind = z.dtype.type
    share, gain = kind(1 / np.sqrt(layers)), kind(sigma)
    for chunk in prange(ticks.shape[1]):
        first = chunk * CHUNK
        last = min(first + CHUNK, samples)
        shape = (neurons, last - first)
        stream = inflow[:, first:last].copy()
        push, now, new, product = (
            np.empty(shape, z.dtype),
            np.empty(shape, z.dtype),
            np.empty(shape, z.dtype),
            np.empty(shape, z.dtype),
        )
        flat_push, flat_product = push.reshape(-1), product.reshape(-1)
        for layer in range(layers):
            np.dot(W[layer], stream, push)
            for i in range(neurons):
                for j in range(shape[1]):
                    push[i, j] += b[layer, i]
            tanh_of(flat_push, now.reshape(-1))
            count = 1
            while count < most:
                np.dot(R[layer], now, product)
                for i in range(flat_product.size):
                    flat_product[i] = gain * flat_product[i] + flat_push[i]
                tanh_of(flat_product, new.reshape(-1))
                change = largest_change(new.reshape(-1), now.reshape(-1))
                now, new = new, now
                count += 1
                if not change >= tolerance:
                    break
            ticks[layer, chunk] = count
            for i in range(neurons):
                for j in range(shape[1]):
                    stream[i, j] += share * now[i, j]
                    z[layer, i, first + j] = now[i, j]
                    s[layer, i, first + j] = stream[i, j]


@njit(error_model="numpy", fastmath=FAST, parallel=True, cache=True, nogil=True)
def recursive_nudge(
    R: Any, W: Any, back_R: Any, back_W: Any, z: Any, force: Any, sigma: float, tolerance: float, most: int,
    sweeps: int, dz: Any, ds: Any, bottom: Any, ticks: Any,
) -> None:  # fmt: skip
    """Displacements of the two nudged copies, +force and -force, at their own fixed points.

        dz_l = sigma back_R_l g_l + N_l,   ds_l = ds_(l+1) + back_W_(l+1) g_(l+1) + N_l / sqrt(L),
        g_l = D_l (dz_l + ds_l / sqrt(L))

    with ds_L = +-force + N_L / sqrt(L); `back_R`, `back_W` are the transposes of R and W, or fixed random matrices for
    feedback alignment. A downward sweep solves this for given second-order remainders N, which are then computed anew
    from the displacements, until they change by less than `tolerance` (`sweeps` times at most). dz, ds: (2, L, N, B);
    bottom (2, N, B): the displacement that the stream below layer 1 would have. ticks (2, chunks): inner ticks done.
    """
    layers, neurons, samples = z.shape
    kind = z.dtype.type
    share, gain = kind(1 / np.sqrt(layers)), kind(sigma)
    one = kind(1)
    chunks = ticks.shape[1]
    for piece in prange(2 * chunks):
        sign, chunk = piece // chunks, piece % chunks
        first = chunk * CHUNK
        last = min(first + CHUNK, samples)
        width = last - first
        shape, size = (neurons, width), neurons * width
        shifts, streams = np.zeros((layers, neurons, width), z.dtype), np.zeros((layers, neurons, width), z.dtype)
        curved = np.zeros((layers, neurons, width), z.dtype)
        free = z[:, :, first:last].copy()
        stream, credit, now, new = (
            np.empty(shape, z.dtype),
            np.empty(shape, z.dtype),
            np.empty(shape, z.dtype),
            np.empty(shape, z.dtype),
        )
        pull, push, turn = np.empty(shape, z.dtype), np.empty(shape, z.dtype), np.empty(shape, z.dtype)
        flat_credit, flat_stream, flat_new = credit.reshape(-1), stream.reshape(-1), new.reshape(-1)
        flat_pull, flat_push = pull.reshape(-1), push.reshape(-1)
        way = one if sign == 0 else -one
        done = 0
        for _ in range(sweeps):
            for i in range(neurons):
                for j in range(width):
                    stream[i, j] = way * force[i, first + j] + share * curved[layers - 1, i, j]
            for layer in range(layers - 1, -1, -1):
                at, rest = free[layer].reshape(-1), curved[layer].reshape(-1)
                now[...] = shifts[layer]
                for _ in range(most):
                    flat_now = now.reshape(-1)
                    for i in range(size):
                        flat_credit[i] = (one - at[i] * at[i]) * (flat_now[i] + share * flat_stream[i])
                    np.dot(back_R[layer], credit, new)
                    flat_new = new.reshape(-1)
                    for i in range(size):
                        flat_new[i] = gain * flat_new[i] + rest[i]
                    change = largest_change(flat_new, flat_now)
                    now, new = new, now
                    done += 1
                    if not change >= tolerance:
                        break
                shifts[layer] = now
                streams[layer] = stream
                flat_now = now.reshape(-1)
                for i in range(size):
                    flat_credit[i] = (one - at[i] * at[i]) * (flat_now[i] + share * flat_stream[i])
                np.dot(back_W[layer], credit, pull)
                for i in range(size):
                    flat_stream[i] += flat_pull[i]
                if layer > 0:
                    under = curved[layer - 1].reshape(-1)
                    for i in range(size):
                        flat_stream[i] += share * under[i]
            moved = kind(0)
            for layer in range(layers):
                at, rest = free[layer].reshape(-1), curved[layer].reshape(-1)
                np.dot(R[layer], shifts[layer], push)
                for i in range(size):
                    flat_push[i] *= gain
                if layer > 0:
                    np.dot(W[layer], streams[layer - 1], pull)
                    for i in range(size):
                        flat_push[i] += flat_pull[i]
                flat_new = new.reshape(-1)
                shift(at, flat_push, turn.reshape(-1), flat_new)
                for i in range(size):
                    remainder = flat_new[i] - (one - at[i] * at[i]) * flat_push[i]
                    moved = max(moved, abs(remainder - rest[i]))
                    rest[i] = remainder
            if not moved >= tolerance:
                break
        ticks[sign, chunk] = done
        for layer in range(layers):
            for i in range(neurons):
                for j in range(width):
                    dz[sign, layer, i, first + j] = shifts[layer, i, j]
                    ds[sign, layer, i, first + j] = streams[layer, i, j]
        for i in range(neurons):
            for j in range(width):
                bottom[sign, i, first + j] = stream[i, j]


@njit(error_model="numpy", fastmath=FAST, parallel=True, cache=True, nogil=True)
def hopfield_settle(
    W: Any, transposed: Any, b: Any, inflow: Any, sigma: float, omega: float, tolerance: float, most: int, s: Any,
    ticks: Any,
) -> None:  # fmt: skip
    """Free fixed point of the Hopfield chain, written to s, by red-black sweeps s_l <- s_l + omega (F_l - s_l).

    `transposed` holds W_l^T. A sweep ends the work once nothing changes by `tolerance`; ticks (chunks,) counts sweeps.
    """
    layers, neurons, samples = s.shape
    kind = s.dtype.type
    half, over = kind(sigma / 2), kind(omega)
    for chunk in prange(ticks.size):
        first = chunk * CHUNK
        last = min(first + CHUNK, samples)
        width = last - first
        shape = (neurons, width)
        state = np.zeros((layers, neurons, width), s.dtype)
        below = inflow[:, first:last].copy()
        push, more = np.empty(shape, s.dtype), np.empty(shape, s.dtype)
        flat_push, flat_more = push.reshape(-1), more.reshape(-1)
        count = 0
        while count < most:
            moved = kind(0)
            for colour in range(2):
                for layer in range(colour, layers, 2):
                    np.dot(W[layer], state[layer - 1] if layer > 0 else below, push)
                    if layer < layers - 1:
                        np.dot(transposed[layer + 1], state[layer + 1], more)
                    else:
                        more[...] = 0
                    times = kind(1) if layer < layers - 1 else kind(2)
                    for i in range(neurons):
                        for j in range(width):
                            push[i, j] = times * (half * (push[i, j] + more[i, j]) + b[layer, i])
                    tanh_of(flat_push, flat_more)
                    moved = max(moved, _relax(state[layer].reshape(-1), flat_more, over))
            count += 1
            if not moved >= tolerance:
                break
        ticks[chunk] = count
        for layer in range(layers):
            for i in range(neurons):
                for j in range(width):
                    s[layer, i, first + j] = state[layer, i, j]


@njit(error_model="numpy", fastmath=FAST, cache=True)
def _relax(state: Any, target: Any, over: Any) -> Any:
    """state += over (target - state); the largest |change|."""
    largest = state.dtype.type(0)
    for i in range(state.size):
        change = over * (target[i] - state[i])
        state[i] += change
        if abs(change) > largest or change != change:
            largest = abs(change)
    return largest


@njit(error_model="numpy", fastmath=FAST, parallel=True, cache=True, nogil=True)
def hopfield_nudge(
    W: Any, back: Any, s: Any, force: Any, sigma: float, omega: float, tolerance: float, most: int, ds: Any, ticks: Any
) -> None:
    """Displacements of the two nudged copies, +force and -force on the top layer, by red-black sweeps.

    `back` carries the nudge downwards: W_l^T, or fixed random matrices for feedback alignment. ds: (2, L, N, B).
    """
    layers, neurons, samples = s.shape
    kind = s.dtype.type
    half, over = kind(sigma / 2), kind(omega)
    chunks = ticks.shape[1]
    for piece in prange(2 * chunks):
        sign, chunk = piece // chunks, piece % chunks
        first = chunk * CHUNK
        last = min(first + CHUNK, samples)
        width = last - first
        shape = (neurons, width)
        way = kind(1) if sign == 0 else kind(-1)
        free = s[:, :, first:last].copy()
        state = np.zeros((layers, neurons, width), s.dtype)
        push, more = np.empty(shape, s.dtype), np.empty(shape, s.dtype)
        turn, target = np.empty(shape, s.dtype), np.empty(shape, s.dtype)
        count = 0
        while count < most:
            moved = kind(0)
            for colour in range(2):
                for layer in range(layers - 1 - colour, -1, -2):
                    if layer > 0:
                        np.dot(W[layer], state[layer - 1], push)
                    else:
                        push[...] = 0
                    if layer < layers - 1:
                        np.dot(back[layer + 1], state[layer + 1], more)
                        for i in range(neurons):
                            for j in range(width):
                                push[i, j] = half * (push[i, j] + more[i, j])
                    else:
                        for i in range(neurons):
                            for j in range(width):
                                push[i, j] = kind(2) * (half * push[i, j] + way * force[i, first + j])
                    shift(free[layer].reshape(-1), push.reshape(-1), turn.reshape(-1), target.reshape(-1))
                    moved = max(moved, _relax(state[layer].reshape(-1), target.reshape(-1), over))
            count += 1
            if not moved >= tolerance:
                break
        ticks[sign, chunk] = count
        for layer in range(layers):
            for i in range(neurons):
                for j in range(width):
                    ds[sign, layer, i, first + j] = state[layer, i, j]


@cache
def one_blas_thread() -> None:
    """Keep BLAS to one thread from here on: the samples are shared out already."""
    threadpool_limits(1, "blas")
