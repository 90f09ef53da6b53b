"""One tick of each chain in plain NumPy: the reference that every other backend is compared with."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels import FLIP_THRESHOLD, TINY

Array = NDArray[Any]


def observed(
    activation: Array, change: Array, nudge: Array, free: Array, nudged: Array,
    velocity: Array, flips: Array, sums: Array,
) -> None:  # fmt: skip
    """Velocity, its sign changes and the reductions of a tick; `free` and `nudged` are the largest |changes|."""
    turned = (change * velocity < 0) & (np.abs(change) > FLIP_THRESHOLD)
    flips[...] = np.where(turned, np.minimum(flips, 254) + 1, 0)
    velocity[...] = change
    for column, values in enumerate((activation, change, nudge)):
        sums[..., column] = np.square(values, dtype=np.float64).sum(-1)
    sums[..., 3] = free
    sums[..., 4] = nudged


def largest(change: Array) -> Array:
    """Largest |change| over the last axis."""
    found: Array = np.abs(change).max(-1)
    return found


def remainder(free: Array, push: Array) -> Array:
    """tanh(a + push) - tanh(a) where free = tanh(a), without cancellation."""
    turn = np.tanh(push)
    shifted: Array = (1 - free * free) * turn / np.maximum(1 + free * turn, TINY)
    return shifted


def recursive_tick(
    R: Array, W: Array, drive: Array, inflow: Array, force: Array, sigma: float, z: Array, s: Array, z_out: Array,
    s_out: Array, velocity: Array, flips: Array, sums: Array, products: Array, columns: int,
) -> None:  # fmt: skip
    """One tick of the recursive residual chain, all layers at once from last tick's values.

        z_l <- tanh(sigma R_l z_l + W_l s_(l-1) + drive_l),   s_l <- s_(l-1) + z_l / sqrt(L)

    and for the displacements the asymmetric nudge x' = F(x) + (J^T - J)(x - x0) + beta f (Scurria et al. 2026,
    arXiv 2602.03670), with J taken at the running free copy. R, W: (L, N, N); z, s and their `_out`: state columns;
    `products` is scratch of a backend that needs it. A displacement is kept within the diameter of the state space,
    2 for z and 2 sqrt(L) for s, which binds only where the map is no contraction.
    """
    layers, samples = z.shape[:2]
    share = 1 / np.sqrt(layers)
    dtype = z.dtype
    below = np.zeros_like(s)
    below[1:] = s[:-1]
    below[0, :, 0] = inflow
    pre = sigma * np.matmul(z, R.swapaxes(1, 2)[:, None]) + np.matmul(below, W.swapaxes(1, 2)[:, None])
    free = np.tanh(pre[:, :, 0] + drive)
    z_out[:, :, 0] = free
    s_out[:, :, 0] = below[:, :, 0] + free * dtype.type(share)
    nudged: Array = np.zeros((layers, samples), dtype)
    if columns == 3:
        slope = 1 - np.square(z[:, :, :1])
        credit = slope * (z[:, :, 1:] + dtype.type(share) * s[:, :, 1:])
        back_r = np.matmul(credit, R[:, None])
        back_w = np.matmul(credit, W[:, None])
        push = pre[:, :, 1:]
        curved = remainder(free[:, :, None], push) - (1 - np.square(free))[:, :, None] * push
        z_out[:, :, 1:] = np.clip(sigma * back_r + curved, -2, 2)
        above = np.empty_like(back_w)
        above[:-1] = s[1:, :, 1:] + back_w[1:]
        above[-1] = np.stack([force, -force], axis=1)
        reach = 2 / share
        s_out[:, :, 1:] = np.clip(above + dtype.type(share) * curved, -reach, reach)
        change_z = largest(z_out[:, :, 1:] - z[:, :, 1:])
        change_s = largest(s_out[:, :, 1:] - s[:, :, 1:])
        nudged = np.maximum(change_z, change_s).max(-1)
    else:
        z_out[:, :, 1:] = z[:, :, 1:]
        s_out[:, :, 1:] = s[:, :, 1:]
    change = free - z[:, :, 0]
    moved = np.maximum(largest(change), largest(s_out[:, :, 0] - s[:, :, 0]))
    observed(free, change, (s_out[:, :, 1] - s_out[:, :, 2]) / 2, moved, nudged, velocity, flips, sums)


def hopfield_tick(
    W: Array, drive: Array, inflow: Array, force: Array, sigma: float, omega: float, s: Array, s_out: Array,
    velocity: Array, flips: Array, sums: Array, products: Array, columns: int,
) -> None:  # fmt: skip
    """One tick of the Hopfield energy chain, all layers at once from last tick's values.

        s_l <- tanh([(sigma/2)(W_l s_(l-1) + W_(l+1)^T s_(l+1)) + drive_l] / m_l),   m = 1, and 1/2 for the top layer

    and with omega > 1 the accelerated form s_(t+1) = omega (F(s_t) - s_(t-1)) + s_(t-1), for which `s_out` holds
    s_(t-1) on entry. W: (L, N, N). On return products[:, :, 0] holds W_l s_(l-1) of the free state on entry, from
    which the network reads its energy.
    """
    below = np.zeros_like(s)
    below[1:] = s[:-1]
    below[0, :, 0] = inflow
    forward = np.matmul(below, W.swapaxes(1, 2)[:, None])
    products[:, :, 0] = forward[:, :, 0]
    push = (sigma / 2) * forward
    push[:-1] += (sigma / 2) * np.matmul(s[1:], W[1:, None])
    push[:, :, 0] += drive
    push[-1, :, 1] += force
    push[-1, :, 2] -= force
    push[-1] *= 2
    target = np.empty_like(s)
    target[:, :, 0] = np.tanh(push[:, :, 0])
    target[:, :, 1:] = remainder(target[:, :, :1], push[:, :, 1:]) if columns == 3 else s[:, :, 1:]
    if omega != 1:
        target[:, :, :columns] = omega * (target - s_out)[:, :, :columns] + s_out[:, :, :columns]
    s_out[...] = target
    change = target - s
    moved = largest(change)
    nudge = (target[:, :, 1] - target[:, :, 2]) / 2
    observed(target[:, :, 0], change[:, :, 0], nudge, moved[..., 0], moved[..., 1:].max(-1), velocity, flips, sums)


def hopfield_red_black_tick(
    W: Array, drive: Array, inflow: Array, force: Array, sigma: float, omega: float, s: Array, s_out: Array,
    velocity: Array, flips: Array, sums: Array, products: Array, columns: int,
) -> None:  # fmt: skip
    """One red-black sweep of the Hopfield chain with over-relaxation (SOR): s_l <- s_l + omega (F_l - s_l).

    First the layers 1, 3, 5, ... from what their neighbours were, then 2, 4, ... from what they have become. Each
    weight is read twice. On return products[:, :, 0] holds W_l s_(l-1) as layer l saw it.
    """
    layers = len(W)
    s_out[...] = s
    zero = np.zeros_like(force)
    for k in (*range(0, layers, 2), *range(1, layers, 2)):
        below = s_out[k - 1] if k else np.stack([inflow, zero, zero], axis=1)
        forward = below @ W[k].T
        products[k, :, 0] = forward[:, 0]
        push = (sigma / 2) * forward
        if k < layers - 1:
            push += (sigma / 2) * (s_out[k + 1] @ W[k + 1])
        else:
            push += np.stack([zero, force, -force], axis=1)
        push[:, 0] += drive[k]
        if k == layers - 1:
            push *= 2
        target = np.tanh(push[:, 0])
        s_out[k, :, 0] += omega * (target - s_out[k, :, 0])
        if columns == 3:
            s_out[k, :, 1:] += omega * (remainder(target[:, None], push[:, 1:]) - s_out[k, :, 1:])
    change = s_out - s
    moved = largest(change)
    nudge = (s_out[:, :, 1] - s_out[:, :, 2]) / 2
    observed(s_out[:, :, 0], change[:, :, 0], nudge, moved[..., 0], moved[..., 1:].max(-1), velocity, flips, sums)
