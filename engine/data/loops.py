r"""Closed loops, open curves, stripes and speckles: a set made here, in which no single pixel tells the class.

A curve is r(angle) = radius (1 + two random harmonics) about a random middle, drawn as a soft line; an open one lacks
an arc of 50 to 110 degrees somewhere. Stripes are a sinusoid of random direction, width and phase; speckles are random
spots as wide as the lines. All have a random brightness, so that the ink tells little, and lie in the same noise.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from engine.data.dataset import Dataset, make_dataset

NAMES = ("closed loop", "open curve", "stripes", "speckles")
COUNT, SIDE = 3200, 16
GAP = (50.0, 110.0)
"""Degrees that an open curve lacks."""
_RADIUS, _LINE, _NOISE = 4.4, 0.75, 0.08
_POINTS = 96

Array = NDArray[np.float64]


def _curve(rng: np.random.Generator, is_open: bool) -> Array:
    gap = np.deg2rad(rng.uniform(*GAP)) if is_open else 0.0
    angles = rng.uniform(0, 2 * np.pi) + np.linspace(0, 2 * np.pi - gap, _POINTS, endpoint=is_open)
    waves = np.zeros(_POINTS)
    for harmonic in (2, 3):
        waves += rng.uniform(0, 0.16) * np.cos(harmonic * angles + rng.uniform(0, 2 * np.pi))
    radius = _RADIUS * rng.uniform(0.75, 1.2) * (1 + waves)
    middle = SIDE / 2 - 0.5 + rng.uniform(-1.5, 1.5, 2)
    return _inked(middle + radius[:, None] * np.stack([np.sin(angles), np.cos(angles)], axis=1))


def _inked(points: Array) -> Array:
    """Soft spots at points (count, 2), as a picture."""
    rows, columns = (np.square(np.arange(SIDE)[:, None] - along) for along in points.T)
    nearest: Array = (rows[:, None] + columns[None]).min(2)
    return np.exp(-0.5 * nearest / _LINE**2)


def _stripes(rng: np.random.Generator) -> Array:
    turn, period = rng.uniform(0, np.pi), rng.uniform(3.5, 7)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    along = np.cos(turn) * rows + np.sin(turn) * columns
    wave: Array = np.clip(np.cos(2 * np.pi * along / period + rng.uniform(0, 2 * np.pi)), 0, 1)
    return wave


def _speckles(rng: np.random.Generator) -> Array:
    return _inked(rng.uniform(-0.5, SIDE - 0.5, (rng.integers(14, 24), 2)))


@cache
def loops() -> Dataset:
    """3,200 pictures of 16 x 16 pixels, as many of each class, the same in every run."""
    rng = np.random.default_rng(16)
    labels = np.arange(COUNT) % len(NAMES)
    drawn = [
        _curve(rng, label == 1) if label < 2 else (_stripes(rng) if label == 2 else _speckles(rng)) for label in labels
    ]
    images = np.stack(drawn) * rng.uniform(0.6, 1, (COUNT, 1, 1)) + _NOISE * rng.standard_normal((COUNT, SIDE, SIDE))
    return make_dataset("loops", np.clip(images, 0, 1).astype(np.float32), labels, class_names=NAMES)
