"""One tick of a lattice of voxels in plain NumPy: the reference that `kernels.lattice` is compared with.

Voxel i = side y + x of layer z has a synapse from each of its 26 neighbours (z + dz, y + dy, x + dx), in planes:

    K   (L, 27, N)   row 9 (dz + 1) + 3 (dy + 1) + dx + 1: onto voxel i of layer z from that neighbour

Rows 0-8 come from the layer below, 9-17 from the voxel's own (13 is the voxel itself, and 0), 18-26 from the one above.
Synapses from outside the lattice are 0. States, drive, velocity, flips and sums are as in `kernels`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels.reference import largest, observed, remainder

Array = NDArray[Any]
NEIGHBOURS = tuple((dz, dy, dx) for dz in (-1, 0, 1) for dy in (-1, 0, 1) for dx in (-1, 0, 1))
"""Where each row of K comes from."""
SELF = 13
"""The row that would be the voxel's own."""


def _padded(values: Array, side: int) -> Array:
    """Values (L, ..., N) with a rim of zeros round the lattice, (L + 2, ..., side + 2, side + 2)."""
    layers, inner = len(values), values.shape[1:-1]
    padded = np.zeros((layers + 2, *inner, side + 2, side + 2), values.dtype)
    padded[1:-1, ..., 1:-1, 1:-1] = values.reshape(layers, *inner, side, side)
    return padded


def _moved(padded: Array, row: int) -> Array:
    """What the neighbour of this row has, (L, ..., N)."""
    dz, dy, dx = NEIGHBOURS[row]
    layers, side = len(padded) - 2, padded.shape[-1] - 2
    moved = padded[1 + dz : 1 + dz + layers, ..., 1 + dy : 1 + dy + side, 1 + dx : 1 + dx + side]
    return moved.reshape(*moved.shape[:-2], side * side)


def around(values: Array, side: int) -> Iterator[Array]:
    """For each row of K what its neighbour has: values (L, ..., N) moved by it, 0 from outside the lattice."""
    padded = _padded(values, side)
    return (_moved(padded, row) for row in range(len(NEIGHBOURS)))


def lattice_mask(layers: int, side: int) -> NDArray[np.bool_]:
    """Which rows of K are synapses within the lattice, (L, 27, N)."""
    mask = np.stack(list(around(np.ones((layers, side * side), bool), side)), axis=1)
    mask[:, SELF] = False
    return mask


def _received(K: Array, x: Array, side: int) -> Array:
    """K x for x (L, ..., N)."""
    out = np.zeros_like(x)
    for row, moved in enumerate(around(x, side)):
        out += K[:, row].reshape(len(K), *(1,) * (x.ndim - 2), -1) * moved
    return out


def applied(K: Array, x: Array, side: int, out: Array) -> None:
    """out = K x for x (L, N)."""
    out[...] = _received(K, x, side)


def turned(K: Array, side: int, out: Array) -> None:
    """out = K transposed, in the layout of K: what a voxel sends, as if it received it."""
    padded = _padded(K, side)
    for row in range(len(NEIGHBOURS)):
        out[:, row] = _moved(padded[:, len(NEIGHBOURS) - 1 - row], row)


def correlated(g: Array, x: Array, side: int, out: Array) -> None:
    """out[z, row, i] = sum over samples of g x' with x' the neighbour's x; g, x (L, N, B)."""
    first, second = (np.ascontiguousarray(a.swapaxes(1, 2)) for a in (g, x))
    for row, moved in enumerate(around(second, side)):
        out[:, row] = (first * moved).sum(1)


def tick(
    K: Array, T: Array, drive: Array, inflow: Array, force: Array, s: Array, s_out: Array, velocity: Array,
    flips: Array, sums: Array, credit: Array, room: Array, side: int, columns: int,
) -> None:  # fmt: skip
    """One tick of the lattice, all voxels at once from last tick's values.

        s <- tanh(K s + drive + inflow on layer 1)

    and for the displacements the asymmetric nudge x' = F(x) + (J^T - J)(x - x0) + beta f (Scurria et al. 2026,
    arXiv 2602.03670), with J taken at the running free copy and the force on layer L. T is K transposed (`turned`).
    A displacement is kept within the diameter of the state space, 2, which binds only where the map is no contraction.
    `credit` and `room` are scratch of a backend that needs it.
    """
    samples, dtype = s.shape[1], s.dtype
    push = _received(K, s, side)
    pre = push[:, :, 0] + drive
    pre[0] += inflow
    free = np.tanh(pre)
    s_out[:, :, 0] = free
    nudged: Array = np.zeros((len(s), samples), dtype)
    if columns == 3:
        g = (1 - np.square(s[:, :, :1])) * s[:, :, 1:]
        back = _received(T, g, side)
        back[-1] += np.stack([force, -force], axis=1)
        curved = remainder(free[:, :, None], push[:, :, 1:]) - (1 - np.square(free))[:, :, None] * push[:, :, 1:]
        s_out[:, :, 1:] = np.clip(back + curved, -2, 2)
        nudged = largest(s_out[:, :, 1:] - s[:, :, 1:]).max(-1)
    else:
        s_out[:, :, 1:] = s[:, :, 1:]
    change = free - s[:, :, 0]
    nudge = (s_out[:, :, 1] - s_out[:, :, 2]) / 2
    observed(free, change, nudge, largest(change), nudged, velocity, flips, sums)
