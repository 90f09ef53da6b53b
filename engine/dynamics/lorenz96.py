"""Lorenz's ring of an atmospheric quantity (Lorenz 1996, "Predictability: a problem partly solved").

dx_i/dt = (x_(i+1) - x_(i-2)) x_(i-1) - x_i + F
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.dynamics.integrate import integrate
from engine.dynamics.stream import Stream, Truth, number_names, observed, summed

Array = NDArray[np.float64]
EXPONENT = 1.67
"""Largest Lyapunov exponent of 40 nodes at F = 8 (Lorenz & Emanuel 1998: errors double in 2.1 days of 0.2 units)."""


def lorenz96(
    *,
    steps: int = 6000,
    dt: float = 0.05,
    noise: float = 0.0,
    seed: int = 0,
    nodes: int = 40,
    forcing: float = 8.0,
) -> Stream:
    """A ring of nodes of one number each, on the attractor. Node i reads i - 2, i - 1, itself and i + 1."""

    def rate(_time: float, state: Array) -> Array:
        return (np.roll(state, -1, 0) - np.roll(state, 2, 0)) * np.roll(state, 1, 0) - state + forcing

    start = forcing + np.random.default_rng(seed).standard_normal((nodes, 1))
    eye = np.eye(nodes, dtype=bool)
    reads = eye | np.roll(eye, 1, 1) | np.roll(eye, -1, 1) | np.roll(eye, -2, 1)
    x = number_names(("x",), nodes)
    truth = Truth(
        rate,
        reads,
        1 / EXPONENT if (nodes, forcing) == (40, 8.0) else None,
        equations=("x_i' = (x_(i+1) - x_(i-2)) x_(i-1) - x_i + F",),
        written=tuple(
            summed((1, f"({x[(i + 1) % nodes]} - {x[i - 2]}) {x[i - 1]}"), (-1, x[i]), (forcing, ""))
            for i in range(nodes)
        ),
    )
    clean = integrate(rate, start, steps, dt, transient=20.0)
    return observed("lorenz96", clean, dt, noise=noise, seed=seed, truth=truth)
