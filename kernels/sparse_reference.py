"""`kernels.sparse` in plain NumPy, with dense matrices where the kernels have cells."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels.sparse import ABOVE, BELOW, CONSTANT, LINE

Array = NDArray[Any]


def matrix(starts: Array, columns: Array, values: Array, width: int) -> Array:
    """Cells as a dense matrix (R, width)."""
    W = np.zeros((len(starts) - 1, width), values.dtype)
    W[np.repeat(np.arange(len(W)), np.diff(starts)), columns] = values
    return W


def lines_of(seen: Array, source: Array, latency: Array, taps: Array, active: Array) -> Array:
    """Lines (L, B)."""
    found: Array = np.einsum("lh,lhb->lb", np.where(active, taps, 0), seen[latency, :, source])
    return found


def terms_of(kinds: Array, left: Array, right: Array, knots: Array, lines: Array) -> Array:
    """Terms (F, B)."""
    terms = np.ones((len(kinds), lines.shape[1]), lines.dtype)
    for f, kind in enumerate(kinds):
        if kind == CONSTANT:
            continue
        a = lines[left[f]]
        over = np.maximum(a - knots[f], 0), np.maximum(knots[f] - a, 0)
        terms[f] = {LINE: a, ABOVE: over[0], BELOW: over[1]}.get(int(kind), a * lines[right[f]])
    return terms


def slopes_of(kinds: Array, left: Array, right: Array, knots: Array, lines: Array) -> Array:
    """d term / d line, (F, L, B)."""
    slopes = np.zeros((len(kinds), *lines.shape), lines.dtype)
    for f, kind in enumerate(kinds):
        if kind == CONSTANT:
            continue
        a = lines[left[f]]
        if kind in (LINE, ABOVE, BELOW):
            slopes[f, left[f]] = {LINE: np.ones_like(a), ABOVE: a > knots[f], BELOW: -1.0 * (a < knots[f])}[int(kind)]
        else:
            slopes[f, left[f]] += lines[right[f]]
            slopes[f, right[f]] += a
    return slopes


def adam_step(
    values: Array, gradient: Array, mean: Array, square: Array, age: Array, hot: Array, rate: float, threshold: float
) -> None:
    """One step, in place."""
    h = np.asarray(hot, bool)
    age[h] += 1
    mean[h] += 0.1 * (gradient[h] - mean[h])
    square[h] += 0.001 * (gradient[h] ** 2 - square[h])
    m, s = mean[h] / (1 - 0.9 ** age[h]), square[h] / (1 - 0.999 ** age[h])
    w = values[h] - rate * m / (np.sqrt(s) + 1e-8)
    values[h] = np.sign(w) * np.maximum(np.abs(w) - rate * threshold, 0)
