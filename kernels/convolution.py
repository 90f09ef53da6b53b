"""Convolutions of small images as matrix products: what all kernels of the convolutional chain share.

An image is flat, (channels, height, width, minor), with `minor` samples innermost (1 in the live tick). Whatever lies
beyond the border reads as zero, size // 2 on every side, so the output measures height / stride by width / stride,
rounded up. A kernel is a matrix (C_out, C_in size size) inside a flat vector of weights; a link's `shape` says where:

    C_IN, H_IN, W_IN, C_OUT, H_OUT, W_OUT, SIZE, STRIDE, AT      int64 (9,)

`gather` (im2col) lays the neighbourhoods out, BLAS multiplies, `scatter` is the adjoint of `gather`: together they make
the convolution, its transpose and its gradient.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from kernels.walk import FAST

C_IN, H_IN, W_IN, C_OUT, H_OUT, W_OUT, SIZE, STRIDE, AT = range(9)
FROM_BELOW, OWN = range(2)
"""The two links of a layer: from the layer below, and its own recurrence."""
SKIP, SHARE, REACH = range(3)
"""How a layer joins the stream: 1 if the stream goes on past it, the block's share in it, the largest displacement."""


@njit(error_model="numpy", fastmath=FAST)
def kernel_of(weights: Any, shape: Any) -> Any:
    """The link's matrix, a view."""
    rows, columns = shape[C_OUT], shape[C_IN] * shape[SIZE] * shape[SIZE]
    return weights[shape[AT] : shape[AT] + rows * columns].reshape(rows, columns)


@njit(error_model="numpy", fastmath=FAST)
def _columns_of(shape: Any, b: int) -> Any:
    """First and last output column (plus one) whose tap b lies inside the image."""
    pad, stride = shape[SIZE] // 2, shape[STRIDE]
    first = (max(pad - b, 0) + stride - 1) // stride
    return first, max(first, min(shape[W_OUT], (shape[W_IN] - 1 - b + pad) // stride + 1))


@njit(error_model="numpy", fastmath=FAST)
def gather(x: Any, shape: Any, minor: int, room: Any) -> Any:
    """Neighbourhoods of every output, (C_in size size, H_out W_out minor), laid out in `room` (flat)."""
    size, stride, pad = shape[SIZE], shape[STRIDE], shape[SIZE] // 2
    rows, wide = shape[C_IN] * size * size, shape[W_OUT] * minor
    patches = room[: rows * shape[H_OUT] * wide].reshape(rows, shape[H_OUT] * wide)
    for row in range(rows):
        channel, a, b = row // (size * size), row // size % size, row % size
        first, last = _columns_of(shape, b)
        for i in range(shape[H_OUT]):
            line = patches[row, i * wide : (i + 1) * wide]
            y = i * stride + a - pad
            if y < 0 or y >= shape[H_IN] or first == last:
                line[:] = 0
                continue
            line[: first * minor] = 0
            line[last * minor :] = 0
            start = ((channel * shape[H_IN] + y) * shape[W_IN] + first * stride + b - pad) * minor
            inside = line[first * minor : last * minor]
            if stride == 1:
                source = x[start : start + inside.size]
                for t in range(inside.size):
                    inside[t] = source[t]
            else:
                for j in range(last - first):
                    source = x[start + j * stride * minor : start + (j * stride + 1) * minor]
                    for t in range(minor):
                        inside[j * minor + t] = source[t]
    return patches


@njit(error_model="numpy", fastmath=FAST)
def scatter(patches: Any, shape: Any, minor: int, x: Any) -> None:
    """x = the adjoint of `gather`: every neighbourhood is added back where it came from."""
    size, stride, pad = shape[SIZE], shape[STRIDE], shape[SIZE] // 2
    wide = shape[W_OUT] * minor
    x[:] = 0
    for row in range(patches.shape[0]):
        channel, a, b = row // (size * size), row // size % size, row % size
        first, last = _columns_of(shape, b)
        for i in range(shape[H_OUT]):
            y = i * stride + a - pad
            if y < 0 or y >= shape[H_IN] or first == last:
                continue
            start = ((channel * shape[H_IN] + y) * shape[W_IN] + first * stride + b - pad) * minor
            inside = patches[row, i * wide + first * minor : i * wide + last * minor]
            if stride == 1:
                target = x[start : start + inside.size]
                for t in range(inside.size):
                    target[t] += inside[t]
            else:
                for j in range(last - first):
                    target = x[start + j * stride * minor : start + (j * stride + 1) * minor]
                    for t in range(minor):
                        target[t] += inside[j * minor + t]


@njit(error_model="numpy", fastmath=FAST)
def forward(weights: Any, shape: Any, x: Any, minor: int, room: Any, out: Any) -> None:
    """out = K * x."""
    np.dot(kernel_of(weights, shape), gather(x, shape, minor, room), out.reshape(shape[C_OUT], -1))


@njit(error_model="numpy", fastmath=FAST)
def backward(weights: Any, shape: Any, g: Any, minor: int, room: Any, out: Any) -> None:
    """out = K^T * g, the transposed convolution."""
    kernel = kernel_of(weights, shape)
    cells = shape[H_OUT] * shape[W_OUT] * minor
    patches = room[: kernel.shape[1] * cells].reshape(kernel.shape[1], cells)
    np.dot(kernel.T, g.reshape(shape[C_OUT], cells), patches)
    scatter(patches, shape, minor, out)


@njit(error_model="numpy", fastmath=FAST)
def correlate(shape: Any, g: Any, x: Any, minor: int, room: Any, out: Any) -> None:
    """out (a kernel's matrix) = sum over places and samples of g x^T: how <g, K * x> depends on K."""
    np.dot(g.reshape(shape[C_OUT], -1), gather(x, shape, minor, room).T, out)
