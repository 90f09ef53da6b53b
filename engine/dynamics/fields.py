"""A heated rod and a string, cut into nodes (method of lines, second differences).

    heat  du_i/dt = D (u_(i-1) - 2 u_i + u_(i+1)) / h^2,   the ends held at sums of two slow waves
    wave  du_i/dt = p_i,   dp_i/dt = c^2 (u_(i-1) - 2 u_i + u_(i+1)) / h^2,   the ends fixed

Rod and string have length 1; h is the distance between nodes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.dynamics.integrate import integrate
from engine.dynamics.stream import Stream, Truth, number_names, observed, summed

Array = NDArray[np.float64]
WAVES = 2
"""Slow waves that an end is held at."""
MODES = 6
"""Of the string that swing."""
HELD = "held from outside: a sum of slow waves"


def heat(
    *,
    steps: int = 4000,
    dt: float = 0.01,
    noise: float = 0.0,
    seed: int = 0,
    nodes: int = 40,
    diffusivity: float = 0.05,
    flicker: float = 0.0,
) -> Stream:
    """Nodes of one temperature each. Those at the ends are held from outside and read nobody.

    With a `flicker` every inner node is heated by chance, a kick of sd flicker sqrt(dt) at each tick. Without it the
    rod soon moves in as many ways as the ends have waves, and nearly any few nodes tell all the others.
    """
    rng = np.random.default_rng(seed)
    pull = diffusivity * (nodes - 1) ** 2
    pace, phase = rng.uniform(1.0, 5.0, (2, WAVES)), rng.uniform(0, 2 * np.pi, (2, WAVES))
    where = np.linspace(0, 1, nodes)

    def rate(time: float, state: Array) -> Array:
        u = state[:, 0]
        change = np.empty_like(u)
        change[1:-1] = pull * (u[:-2] - 2 * u[1:-1] + u[2:])
        change[[0, -1]] = (pace * np.cos(pace * time + phase)).sum(1)
        return change[:, None]

    first, last = np.sin(phase).sum(1)
    start = first + (last - first) * where + 0.5 * np.sin(np.pi * where)
    reads = _neighbours(nodes)
    reads[[0, -1]] = False
    reads[[0, -1], [0, -1]] = True
    u = number_names(("u",), nodes)
    inside = tuple(summed((pull, f"({u[i - 1]} - 2 {u[i]} + {u[i + 1]})")) for i in range(1, nodes - 1))
    truth = Truth(rate, reads, equations=("u' = D u_xx",), written=(HELD, *inside, HELD))
    clean = integrate(rate, start[:, None], steps, dt)
    if flicker > 0:
        clean[:, 1:-1, 0] += _kicked(flicker * np.sqrt(dt) * rng.standard_normal((steps, nodes - 2)), pull * dt)
    return observed("heat", clean, dt, noise=noise, seed=seed, labels=("u",), truth=truth)


def wave(
    *,
    steps: int = 4000,
    dt: float = 0.02,
    noise: float = 0.0,
    seed: int = 0,
    nodes: int = 40,
    speed: float = 1.0,
) -> Stream:
    """Nodes with displacement and velocity; the string swings in some of its slow modes for ever."""
    rng = np.random.default_rng(seed)
    pull = (speed * (nodes + 1)) ** 2

    def rate(_time: float, state: Array) -> Array:
        u = np.pad(state[:, 0], 1)
        return np.stack([state[:, 1], pull * (u[:-2] - 2 * u[1:-1] + u[2:])], 1)

    where = np.arange(1, nodes + 1) / (nodes + 1)
    number = np.arange(1, MODES + 1)
    shapes = np.sin(np.pi * np.outer(where, number))
    start = np.stack([shapes @ (rng.standard_normal(MODES) / number), np.pi * shapes @ rng.standard_normal(MODES)], 1)
    u, p = (number_names((label,), nodes) for label in ("u", "p"))
    ends = ["", *u, ""]
    written: list[str] = []
    for i in range(nodes):
        near = [name for name in (ends[i], ends[i + 2]) if name]
        written += [p[i], summed((pull, f"({' + '.join(near)} - 2 {u[i]})"))]
    truth = Truth(rate, _neighbours(nodes), equations=("u_t = p", "p_t = c^2 u_xx"), written=tuple(written))
    clean = integrate(rate, start, steps, dt)
    return observed("wave", clean, dt, noise=noise, seed=seed, labels=("u", "p"), truth=truth)


def _kicked(kicks: Array, share: float) -> Array:
    """What kicks (steps, inner nodes) add to a rod with cold ends, which is linear; tick 0 is before the first."""
    from scipy.linalg import expm

    inner = kicks.shape[1]
    spread = expm(share * (np.eye(inner, k=1) + np.eye(inner, k=-1) - 2 * np.eye(inner)))
    added = np.zeros_like(kicks)
    for tick in range(1, len(kicks)):
        added[tick] = spread @ added[tick - 1] + kicks[tick]
    return added


def _neighbours(nodes: int) -> NDArray[np.bool_]:
    """(nodes, nodes): itself, the one before and the one behind."""
    places = np.arange(nodes)
    near: NDArray[np.bool_] = np.abs(places[:, None] - places) <= 1
    return near
