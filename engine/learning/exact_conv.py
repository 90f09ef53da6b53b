r"""The exact gradient of the convolutional chain at its free fixed point, in float64.

Convolutions are written anew, tap by tap; fixed point and adjoint are iterated on their own to round-off,

    u_l = sigma R_l^T * g_l,   g_l = D_l (u_l + share_l v_l),   v_(l-1) = skip_l v_l + K_l^T * g_l,   v_L = -dC/ds_L,

with D_l = 1 - z_l^2. (A dense solve a layer, as for the recursive chain, would need matrices of the size of an image
squared.) The gradients of the kernels follow from g.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.learning.exact import Check, force_of, no_check, settled
from engine.networks.conv.chain import ALIVE
from engine.networks.conv.plan import Plan, Shape

Array = NDArray[np.float64]


class _Convolution:
    """K * x for rows of images, x (B, C_in H W) -> (B, C_out H' W')."""

    def __init__(self, kernel: Array, shape_in: Shape, shape: Shape, size: int, stride: int) -> None:
        self._taps = kernel.reshape(shape[0], shape_in[0], size, size)
        self._in, self._out, self._pad = shape_in, shape, size // 2
        _, rows, columns = shape
        self._where = [
            (a, b, slice(a, a + stride * (rows - 1) + 1, stride), slice(b, b + stride * (columns - 1) + 1, stride))
            for a in range(size)
            for b in range(size)
        ]

    def _padded(self, x: Array) -> Array:
        pad = self._pad
        return np.pad(x.reshape(-1, *self._in), ((0, 0), (0, 0), (pad, pad), (pad, pad)))

    def of(self, x: Array) -> Array:
        """The convolution."""
        padded = self._padded(x)
        out = np.zeros((len(x), *self._out))
        for a, b, down, across in self._where:
            out += np.tensordot(padded[:, :, down, across], self._taps[:, :, a, b], (1, 1)).transpose(0, 3, 1, 2)
        return out.reshape(len(x), -1)

    def back(self, g: Array) -> Array:
        """Its transpose."""
        images = g.reshape(-1, *self._out)
        padded = np.zeros_like(self._padded(np.zeros((len(g), int(np.prod(self._in))))))
        for a, b, down, across in self._where:
            padded[:, :, down, across] += np.tensordot(images, self._taps[:, :, a, b], (1, 0)).transpose(0, 3, 1, 2)
        pad = self._pad
        _, height, width = self._in
        return padded[:, :, pad : pad + height, pad : pad + width].reshape(len(g), -1)

    def slope(self, g: Array, x: Array) -> Array:
        """d<g, K * x>/dK, mean over the rows."""
        images, padded = g.reshape(-1, *self._out), self._padded(x)
        slope = np.empty_like(self._taps)
        for a, b, down, across in self._where:
            slope[:, :, a, b] = np.tensordot(images, padded[:, :, down, across], ((0, 2, 3), (0, 2, 3)))
        return slope.reshape(len(slope), -1) / len(g)


def exact_conv_gradients(
    plan: Plan, weights: Mapping[str, NDArray[Any]], x: NDArray[Any], labels: NDArray[np.int64], sigma: float,
    input_gain: float, check: Check = no_check,
) -> dict[str, Array]:  # fmt: skip
    """dC/dweight for every tensor, mean over pictures x (B, pixels); names and shapes as `weights`.

    Raises NoFixedPointError.
    """
    w = {name: np.asarray(array, np.float64) for name, array in weights.items()}
    stream = [input_gain * plan.arranged(np.asarray(x, np.float64))]
    z, links, lives = [], [], []
    for k, layer in enumerate(plan.layers):
        below = _Convolution(w[f"{k + 1}.K"], layer.shape_in, layer.shape, layer.size, layer.stride)
        own = _Convolution(w[f"{k + 1}.R"], layer.shape, layer.shape, layer.size, 1)
        alive = w[ALIVE][k, : layer.neurons] if ALIVE in w else np.ones(layer.neurons)
        drive = below.of(stream[-1]) + w[f"{k + 1}.b"].repeat(layer.neurons // layer.channels)

        def tick(now: Array, own: _Convolution = own, drive: Array = drive, alive: Array = alive) -> Array:
            moved: Array = alive * np.tanh(sigma * own.of(now) + drive)
            return moved

        z.append(settled(tick, np.zeros_like(drive), check))
        skip, share, _ = plan.ways[k]
        stream.append(share * z[-1] + (stream[-1] if skip else 0))
        links.append((below, own))
        lives.append(alive)
    v, error = force_of(w, stream[-1], labels)
    gradients = {"W_out": -error.T @ stream[-1] / len(error)}
    for k in reversed(range(len(z))):
        (below, own), (skip, share, _) = links[k], plan.ways[k]
        slope = lives[k] * (1 - z[k] ** 2)

        def adjoint(u: Array, own: _Convolution = own, slope: Array = slope, pull: Array = share * v) -> Array:
            return sigma * own.back(slope * (u + pull))

        g = slope * (settled(adjoint, np.zeros_like(v), check) + share * v)
        gradients[f"{k + 1}.K"] = -below.slope(g, stream[k])
        gradients[f"{k + 1}.R"] = -sigma * own.slope(g, z[k])
        gradients[f"{k + 1}.b"] = -g.reshape(len(g), plan.layers[k].channels, -1).sum(-1).mean(0)
        v = below.back(g) + (v if skip else 0)
    return gradients
