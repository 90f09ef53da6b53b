"""Light bodies on springs, and a heavy one that comes by, goes and comes back.

    dq_i/dt = p_i,   dp_i/dt = -k_i * (q_i - home_i) + mass (Q - q_i) / (|Q - q_i|^2 + soft^2)^(3/2)

The heavy body Q goes round a large ellipse, is not moved by the light ones, and passes them once a turn. Springs are
strong enough that no body is carried off. Half a turn after each passage a steady wind, an acceleration along x, may
blow for a twelfth of a turn: another trouble.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.dynamics.integrate import integrate
from engine.dynamics.stream import Stream, Truth, observed, summed

Array = NDArray[np.float64]
WIDE = 5.0
"""Half the short axis of the ellipse."""
NEAR = 4.0
"""A passage is while the heavy body is this near to the middle of the homes."""
SOFT = 0.8


def black_hole(
    *,
    steps: int = 6000,
    dt: float = 0.05,
    noise: float = 0.0,
    seed: int = 0,
    bodies: int = 8,
    mass: float = 6.0,
    period: float = 100.0,
    wind: float = 0.0,
    away: float = 12.0,
) -> Stream:
    """Node 0 is the heavy body, the others the light ones; all with place and velocity, (x, y, vx, vy).

    `away` is half the long axis of the ellipse.
    """
    rng = np.random.default_rng(seed)
    angle = 2 * np.pi * (np.arange(bodies) + rng.uniform(-0.2, 0.2, bodies)) / bodies
    home = 1.5 * np.stack([np.cos(angle), np.sin(angle)], 1)
    spring = rng.uniform(1.5, 4.0, (bodies, 2))
    pace = 2 * np.pi / period
    half = np.array([away, WIDE])

    def heavy(time: float) -> tuple[Array, Array, Array]:
        """Place, velocity and acceleration; farthest at time 0, nearest half a period later."""
        phase = pace * time
        turn = np.array([np.cos(phase), np.sin(phase)])
        swing = np.array([-np.sin(phase), np.cos(phase)])
        return half * turn + (away + 2.0, 0.0), pace * half * swing, -(pace**2) * half * turn

    def blows(time: float) -> bool:
        return time > period / 4 and bool(np.cos(pace * time) > np.cos(np.pi / 12))

    def rate(time: float, state: Array) -> Array:
        velocity, acceleration = heavy(time)[1:]
        q, p = state[1:, :2], state[1:, 2:]
        between = state[0, :2] - q
        pull = mass * between / (np.square(between).sum(1, keepdims=True) + SOFT**2) ** 1.5
        push = (wind * blows(time), 0.0)
        light = np.concatenate([p, pull - spring * (q - home) + push], 1)
        return np.concatenate([[[*velocity, *acceleration]], light])

    light = np.concatenate([home + rng.normal(0, 0.5, (bodies, 2)), rng.normal(0, 0.8, (bodies, 2))], 1)
    start = np.concatenate([[np.concatenate(heavy(0.0)[:2])], light])
    clean = integrate(rate, start, steps, dt)
    reads = np.eye(bodies + 1, dtype=bool)
    reads[1:, 0] = True
    gusts = spells(np.array([wind > 0 and blows(dt * tick) for tick in range(steps)]))
    written: tuple[str, ...] = ("vx[1]", "vy[1]", "along a large ellipse", "along a large ellipse")
    for i, (k, at) in enumerate(zip(spring, home, strict=True), 2):
        pulls = [f"({axis}[1] - {axis}[{i}]) / (r^2 + {SOFT**2:.4g})^1.5" for axis in "xy"]
        places = (f"x[{i}]", f"y[{i}]")
        sides = [summed((-k[a], places[a]), (k[a] * at[a], ""), (mass, pulls[a])) for a in (0, 1)]
        sides[0] += f" + {wind:.4g} while it blows" if wind else ""
        written += (f"vx[{i}]", f"vy[{i}]", *sides)
    truth = Truth(
        rate,
        reads,
        passages=spells(np.linalg.norm(clean[:, 0, :2], axis=1) < NEAR),
        gusts=gusts,
        written=written,
        equations=("q_i'' = -k_i * (q_i - home_i) + M (Q - q_i) / (|Q - q_i|^2 + s^2)^(3/2)",),
    )
    return observed("black-hole", clean, dt, noise=noise, seed=seed, labels=("x", "y", "vx", "vy"), truth=truth)


def spells(true: NDArray[np.bool_]) -> tuple[tuple[int, int], ...]:
    """First tick and the one behind the last of each run of True."""
    edges = np.flatnonzero(np.diff(np.pad(true, 1).astype(np.int8)))
    return tuple((int(first), int(last)) for first, last in edges.reshape(-1, 2))
