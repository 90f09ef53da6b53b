"""Backpropagation through a relaxation: every inner tick is kept, then walked back.

The rival of `kernels.sweeps`: the same layer-after-layer relaxation of the recursive chain, a fixed number of ticks a
layer from rest, with all of its states in memory. Arrays are feature-major and come in chunks of `sweeps.CHUNK`
samples: inflow and force (chunks, N, CHUNK). Threads share the chunks; products are BLAS, one thread each. A
chunk that is not full is padded, and its padding has no force.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, prange

from kernels.tanh import tanh_of
from kernels.walk import FAST


@njit(error_model="numpy", fastmath=FAST, parallel=True, cache=True, nogil=True)
def recursive_forward(R: Any, W: Any, b: Any, inflow: Any, sigma: float, states: Any, streams: Any) -> None:
    """states[c, l, :, k] = z_l after its tick k, (chunks, L, N, K + 1, CHUNK); k = 0 is rest.

    streams (chunks, L + 1, N, CHUNK): what each layer reads from below, and the top of the stream last.
    """
    chunks, layers, neurons, slots, width = states.shape
    kind = states.dtype.type
    share, gain = kind(1 / np.sqrt(layers)), kind(sigma)
    for chunk in prange(chunks):
        shape = (neurons, width)
        push, now, product = np.empty(shape, states.dtype), np.empty(shape, states.dtype), np.empty(shape, states.dtype)
        flat_push, flat_now, flat_product = push.reshape(-1), now.reshape(-1), product.reshape(-1)
        streams[chunk, 0] = inflow[chunk]
        for layer in range(layers):
            np.dot(W[layer], streams[chunk, layer], push)
            kept = states[chunk, layer]
            for i in range(neurons):
                for j in range(width):
                    push[i, j] += b[layer, i]
                    kept[i, 0, j] = 0
            tanh_of(flat_push, flat_now)
            for k in range(1, slots):
                if k > 1:
                    np.dot(R[layer], now, product)
                    for i in range(flat_product.size):
                        flat_product[i] = gain * flat_product[i] + flat_push[i]
                    tanh_of(flat_product, flat_now)
                for i in range(neurons):
                    for j in range(width):
                        kept[i, k, j] = now[i, j]
            for i in range(neurons):
                for j in range(width):
                    streams[chunk, layer + 1, i, j] = streams[chunk, layer, i, j] + share * now[i, j]


@njit(error_model="numpy", fastmath=FAST, parallel=True, cache=True, nogil=True)
def recursive_backward(
    back_R: Any, back_W: Any, states: Any, streams: Any, force: Any, sigma: float, for_R: Any, for_W: Any, for_b: Any,
    bottom: Any,
) -> None:  # fmt: skip
    """Walk back from force = minus the gradient by the top of the stream; back_R, back_W hold the transposes.

    Sums over each chunk's samples of minus the gradients: for_R, for_W (chunks, L, N, N), for_b (chunks, L, N). bottom
    (chunks, N, CHUNK) is minus the gradient by the inflow.
    """
    chunks, layers, neurons, slots, width = states.shape
    kind = states.dtype.type
    share, gain, one = kind(1 / np.sqrt(layers)), kind(sigma), kind(1)
    for chunk in prange(chunks):
        stream = force[chunk].copy()
        pull, credit, total = np.empty_like(stream), np.empty_like(stream), np.empty_like(stream)
        credits = np.zeros((neurons, slots, width), stream.dtype)
        flat_pull, flat_stream = pull.reshape(-1), stream.reshape(-1)
        for layer in range(layers - 1, -1, -1):
            kept = states[chunk, layer]
            for i in range(flat_pull.size):
                flat_pull[i] = share * flat_stream[i]
            total[...] = 0
            for k in range(slots - 2, -1, -1):
                for i in range(neurons):
                    for j in range(width):
                        z = kept[i, k + 1, j]
                        g = (one - z * z) * pull[i, j]
                        credit[i, j] = g
                        total[i, j] += g
                        credits[i, k, j] = g
                if k > 0:
                    np.dot(back_R[layer], credit, pull)
                    for i in range(flat_pull.size):
                        flat_pull[i] *= gain
            row = (neurons, slots * width)
            np.dot(credits.reshape(row), kept.reshape(row).T, for_R[chunk, layer])
            np.dot(total, streams[chunk, layer].T, for_W[chunk, layer])
            for i in range(neurons):
                for_b[chunk, layer, i] = total[i].sum()
                for j in range(neurons):
                    for_R[chunk, layer, i, j] *= gain
            np.dot(back_W[layer], total, pull)
            for i in range(flat_pull.size):
                flat_stream[i] += flat_pull[i]
        bottom[chunk] = stream
