r"""The exact gradient of a lattice of voxels at its free fixed point, in float64, written with plain slices.

The fixed point of s = tanh(K s + b + input) and the adjoint equation v = J^T v + f are both iterated to round-off (the
second converges wherever the first is stable: J and its transpose have one spectrum), K and its transpose being applied
neighbour by neighbour. Then dC/dK_ij = -g_i s_j with g = (1 - s^2) v.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import product

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
SMALL = 1e-3
"""The adjoint equation is linear and solved for a force of this size: rest is an absolute change."""


def _there(x: Array, step: tuple[int, ...]) -> Array:
    """For each voxel of x (..., L, side, side) what the voxel `step` (dz, dy, dx) away has, 0 from outside."""
    padded = np.pad(x, [(0, 0)] * (x.ndim - 3) + [(1, 1)] * 3)
    depth, height, width = (slice(1 + d, 1 + d + size) for d, size in zip(step, x.shape[-3:], strict=True))
    return padded[..., depth, height, width]


def lattice_gradients(
    weights: Mapping[str, Array],
    inflow: Array,
    gains: tuple[float, float],
    symmetric: bool,
    settled: Callable[[Callable[[Array], Array], Array], Array],
    force: Callable[[Array], tuple[Array, Array]],
) -> dict[str, Array]:
    """dC/dweight by name, mean over the batch; inflow (B, N), `gains` of U and R.

    `settled` iterates a map to round-off, `force` gives -dC/ds (B, N) and onehot - softmax of a top state.
    """
    layers, neurons = weights["b"].shape
    side, samples = math.isqrt(neurons), len(inflow)
    cube = (layers, side, side)
    K = np.concatenate([gains[0] * weights["U"], gains[1] * weights["R"]], axis=1).reshape(layers, 27, side, side)
    steps = list(product((-1, 0, 1), repeat=3))

    def forward(x: Array) -> Array:
        total: Array = np.sum([K[:, row] * _there(x, step) for row, step in enumerate(steps)], axis=0)
        return total

    def backward(x: Array) -> Array:
        back = [tuple(-d for d in step) for step in steps]
        total: Array = np.sum([_there(K[:, row] * x, step) for row, step in enumerate(back)], axis=0)
        return total

    drive = np.broadcast_to(weights["b"].reshape(cube), (samples, *cube)).copy()
    drive[:, 0] += inflow.reshape(samples, side, side)
    s = settled(lambda now: np.tanh(forward(now) + drive), np.zeros_like(drive))
    slope = 1 - s**2
    pull, error = force(s[:, -1].reshape(samples, neurons))
    push = np.zeros_like(s)
    scale = SMALL / max(float(np.abs(pull).max()), np.finfo(np.float64).tiny)
    push[:, -1] = scale * pull.reshape(samples, side, side)
    v = settled(lambda now: backward(slope * now) + push, np.zeros_like(push)) / scale
    g = slope * v

    of_K = np.stack([-(g * _there(s, step)).sum(0) for step in steps], axis=1)
    if symmetric:
        of_K = (of_K + np.stack([_there(of_K[:, 26 - row], step) for row, step in enumerate(steps)], axis=1)) / 2
    of_K = of_K.reshape(layers, 27, neurons) / samples
    parts = {"U": of_K[:, :9] * gains[0], "R": of_K[:, 9:] * gains[1]}
    top = s[:, -1].reshape(samples, neurons)
    return {
        **{name: np.where(weights[name] != 0, part, 0) for name, part in parts.items()},
        "b": -g.reshape(samples, layers, neurons).mean(0),
        "W_out": -error.T @ top / samples,
    }
