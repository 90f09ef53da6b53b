"""Lorenz's three equations of convection (Lorenz 1963, J. Atmos. Sci. 20, 130).

dx/dt = sigma (y - x),   dy/dt = x (rho - z) - y,   dz/dt = x y - beta z
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.dynamics.integrate import integrate
from engine.dynamics.stream import Stream, Truth, observed, summed

Array = NDArray[np.float64]
EXPONENT = 0.9056
"""Largest Lyapunov exponent at sigma 10, rho 28, beta 8/3 (Sprott 2003)."""
_READS = np.array([[1, 1, 0], [1, 1, 1], [1, 1, 1]], bool)


def lorenz63(
    *,
    steps: int = 8000,
    dt: float = 0.02,
    noise: float = 0.0,
    seed: int = 0,
    sigma: float = 10.0,
    rho: float = 28.0,
    beta: float = 8 / 3,
) -> Stream:
    """Three nodes x, y, z of one number each, on the attractor."""

    def rate(_time: float, state: Array) -> Array:
        x, y, z = state[:, 0]
        return np.array([[sigma * (y - x)], [x * (rho - z) - y], [x * y - beta * z]])

    start = np.array([[-8.0], [7.0], [27.0]]) + np.random.default_rng(seed).uniform(-1, 1, (3, 1))
    chaotic = (sigma, rho, beta) == (10.0, 28.0, 8 / 3)
    truth = Truth(
        rate,
        _READS,
        1 / EXPONENT if chaotic else None,
        equations=("x' = sigma (y - x)", "y' = x (rho - z) - y", "z' = x y - beta z"),
        written=(summed((sigma, "(y - x)")), f"x ({rho:.4g} - z) - y", summed((1, "x y"), (-beta, "z"))),
    )
    clean = integrate(rate, start, steps, dt, transient=20.0)
    return observed("lorenz63", clean, dt, noise=noise, seed=seed, truth=truth, names=("x", "y", "z"))
