"""Ordinary differential equations by SciPy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from engine.dynamics.stream import StreamError

Array = NDArray[np.float64]
TOLERANCE = 1e-9


def integrate(
    rate: Callable[[float, Array], Array], start: Array, steps: int, dt: float, *, transient: float = 0.0
) -> Array:
    """States (steps, nodes, d) at times 0, dt, ... after a `transient` that is thrown away.

    `rate` takes a time and a state (nodes, d); the time 0 is the first state kept. Dormand and Prince's method of
    order 8 with relative and absolute tolerance 1e-9. Raises StreamError where the solution cannot be followed.
    """
    from scipy.integrate import solve_ivp

    def flat(time: float, state: Array) -> Array:
        return rate(time, state.reshape(start.shape)).reshape(-1)

    times = dt * np.arange(steps)
    kept = np.concatenate([[-transient], times]) if transient > 0 else times
    span = (kept[0], kept[-1] + 1e-9)
    with np.errstate(over="ignore", invalid="ignore"):
        found = solve_ivp(flat, span, start.reshape(-1), "DOP853", kept, rtol=TOLERANCE, atol=TOLERANCE)
    states = np.asarray(found.y.T[-steps:], np.float64)
    if not found.success or not np.isfinite(states).all():
        raise StreamError(f"the equations cannot be integrated with these parameters: {found.message}")
    return states.reshape(steps, *start.shape)
