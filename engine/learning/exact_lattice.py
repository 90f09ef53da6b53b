r"""The exact gradient of a lattice of voxels at its free fixed point, in float64, written with plain slices.

The fixed point of s = tanh(K s + b + input) and the adjoint equation v = J^T v + f are both iterated to round-off (the
second converges wherever the first is stable: J and its transpose have one spectrum), K and its transpose being applied
neighbour by neighbour. Then dC/dK_ij = -g_i s_j with g = (1 - s^2) v.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
SMALL = 1e-3
"""The adjoint equation is linear and solved for a force of this size: rest is an absolute change."""


def _pairs(layers: int, side: int) -> list[tuple[tuple[slice, ...], tuple[slice, ...]]]:
    """For each of the 27 rows of K: where in (layers, side, side) there are receivers, and where their senders are."""

    def along(step: int, size: int) -> tuple[slice, slice]:
        return slice(max(0, -step), size - max(0, step)), slice(max(0, step), size - max(0, -step))

    found = []
    for row in range(27):
        steps = row // 9 - 1, row // 3 % 3 - 1, row % 3 - 1
        axes = [along(step, size) for step, size in zip(steps, (layers, side, side), strict=True)]
        found.append((tuple(a[0] for a in axes), tuple(a[1] for a in axes)))
    return found


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
    pairs = _pairs(layers, side)

    def through(x: Array, transposed: bool = False) -> Array:
        out = np.zeros_like(x)
        for row, (receiver, sender) in enumerate(pairs):
            depth, *plane = receiver
            strength = K[depth, row][(slice(None), *plane)]
            here, there = (sender, receiver) if transposed else (receiver, sender)
            out[(..., *here)] += strength * x[(..., *there)]
        return out

    drive = np.broadcast_to(weights["b"].reshape(cube), (samples, *cube)).copy()
    drive[:, 0] += inflow.reshape(samples, side, side)
    s = settled(lambda now: np.tanh(through(now) + drive), np.zeros_like(drive))
    slope = 1 - s**2
    pull, error = force(s[:, -1].reshape(samples, neurons))
    push = np.zeros_like(s)
    scale = SMALL / max(float(np.abs(pull).max()), np.finfo(np.float64).tiny)
    push[:, -1] = scale * pull.reshape(samples, side, side)
    v = settled(lambda now: through(slope * now, transposed=True) + push, np.zeros_like(push)) / scale
    g = slope * v

    of_K = np.zeros_like(K)
    for row, (receiver, sender) in enumerate(pairs):
        depth, *plane = receiver
        of_K[depth, row][(slice(None), *plane)] = -np.einsum("bzyx,bzyx->zyx", g[(..., *receiver)], s[(..., *sender)])
    if symmetric:
        mirrored = np.zeros_like(K)
        for row, (receiver, sender) in enumerate(pairs):
            depth, *plane = receiver
            opposite, *across = sender
            mirrored[depth, row][(slice(None), *plane)] = of_K[opposite, 26 - row][(slice(None), *across)]
        of_K = (of_K + mirrored) / 2
    of_K = of_K.reshape(layers, 27, neurons) / samples
    parts = {"U": of_K[:, :9] * gains[0], "R": of_K[:, 9:] * gains[1]}
    top = s[:, -1].reshape(samples, neurons)
    return {
        **{name: np.where(weights[name] != 0, part, 0) for name, part in parts.items()},
        "b": -g.reshape(samples, layers, neurons).mean(0),
        "W_out": -error.T @ top / samples,
    }
