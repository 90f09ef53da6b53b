"""Convolutions, the stabilisers: every output reads a small neighbourhood, zero beyond the border."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from engine.networks.tween.activation import PHI, Phi
from engine.networks.tween.layer import Array, Cache, Shape, ShapeError, State, Stateless, Weights, glorot


class Conv2D(Stateless):
    """a = phi(K * x + b). x (S, B, C, H, W); K (S, channels, C, size, size); b (S, channels).

    The picture is padded by size // 2 and read every `stride` pixels.
    """

    kind = "conv2d"

    def __init__(self, shape_in: Shape, channels: int, size: int = 3, stride: int = 1, phi: Phi = "tanh") -> None:
        if len(shape_in) != 3:
            raise ShapeError(f"conv2d reads (channels, height, width), not {shape_in}")
        if min(channels, size, stride) < 1 or size % 2 == 0:
            raise ShapeError("conv2d needs channels, an odd size and a stride of at least 1")
        self.shape_in, self.size, self.stride = shape_in, size, stride
        _, height, width = shape_in
        self.shape = (channels, -(-height // stride), -(-width // stride))
        self._phi, self._slope = PHI[phi]

    def initial_weights(self, rng: np.random.Generator, lanes: int) -> Weights:
        """Glorot's weights, no biases."""
        channels, inputs, area = self.shape[0], self.shape_in[0], self.size**2
        shape = (channels, inputs, self.size, self.size)
        return {"K": glorot(rng, lanes, channels * area, inputs * area, shape), "b": np.zeros((lanes, channels))}

    def forward(self, weights: Weights, x: Array, state: State) -> tuple[Array, Cache, State]:
        """See Layer."""
        pad = self.size // 2
        padded = np.pad(x, ((0, 0),) * 3 + ((pad, pad),) * 2)
        windows = sliding_window_view(padded, (self.size, self.size), (3, 4))[:, :, :, :: self.stride, :: self.stride]
        lanes, samples, _, rows, columns = windows.shape[:5]
        patches = windows.transpose(0, 1, 3, 4, 2, 5, 6).reshape(lanes, samples * rows * columns, -1)
        kernels = weights["K"].reshape(lanes, self.shape[0], -1)
        z = patches @ kernels.swapaxes(1, 2) + weights["b"][:, None]
        a = self._phi(z.reshape(lanes, samples, rows, columns, -1).transpose(0, 1, 4, 2, 3))
        return a, (patches, a), state

    def backward(
        self, weights: Weights, g: Array, cache: Cache, g_state: State | None = None
    ) -> tuple[Array, Weights, State]:
        """See Layer."""
        patches, a = cache
        lanes, samples = g.shape[:2]
        channels, rows, columns = self.shape
        inputs, height, width = self.shape_in
        gz = (g * self._slope(a)).transpose(0, 1, 3, 4, 2).reshape(lanes, -1, channels)
        kernels = weights["K"].reshape(lanes, channels, -1)
        gradients = {"K": (gz.swapaxes(1, 2) @ patches).reshape(weights["K"].shape), "b": gz.sum(1)}
        spread = (gz @ kernels).reshape(lanes, samples, rows, columns, inputs, self.size, self.size)
        spread = spread.transpose(0, 1, 4, 2, 3, 5, 6)
        pad, stride = self.size // 2, self.stride
        back = np.zeros((lanes, samples, inputs, height + 2 * pad, width + 2 * pad), g.dtype)
        for i in range(self.size):
            for j in range(self.size):
                where = slice(i, i + rows * stride, stride), slice(j, j + columns * stride, stride)
                target = back[:, :, :, where[0], where[1]]
                target += spread[..., i, j][..., : target.shape[3], : target.shape[4]]
        return back[:, :, :, pad : pad + height, pad : pad + width], gradients, ()


class Conv1D(Stateless):
    """The same along the time of a sequence: x (S, B, T, F) -> (S, B, T', channels); K (S, channels, F, size)."""

    kind = "conv1d"

    def __init__(self, shape_in: Shape, channels: int, size: int = 3, stride: int = 1, phi: Phi = "tanh") -> None:
        if len(shape_in) != 2:
            raise ShapeError(f"conv1d reads (time, features), not {shape_in}")
        if min(channels, size, stride) < 1 or size % 2 == 0:
            raise ShapeError("conv1d needs channels, an odd size and a stride of at least 1")
        self.shape_in, self.size, self.stride = shape_in, size, stride
        self.shape = (-(-shape_in[0] // stride), channels)
        self._phi, self._slope = PHI[phi]

    def initial_weights(self, rng: np.random.Generator, lanes: int) -> Weights:
        """Glorot's weights, no biases."""
        channels, inputs = self.shape[1], self.shape_in[1]
        kernels = glorot(rng, lanes, channels * self.size, inputs * self.size, (channels, inputs, self.size))
        return {"K": kernels, "b": np.zeros((lanes, channels))}

    def forward(self, weights: Weights, x: Array, state: State) -> tuple[Array, Cache, State]:
        """See Layer."""
        pad = self.size // 2
        padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (0, 0)))
        windows = sliding_window_view(padded, self.size, 2)[:, :, :: self.stride]
        lanes, samples, steps = windows.shape[:3]
        patches = windows.reshape(lanes, samples * steps, -1)
        kernels = weights["K"].reshape(lanes, self.shape[1], -1)
        a = self._phi(patches @ kernels.swapaxes(1, 2) + weights["b"][:, None]).reshape(lanes, samples, steps, -1)
        return a, (patches, a), state

    def backward(
        self, weights: Weights, g: Array, cache: Cache, g_state: State | None = None
    ) -> tuple[Array, Weights, State]:
        """See Layer."""
        patches, a = cache
        lanes, samples, steps, channels = g.shape
        length, inputs = self.shape_in
        gz = (g * self._slope(a)).reshape(lanes, -1, channels)
        gradients = {"K": (gz.swapaxes(1, 2) @ patches).reshape(weights["K"].shape), "b": gz.sum(1)}
        spread = (gz @ weights["K"].reshape(lanes, channels, -1)).reshape(lanes, samples, steps, inputs, self.size)
        pad, stride = self.size // 2, self.stride
        back = np.zeros((lanes, samples, length + 2 * pad, inputs), g.dtype)
        for i in range(self.size):
            target = back[:, :, i : i + steps * stride : stride]
            target += spread[..., i][:, :, : target.shape[2]]
        return back[:, :, pad : pad + length], gradients, ()
