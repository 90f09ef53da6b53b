r"""A mixture of sines: gratings that stand in the field and swing, each at a harmonic of the period.

    x(t) = c sum_m (1/m) cos(k_m . r + phase_m) sin(2 pi m t / T + start_m),     m = 1 ... harmonics

with an RMS of 1 over pixels and a period, that of a usual encoded picture.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from engine.data import Dataset
from engine.knobs import Knob
from engine.streams.stream import Heard, every_channel, period_knob

MOST_HARMONICS = 6


class SineStream:
    """Directions and phases of the gratings follow from the seed."""

    kind = "sine"

    def __init__(self, data: Dataset, seed: int) -> None:
        self._data = data
        self.knobs: dict[str, Knob] = {
            "period": period_knob(),
            "harmonics": Knob(3, 1, MOST_HARMONICS, "", "How many sines the input is mixed of.", "integer"),
        }
        self.reset(seed)

    def reset(self, seed: int) -> None:
        """Draw the gratings."""
        rng = np.random.default_rng((seed, 11))
        height, width = self._data.shape[:2]
        y, x = np.mgrid[:height, :width] / max(height, width)
        self._gratings = np.stack([self._grating(rng, x, y) for _ in range(MOST_HARMONICS)])
        self._starts = rng.uniform(0, 2 * np.pi, MOST_HARMONICS)

    def _grating(self, rng: np.random.Generator, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float32]:
        """One to two waves across the field, any direction, RMS 1, (pixels,)."""
        turns, direction, phase = rng.uniform(1, 2), rng.uniform(0, np.pi), rng.uniform(0, 2 * np.pi)
        wave = np.cos(2 * np.pi * turns * (x * np.cos(direction) + y * np.sin(direction)) + phase)
        grating: NDArray[np.float32] = every_channel(self._data, wave / np.sqrt(np.square(wave).mean())).reshape(-1)
        return grating

    def period(self, knobs: Mapping[str, Knob]) -> int:
        """As the knob says."""
        return int(knobs["period"].value)

    def at(self, tick: int, knobs: Mapping[str, Knob]) -> Heard:
        """The mixture now."""
        count, period = int(knobs["harmonics"].value), self.period(knobs)
        orders = np.arange(1, count + 1)
        shares = 1 / orders
        swing = shares * np.sin(2 * np.pi * orders * (tick % period) / period + self._starts[:count])
        loudness = np.sqrt(2 / np.square(shares).sum())
        return Heard((loudness * swing @ self._gratings[:count]).astype(np.float32))
