"""Backpropagation through the relaxation of the convolutional chain: every inner tick is kept, then walked back.

The rival of `kernels.conv_sweeps`, with the same arrays: each layer ticks a fixed number of times from rest.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, prange

from kernels.conv_sweeps import CHUNK, join, sum_channels
from kernels.conv_tick import size_of
from kernels.convolution import C_OUT, FROM_BELOW, OWN, SHARE, SKIP, backward, correlate, forward, kernel_of
from kernels.tanh import tanh_of
from kernels.walk import FAST


@njit(error_model="numpy", fastmath=FAST, cache=True)
def _forward_chunk(
    shapes: Any, ways: Any, weights: Any, bias: Any, inflow: Any, sigma: float, room: int, states: Any, s: Any
) -> None:
    scratch, gain = np.empty(room, s.dtype), s.dtype.type(sigma)
    at, channel = 0, 0
    below = inflow
    for k in range(shapes.shape[0]):
        own = shapes[k, OWN]
        n = size_of(own)
        cells = n // own[C_OUT]
        push, now, product = np.empty((n, CHUNK), s.dtype), np.empty((n, CHUNK), s.dtype), np.zeros((n, CHUNK), s.dtype)
        forward(weights, shapes[k, FROM_BELOW], below.reshape(-1), CHUNK, scratch, push.reshape(-1))
        states[at : at + n, 0] = 0
        for tick in range(1, states.shape[1]):
            if tick > 1:
                forward(weights, own, now.reshape(-1), CHUNK, scratch, product.reshape(-1))
            for i in range(n):
                for j in range(CHUNK):
                    product[i, j] = gain * product[i, j] + push[i, j] + bias[channel + i // cells]
            tanh_of(product.reshape(-1), now.reshape(-1))
            states[at : at + n, tick] = now
        join(now, below, ways[k, SHARE], ways[k, SKIP], s[at : at + n])
        below = s[at : at + n]
        at += n
        channel += own[C_OUT]


@njit(error_model="numpy", fastmath=FAST, parallel=True, cache=True, nogil=True)
def conv_forward(
    shapes: Any, ways: Any, weights: Any, bias: Any, inflow: Any, sigma: float, room: int, states: Any, s: Any
) -> None:
    """states[c, :, k] = z after tick k of its layer, (chunks, neurons, K + 1, CHUNK); k = 0 is rest. s as in sweeps."""
    for chunk in prange(s.shape[0]):
        _forward_chunk(shapes, ways, weights, bias, inflow[chunk], sigma, room, states[chunk], s[chunk])


@njit(error_model="numpy", fastmath=FAST, cache=True)
def _backward_chunk(
    shapes: Any, ways: Any, weights: Any, inflow: Any, states: Any, s: Any, force: Any, sigma: float, room: int,
    for_weights: Any, for_bias: Any,
) -> None:  # fmt: skip
    scratch, gain, one = np.empty(room, s.dtype), s.dtype.type(sigma), s.dtype.type(1)
    at, channel = s.shape[0], for_bias.size
    stream = force.copy()
    for k in range(shapes.shape[0] - 1, -1, -1):
        own, link, share = shapes[k, OWN], shapes[k, FROM_BELOW], ways[k, SHARE]
        n, taps = size_of(own), kernel_of(for_weights, own)
        at -= n
        channel -= own[C_OUT]
        pull, g, before = np.empty((n, CHUNK), s.dtype), np.empty((n, CHUNK), s.dtype), np.empty((n, CHUNK), s.dtype)
        total, part = np.zeros((n, CHUNK), s.dtype), np.empty_like(taps)
        for i in range(n):
            for j in range(CHUNK):
                pull[i, j] = share * stream[i, j]
        taps[:] = 0
        for tick in range(states.shape[1] - 1, 0, -1):
            for i in range(n):
                for j in range(CHUNK):
                    z = states[at + i, tick, j]
                    g[i, j] = (one - z * z) * pull[i, j]
                    total[i, j] += g[i, j]
                    before[i, j] = states[at + i, tick - 1, j]
            if tick > 1:
                correlate(own, g.reshape(-1), before.reshape(-1), CHUNK, scratch, part)
                taps += part
                backward(weights, own, g.reshape(-1), CHUNK, scratch, pull.reshape(-1))
                for i in range(n):
                    for j in range(CHUNK):
                        pull[i, j] *= gain
        sum_channels(total, own[C_OUT], for_bias[channel : channel + own[C_OUT]])
        flat = total.reshape(-1)
        if k == 0:
            correlate(link, flat, inflow.reshape(-1), CHUNK, scratch, kernel_of(for_weights, link))
            break
        source = size_of(shapes[k - 1, OWN])
        correlate(link, flat, s[at - source : at].reshape(-1), CHUNK, scratch, kernel_of(for_weights, link))
        down = np.empty((source, CHUNK), s.dtype)
        backward(weights, link, flat, CHUNK, scratch, down.reshape(-1))
        if ways[k, SKIP] > 0:
            down += stream
        stream = down


@njit(error_model="numpy", fastmath=FAST, parallel=True, cache=True, nogil=True)
def conv_backward(
    shapes: Any, ways: Any, weights: Any, inflow: Any, states: Any, s: Any, force: Any, sigma: float, room: int,
    for_weights: Any, for_bias: Any,
) -> None:  # fmt: skip
    """Walk back from force = minus the gradient by the top of the stream, (chunks, neurons of the top, CHUNK).

    Sums over each chunk's samples of credit times activity per tap: for_weights (chunks, weights), for_bias (chunks,
    channels). They are minus the gradients, but for the gain sigma of a layer's own kernel.
    """
    for chunk in prange(s.shape[0]):
        _backward_chunk(
            shapes, ways, weights, inflow[chunk], states[chunk], s[chunk], force[chunk], sigma, room,
            for_weights[chunk], for_bias[chunk],
        )  # fmt: skip
