"""Fixed points of the convolutional chain for whole batches, layer after layer, and the gradients of its kernels.

The chain is block lower-triangular, as the recursive one: see `kernels.sweeps` for why a sweep is enough. Samples come
in chunks of CHUNK, the last one padded, and lie innermost, so that an image is (channels, height, width, CHUNK); the
threads share the chunks. The layers' neurons follow each other: z, s (chunks, neurons, CHUNK), inflow (chunks, pixels,
CHUNK). shapes, ways, weights as in `kernels.conv_reference`; alive (neurons,): 0 where a neuron is cut out.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, prange

from kernels.conv_tick import size_of
from kernels.convolution import C_OUT, FROM_BELOW, OWN, SHARE, SKIP, backward, correlate, forward, kernel_of
from kernels.cpu import combine
from kernels.sweeps import largest_change, shift
from kernels.tanh import tanh_of
from kernels.walk import FAST

CHUNK = 16
"""Samples that one thread carries through all layers at a time."""


@njit(error_model="numpy", fastmath=FAST)
def masked(x: Any, alive: Any) -> None:
    """x (neurons, CHUNK) times alive (neurons,), in place."""
    for i in range(alive.size):
        if alive[i] != 1:
            for j in range(x.shape[1]):
                x[i, j] *= alive[i]


@njit(error_model="numpy", fastmath=FAST)
def _scaled(factor: Any, x: Any, out: Any) -> None:
    """out = factor x, flat arrays."""
    for i in range(out.size):
        out[i] = factor * x[i]


@njit(error_model="numpy", fastmath=FAST)
def slopes(z: Any, alive: Any, dz: Any, ds: Any, share: Any, g: Any) -> None:
    """g = (1 - z^2) (dz + share ds), 0 where nothing lives; all (neurons, CHUNK)."""
    one = z.dtype.type(1)
    for i in range(z.shape[0]):
        for j in range(z.shape[1]):
            g[i, j] = alive[i] * (one - z[i, j] * z[i, j]) * (dz[i, j] + share * ds[i, j])


@njit(error_model="numpy", fastmath=FAST)
def join(z: Any, below: Any, share: Any, skip: Any, stream: Any) -> None:
    """stream = share z, and what comes from below if it skips the block; all (neurons, CHUNK)."""
    for i in range(z.shape[0]):
        for j in range(CHUNK):
            stream[i, j] = share * z[i, j]
            if skip > 0:
                stream[i, j] += below[i, j]


@njit(error_model="numpy", fastmath=FAST)
def sum_channels(x: Any, channels: int, out: Any) -> None:
    """out (channels,) = sums of an image (neurons, CHUNK) over places and samples."""
    rows = x.reshape(channels, -1)
    for c in range(channels):
        out[c] = rows[c].sum()


@njit(error_model="numpy", fastmath=FAST, cache=True)
def _settle_chunk(
    shapes: Any, ways: Any, weights: Any, bias: Any, alive: Any, inflow: Any, sigma: float, tolerance: float, most: int,
    room: int, z: Any, s: Any, ticks: Any,
) -> None:  # fmt: skip
    scratch = np.empty(room, z.dtype)
    gain = z.dtype.type(sigma)
    at, channel = 0, 0
    below = inflow
    for k in range(shapes.shape[0]):
        own = shapes[k, OWN]
        n = size_of(own)
        cells, lives = n // own[C_OUT], alive[at : at + n]
        push, now = np.empty((n, CHUNK), z.dtype), np.empty((n, CHUNK), z.dtype)
        new, product = np.empty((n, CHUNK), z.dtype), np.empty((n, CHUNK), z.dtype)
        flat_push, flat_product = push.reshape(-1), product.reshape(-1)
        forward(weights, shapes[k, FROM_BELOW], below.reshape(-1), CHUNK, scratch, flat_push)
        for i in range(n):
            for j in range(CHUNK):
                push[i, j] += bias[channel + i // cells]
        masked(push, lives)
        tanh_of(flat_push, now.reshape(-1))
        count = 1
        while count < most:
            forward(weights, own, now.reshape(-1), CHUNK, scratch, flat_product)
            masked(product, lives)
            for i in range(flat_product.size):
                flat_product[i] = gain * flat_product[i] + flat_push[i]
            tanh_of(flat_product, new.reshape(-1))
            change = largest_change(new.reshape(-1), now.reshape(-1))
            now, new = new, now
            count += 1
            if not change >= tolerance:
                break
        ticks[k] = count
        z[at : at + n] = now
        join(now, below, ways[k, SHARE], ways[k, SKIP], s[at : at + n])
        below = s[at : at + n]
        at += n
        channel += own[C_OUT]


@njit(error_model="numpy", fastmath=FAST, parallel=True, cache=True, nogil=True)
def settle(
    shapes: Any, ways: Any, weights: Any, bias: Any, alive: Any, inflow: Any, sigma: float, tolerance: float, most: int,
    room: int, z: Any, s: Any, ticks: Any,
) -> None:  # fmt: skip
    """Free fixed point, written to z and s. bias: all channels' one after the other; room: numbers of scratch.

    Each layer ticks until its largest change is under `tolerance`, `most` times at most; ticks (chunks, L) counts them.
    """
    for chunk in prange(z.shape[0]):
        _settle_chunk(
            shapes, ways, weights, bias, alive, inflow[chunk], sigma, tolerance, most, room, z[chunk], s[chunk],
            ticks[chunk],
        )  # fmt: skip


@njit(error_model="numpy", fastmath=FAST, cache=True)
def _downward(
    shapes: Any, ways: Any, weights: Any, alive: Any, z: Any, rest: Any, gain: Any, tolerance: Any, most: int,
    scratch: Any, dz: Any, ds: Any,
) -> int:  # fmt: skip
    """One sweep of one chunk from the top, for given second-order remainders `rest`; ds holds the force on the top.

    dz starts from what it is. Returns the inner ticks done.
    """
    at, done = z.shape[0], 0
    for k in range(shapes.shape[0] - 1, -1, -1):
        own = shapes[k, OWN]
        n, share = size_of(own), ways[k, SHARE]
        at -= n
        free, lives, curved = z[at : at + n], alive[at : at + n], rest[at : at + n]
        now, stream = dz[at : at + n], ds[at : at + n]
        g, new = np.empty((n, CHUNK), z.dtype), np.empty((n, CHUNK), z.dtype)
        for i in range(n):
            for j in range(CHUNK):
                stream[i, j] += share * curved[i, j]
        for _ in range(most):
            slopes(free, lives, now, stream, share, g)
            backward(weights, own, g.reshape(-1), CHUNK, scratch, new.reshape(-1))
            masked(new, lives)
            for i in range(n):
                for j in range(CHUNK):
                    new[i, j] = gain * new[i, j] + curved[i, j]
            change = largest_change(new.reshape(-1), now.reshape(-1))
            now[:] = new
            done += 1
            if not change >= tolerance:
                break
        if k > 0:
            below = ds[at - size_of(shapes[k - 1, OWN]) : at]
            slopes(free, lives, now, stream, share, g)
            backward(weights, shapes[k, FROM_BELOW], g.reshape(-1), CHUNK, scratch, below.reshape(-1))
            if ways[k, SKIP] > 0:
                combine(z.dtype.type(1), stream.reshape(-1), below.reshape(-1), below.reshape(-1))
    return done


@njit(error_model="numpy", fastmath=FAST, cache=True)
def _remainders(
    shapes: Any, ways: Any, weights: Any, alive: Any, z: Any, gain: Any, scratch: Any, dz: Any, ds: Any, rest: Any
) -> Any:
    """Write what the forward map adds to its linear part at these displacements to `rest`; its largest change."""
    one, moved, at = z.dtype.type(1), z.dtype.type(0), 0
    for k in range(shapes.shape[0]):
        own = shapes[k, OWN]
        n = size_of(own)
        push, from_below = np.empty((n, CHUNK), z.dtype), np.empty((n, CHUNK), z.dtype)
        flat, other = push.reshape(-1), from_below.reshape(-1)
        forward(weights, own, dz[at : at + n].reshape(-1), CHUNK, scratch, flat)
        _scaled(gain, flat, flat)
        if k > 0:
            below = ds[at - size_of(shapes[k - 1, OWN]) : at]
            forward(weights, shapes[k, FROM_BELOW], below.reshape(-1), CHUNK, scratch, other)
            combine(one, other, flat, flat)
        masked(push, alive[at : at + n])
        free, curved, new = z[at : at + n].reshape(-1), rest[at : at + n].reshape(-1), np.empty_like(flat)
        shift(free, flat, other, new)
        for i in range(flat.size):
            remainder = new[i] - (one - free[i] * free[i]) * flat[i]
            moved = max(moved, abs(remainder - curved[i]))
            curved[i] = remainder
        at += n
    return moved


@njit(error_model="numpy", fastmath=FAST, cache=True)
def _nudge_chunk(
    shapes: Any, ways: Any, weights: Any, alive: Any, z: Any, force: Any, sigma: float, tolerance: float, most: int,
    sweeps: int, room: int, dz: Any, ds: Any,
) -> int:  # fmt: skip
    scratch, gain, close = np.empty(room, z.dtype), z.dtype.type(sigma), z.dtype.type(tolerance)
    top = force.shape[0]
    rest = np.zeros_like(dz)
    one, first, pull = z.dtype.type(1), ds.shape[1] - top, force.reshape(-1)
    dz[0] = 0
    _scaled(one, pull, ds[0, first:].reshape(-1))
    done = _downward(shapes, ways, weights, alive, z, rest[0], gain, close, most, scratch, dz[0], ds[0])
    for both in (dz, ds):
        _scaled(-one, both[0].reshape(-1), both[1].reshape(-1))
    for sign in range(2):
        for _ in range(sweeps):
            moved = _remainders(shapes, ways, weights, alive, z, gain, scratch, dz[sign], ds[sign], rest[sign])
            if not moved >= close:
                break
            _scaled(one if sign == 0 else -one, pull, ds[sign, first:].reshape(-1))
            done += _downward(
                shapes, ways, weights, alive, z, rest[sign], gain, close, most, scratch, dz[sign], ds[sign]
            )
    return int(done)


@njit(error_model="numpy", fastmath=FAST, parallel=True, cache=True, nogil=True)
def nudge(
    shapes: Any, ways: Any, weights: Any, alive: Any, z: Any, force: Any, sigma: float, tolerance: float, most: int,
    sweeps: int, room: int, dz: Any, ds: Any, ticks: Any,
) -> None:  # fmt: skip
    """Displacements of the two nudged copies, +force and -force on the top, at their own fixed points.

        dz_l = sigma R_l^T * g_l + N_l,   ds_l = skip_(l+1) ds_(l+1) + K_(l+1)^T * g_(l+1) + share_l N_l,
        g_l = D_l (dz_l + share_l ds_l)

    A sweep solves this for given remainders N, which are then computed anew, until they change by less than `tolerance`
    (`sweeps` times at most). Without N the copies mirror each other, so the first sweep is done once for both. force
    (chunks, neurons of the top, CHUNK); dz, ds (chunks, 2, neurons, CHUNK); ticks (chunks,): inner ticks done.
    """
    for chunk in prange(z.shape[0]):
        ticks[chunk] = _nudge_chunk(
            shapes, ways, weights, alive, z[chunk], force[chunk], sigma, tolerance, most, sweeps, room, dz[chunk],
            ds[chunk],
        )  # fmt: skip


@njit(error_model="numpy", fastmath=FAST, cache=True)
def _gradients_chunk(
    shapes: Any, inflow: Any, z: Any, s: Any, g: Any, room: int, for_weights: Any, for_bias: Any
) -> None:
    scratch = np.empty(room, z.dtype)
    at, channel = 0, 0
    below = inflow
    for k in range(shapes.shape[0]):
        link, own = shapes[k, FROM_BELOW], shapes[k, OWN]
        n = size_of(own)
        credit, here = g[at : at + n].reshape(-1), z[at : at + n].reshape(-1)
        correlate(link, credit, below.reshape(-1), CHUNK, scratch, kernel_of(for_weights, link))
        correlate(own, credit, here, CHUNK, scratch, kernel_of(for_weights, own))
        sum_channels(g[at : at + n], own[C_OUT], for_bias[channel : channel + own[C_OUT]])
        below = s[at : at + n]
        at += n
        channel += own[C_OUT]


@njit(error_model="numpy", fastmath=FAST, parallel=True, cache=True, nogil=True)
def gradients(shapes: Any, inflow: Any, z: Any, s: Any, g: Any, room: int, for_weights: Any, for_bias: Any) -> None:
    """Sums over each chunk of g_l s_(l-1)^T and g_l z_l^T per tap, for_weights (chunks, weights); for_bias: of g_l."""
    for chunk in prange(z.shape[0]):
        _gradients_chunk(shapes, inflow[chunk], z[chunk], s[chunk], g[chunk], room, for_weights[chunk], for_bias[chunk])
