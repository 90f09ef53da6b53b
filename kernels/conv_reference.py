"""One tick of the convolutional chain in plain NumPy: the reference that the Numba tick is compared with."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from kernels import FLIP_THRESHOLD, TINY

Array = NDArray[Any]
Shape = NDArray[np.int64]
"""C_in, H_in, W_in, C_out, H_out, W_out, size, stride and the kernel's place in the weights (`kernels.convolution`)."""


def _kernel(weights: Array, shape: Shape) -> Array:
    inputs, outputs, size, at = shape[0], shape[3], shape[6], shape[8]
    return weights[at : at + outputs * inputs * size * size].reshape(outputs, inputs, size, size)


def convolved(weights: Array, shape: Shape, x: Array) -> Array:
    """K * x for images x (..., C_in H_in W_in) -> (..., C_out H_out W_out)."""
    size, stride, leading = int(shape[6]), int(shape[7]), x.shape[:-1]
    images = x.reshape(-1, *shape[:3])
    padded = np.pad(images, ((0, 0), (0, 0), *((size // 2, size // 2),) * 2))
    windows = sliding_window_view(padded, (size, size), (2, 3))[:, :, ::stride, ::stride]
    out: Array = np.einsum("bchwij,ocij->bohw", windows, _kernel(weights, shape), optimize=True)
    return out.reshape(*leading, -1)


def transposed(weights: Array, shape: Shape, g: Array) -> Array:
    """K^T * g, the adjoint of `convolved`."""
    size, stride, pad, leading = int(shape[6]), int(shape[7]), int(shape[6]) // 2, g.shape[:-1]
    _, height, width, _, rows, columns = (int(extent) for extent in shape[:6])
    images = g.reshape(-1, *shape[3:6])
    kernel = _kernel(weights, shape)
    back = np.zeros((len(images), shape[0], height + 2 * pad + stride, width + 2 * pad + stride), g.dtype)
    for i in range(size):
        for j in range(size):
            where = slice(i, i + rows * stride, stride), slice(j, j + columns * stride, stride)
            back[:, :, where[0], where[1]] += np.einsum("bohw,oc->bchw", images, kernel[:, :, i, j], optimize=True)
    return back[:, :, pad : pad + height, pad : pad + width].reshape(*leading, -1)


def _shifted(free: Array, push: Array) -> Array:
    """tanh(a + push) - tanh(a) where free = tanh(a), without cancellation."""
    turn = np.tanh(push)
    shifted: Array = (1 - free * free) * turn / np.maximum(1 + free * turn, TINY)
    return shifted


def _largest(change: Array) -> Array:
    largest: Array = np.abs(change).max(-1)
    return largest


def conv_tick(
    shapes: NDArray[np.int64], ways: Array, weights: Array, alive: Array, drive: Array, inflow: Array, force: Array,
    sigma: float, z: Array, s: Array, z_out: Array, s_out: Array, velocity: Array, flips: Array, sums: Array,
    products: Array, room: Array, columns: int,
) -> None:  # fmt: skip
    """One tick of the convolutional chain, all layers at once from last tick's values.

        z_l <- tanh(sigma R_l * z_l + K_l * s_(l-1) + drive_l),   s_l <- skip_l s_(l-1) + share_l z_l

    and for the displacements the asymmetric nudge x' = F(x) + (J^T - J)(x - x0) + beta f (Scurria et al. 2026,
    arXiv 2602.03670), with J taken at the running free copy. The state arrays are those of `kernels`, with room for
    the largest layer: layer l fills its first C_l H_l W_l places. shapes (L, 2, 9): the links from below and of the
    layer itself, as in `kernels.convolution`; ways (L, 3): skip, share and the bound of a displacement of s; weights:
    flat; alive (L, N): 0 where a neuron is cut out; inflow (B, pixels): s_0. The rest is scratch of other backends.
    """
    share = ways[:, 1]
    credit = np.zeros_like(z[:, :, 1:])
    for k, (_, own) in enumerate(shapes):
        n = int(own[3:6].prod())
        slope = alive[k, :n] * (1 - np.square(z[k, :, :1, :n]))
        credit[k, ..., :n] = slope * (z[k, :, 1:, :n] + share[k] * s[k, :, 1:, :n])
    for k, (below, own) in enumerate(shapes):
        n = int(own[3:6].prod())
        arriving = s[k - 1, :, :, : int(below[:3].prod())] if k else np.zeros((*z.shape[1:3], inflow.shape[1]), z.dtype)
        if k == 0:
            arriving[:, 0] = inflow
        lives = alive[k, :n]
        push = sigma * convolved(weights, own, z[k, ..., :n]) + convolved(weights, below, arriving)
        push[:, 0] += drive[k, :, :n]
        push *= lives
        free = np.tanh(push[:, :1])
        passing = arriving if ways[k, 0] else np.zeros_like(push)
        z_out[k, :, :1, :n] = free
        s_out[k, :, :1, :n] = passing[:, :1] + share[k] * free
        if columns == 3:
            back = lives * transposed(weights, own, credit[k, ..., :n])
            curved = _shifted(free, push[:, 1:]) - (1 - np.square(free)) * push[:, 1:]
            if k + 1 < len(shapes):
                upper = shapes[k + 1]
                above = transposed(weights, upper[0], credit[k + 1, ..., : int(upper[1, 3:6].prod())])
                if ways[k + 1, 0]:
                    above = above + s[k + 1, :, 1:, :n]
            else:
                above = np.stack([force, -force], axis=1)[..., :n]
            z_out[k, :, 1:, :n] = np.clip(sigma * back + curved, -2, 2)
            s_out[k, :, 1:, :n] = np.clip(above + share[k] * curved, -ways[k, 2], ways[k, 2])
        else:
            z_out[k, :, 1:, :n] = z[k, :, 1:, :n]
            s_out[k, :, 1:, :n] = s[k, :, 1:, :n]
        change = free[:, 0] - z[k, :, 0, :n]
        turned = (change * velocity[k, :, :n] < 0) & (np.abs(change) > FLIP_THRESHOLD)
        flips[k, :, :n] = np.where(turned, np.minimum(flips[k, :, :n], 254) + 1, 0)
        velocity[k, :, :n] = change
        nudge = (s_out[k, :, 1, :n] - s_out[k, :, 2, :n]) / 2
        for column, values in enumerate((free[:, 0], change, nudge)):
            sums[k, :, column] = np.square(values, dtype=np.float64).sum(-1)
        moved = [_largest(new[k, ..., :n] - old[k, ..., :n]) for new, old in ((z_out, z), (s_out, s))]
        largest = np.maximum(*moved)
        sums[k, :, 3] = largest[:, 0]
        sums[k, :, 4] = largest[:, 1:].max(-1) if columns == 3 else 0
