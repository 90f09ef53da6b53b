"""How good a model of a stream is. States are (T, nodes, d); `scale` (nodes, d) is their standard deviation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
LIMIT = 0.4
"""A forecast is valid while its error is under this share of the states' spread."""
FINITE = 1e6
"""Errors beyond this many standard deviations count as this many, so that a blown-up forecast has a score."""


def errors(predicted: Array, true: Array, scale: Array) -> Array:
    """Root mean square over nodes and features of (predicted - true) / scale, (T,)."""
    with np.errstate(over="ignore", invalid="ignore"):
        off = np.nan_to_num((predicted - true) / scale, nan=FINITE, posinf=FINITE, neginf=-FINITE)
    found: Array = np.sqrt(np.square(np.clip(off, -FINITE, FINITE)).mean((1, 2)))
    return found


def nrmse(predicted: Array, true: Array, scale: Array) -> float:
    """Normalised root mean squared error over all ticks: 0 is perfect, 1 is what the mean state has."""
    return float(np.sqrt(np.square(errors(predicted, true, scale)).mean()))


def valid_time(
    predicted: Array, true: Array, scale: Array, dt: float, lyapunov_time: float | None = None, limit: float = LIMIT
) -> float:
    """How long a free roll-out keeps its error under `limit`, in Lyapunov times, or in units of time without one.

    Row 0 is the first forecast, one tick after the last state seen. A forecast that outlasts the data scores the data's
    length. (Vlachas et al. 2020, Neural Networks 126, 191; limits of 0.3 to 0.5 are usual.)
    """
    over = errors(predicted, true, scale) >= limit
    ticks = int(over.argmax()) if over.any() else len(over)
    return ticks * dt / (lyapunov_time or 1.0)


def edge_f1(found: NDArray[np.bool_], true: NDArray[np.bool_]) -> float:
    """Harmonic mean of precision and recall of the edges (nodes, nodes); the diagonal does not count."""
    off = ~np.eye(len(true), dtype=bool)
    hits = float((found & true & off).sum())
    return 2 * hits / max(float((found & off).sum() + (true & off).sum()), 1.0)


def nll(log_density: Array) -> float:
    """Negative log likelihood, mean over outcomes, in nats."""
    return float(-log_density.mean())


def calibration(levels: Array) -> float:
    """p-value of a Kolmogorov-Smirnov test that the probability integral transform `levels` (N,) is uniform.

    A level is P(outcome <= what came | what was known); of a true distribution they are uniform (Dawid 1984).
    """
    from scipy.stats import kstest

    return float(kstest(np.clip(levels, 0, 1), "uniform").pvalue)
