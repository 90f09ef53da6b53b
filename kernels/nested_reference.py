"""One tick of nested chains in plain NumPy: the reference that `kernels.nested` is compared with."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels.reference import largest, observed, remainder

Array = NDArray[Any]


def nested_tick(
    R: Array, W: Array, links: NDArray[np.int64], roots: NDArray[np.int64], ways: Array, program: NDArray[np.int64],
    drive: Array, inflow: Array, force: Array, z: Array, s: Array, z_out: Array, s_out: Array, velocity: Array,
    flips: Array, sums: Array, products: Array, columns: int,
) -> None:  # fmt: skip
    """One tick of level 1: its layers listen, the Blocks within tick as `program` says, its layers speak.

        z <- tanh(own R o + reads W u + drive),    s <- keep u + mix o        (`engine.networks.nested.nest`)

    Layers of a level listen all at once to what streams were, then speak all at once. The displacements follow the
    asymmetric nudge (Scurria et al. 2026, arXiv 2602.03670) with g = (1 - z^2) dz, along the same links turned round:
    a layer hands down keep ds + reads W^T g, to ds of the layer below or, at the bottom of a Block, to dz of its holder
    (plus that one's second-order remainder); and own R^T g + mix ds to its own dz, or to ds at the top of what it
    holds. R, W: (L, N, N); links (L, 5), roots (layers of level 1, 2), ways (L, 5), program (steps, 2) as in `Nest`;
    z, s and their `_out`: state columns; products: (L, B, 23, N) scratch of a backend that needs it.
    """
    z_out[...], s_out[...] = z, s
    below, holder, _, last = links[:, 1:].T
    levels = [np.flatnonzero(links[:, 0] == level) for level in range(links[:, 0].max() + 1)]
    outermost = levels[0]
    arriving = s[:, :, 1:].copy()
    rising, curved = np.zeros_like(arriving), np.zeros_like(arriving)
    nothing = np.zeros_like(z[0])
    nothing[:, 0] = inflow
    arriving[outermost[-1]] = np.stack([force, -force], axis=1)

    def what_is_read(i: int, streams: Array) -> Array:
        if below[i] >= 0:
            return np.asarray(streams[below[i]])
        return np.asarray(z_out[holder[i]]) if holder[i] >= 0 else nothing

    def listen(level: NDArray[np.int64], streams: Array) -> None:
        for i in level:
            own, reads, keep, mix, _ = ways[i]
            given = z_out[i] if last[i] < 0 else s_out[last[i]]
            push = own * (given @ R[i].T) + reads * (what_is_read(i, streams) @ W[i].T)
            credit = (1 - np.square(z_out[i][:, :1])) * z_out[i][:, 1:]
            free = np.tanh(push[:, 0] + drive[i])
            z_out[i][:, 0] = free
            if columns == 1:
                continue
            curved[i] = remainder(free[:, None], push[:, 1:]) - (1 - np.square(free))[:, None] * push[:, 1:]
            down = keep * s_out[i][:, 1:] + reads * (credit @ W[i])
            back = own * (credit @ R[i]) + mix * s_out[i][:, 1:]
            if below[i] >= 0:
                arriving[below[i]] = down
            elif holder[i] >= 0:
                rising[holder[i]] = down
            if last[i] >= 0:
                arriving[last[i]] = back
            else:
                z_out[i][:, 1:] = np.clip(back + curved[i], -2, 2)

    def speak(level: NDArray[np.int64], streams: Array) -> None:
        for i in level[::-1]:
            _, _, keep, mix, reach = ways[i]
            given = z_out[i] if last[i] < 0 else s_out[last[i]]
            s_out[i][:, 0] = keep * what_is_read(i, streams)[:, 0] + mix * given[:, 0]
            if columns == 1:
                continue
            s_out[i][:, 1:] = np.clip(arriving[i], -reach, reach)
            if last[i] >= 0:
                z_out[i][:, 1:] = np.clip(rising[i] + curved[i], -2, 2)

    listen(outermost, s)
    for level, speaks in program:
        (speak if speaks else listen)(levels[level], s_out)
    speak(outermost, s)
    change = z_out[:, :, 0] - z[:, :, 0]
    moved = np.maximum(largest(change), largest(s_out[:, :, 0] - s[:, :, 0]))
    shifted = np.maximum(largest(z_out[:, :, 1:] - z[:, :, 1:]), largest(s_out[:, :, 1:] - s[:, :, 1:])).max(-1)
    nudge = (s_out[:, :, 1] - s_out[:, :, 2]) / 2
    observed(z_out[:, :, 0], change, nudge, moved, shifted, velocity, flips, sums)
