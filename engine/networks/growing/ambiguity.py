"""Whether one state has more than one outcome: what is left of the outcomes of neighbours in state space.

What a model has not learned yet looks like chance, until one looks at neighbours: an unlearned function is smooth
there, and a local linear fit takes it away. What remains is the spread that no model of these inputs can predict.
Two modes are told by the best split in two: the share of the variance that is left within the halves is 1 - 2/pi for a
Gaussian, and much less for two modes. How much less could be chance is taken from Gaussian samples of the same size.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
NEIGHBOURS = 48
PLACES = 200
"""Neighbourhoods that are looked at."""
LEAST_SPREAD = 0.05
"""Of the outcomes' standard deviation: less than this among neighbours is no ambiguity."""
CHANCE = 0.01
"""How often a Gaussian neighbourhood is taken for two modes."""


@dataclass(frozen=True, slots=True)
class Ambiguity:
    """What neighbours' outcomes say."""

    spread: float
    """Root mean square of what neighbours leave open, in standard deviations of the outcomes."""
    two_modes: float
    """Share of neighbourhoods with two modes; CHANCE of them by chance."""
    beyond_chance: bool
    """Whether there is spread, and that share is more than three standard errors above CHANCE.

    Neighbourhoods overlap: no more count as independent than would fit side by side.
    """


def ambiguity(inputs: Array, residuals: Array, scale: Array, seed: int = 0) -> Ambiguity:
    """Of residuals (N, d) that a point prediction leaves at inputs (N, m); `scale` (d,) are outcomes' deviations."""
    from scipy.spatial import cKDTree

    count = len(inputs)
    near = min(NEIGHBOURS, count // 4)
    if near < 3 * (inputs.shape[1] + 1) or near < 16:
        return Ambiguity(0.0, 0.0, False)
    spread = inputs.std(0)
    places = inputs / np.where(spread > 0, spread, 1.0)
    centres = np.random.default_rng((seed, 31)).choice(count, min(PLACES, count), replace=False)
    _, found = cKDTree(places).query(places[centres], near)
    left = np.stack([_detrended(places[rows], residuals[rows] / scale) for rows in found])
    halves = np.array([split(along(values))[0] for values in left])
    two = float((halves < least_within(near)).mean())
    size = float(np.sqrt(np.square(left).sum(1).mean() / (near - inputs.shape[1] - 1)))
    apart = min(len(centres), count // near)
    noise = np.sqrt(CHANCE * (1 - CHANCE) / apart)
    return Ambiguity(size, two, bool(size > LEAST_SPREAD and two > CHANCE + 3 * noise))


def _detrended(places: Array, values: Array) -> Array:
    """What a linear fit leaves, (k, d)."""
    design = np.column_stack([np.ones(len(places)), places - places.mean(0)])
    left: Array = values - design @ np.linalg.lstsq(design, values, rcond=None)[0]
    return left


def along(values: Array) -> Array:
    """Values (k, d) on their longest axis, (k,)."""
    centred = values - values.mean(0)
    if values.shape[1] == 1:
        return np.asarray(centred[:, 0], np.float64)
    axis = np.linalg.eigh(centred.T @ centred)[1][:, -1]
    return np.asarray(centred @ axis, np.float64)


def split(values: Array) -> tuple[float, float]:
    """The share of the variance of (k,) within the halves of the best split in two, and where it is.

    (Otsu 1979; a half holds at least a tenth.) 1 where all values are the same.
    """
    x = np.sort(values)
    k = len(x)
    least = max(k // 10, 2)
    total = float(x.var())
    if total <= 1e-24 or k < 2 * least:
        return 1.0, float(x.mean())
    left = np.arange(least, k - least + 1)
    below = np.cumsum(x)[left - 1] / left
    above = (x.sum() - left * below) / (k - left)
    between = left * (k - left) / k**2 * (below - above) ** 2
    best = int(between.argmax())
    cut = left[best]
    return float(1 - between[best] / total), float((x[cut - 1] + x[cut]) / 2)


@lru_cache(maxsize=64)
def least_within(k: int) -> float:
    """What only CHANCE of Gaussian samples of k fall below."""
    rng = np.random.default_rng(k)
    return float(np.quantile([split(rng.standard_normal(k))[0] for _ in range(2000)], CHANCE))
