"""A bright bar that moves across a dark field, and comes in again at the other side."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from engine.data import Dataset
from engine.knobs import Knob
from engine.streams.stream import Heard, every_channel, period_knob

WIDTH = 0.25
"""Of the picture's width."""


class BarStream:
    """An upright bar crosses the picture once a period, at a steady speed."""

    kind = "bar"

    def __init__(self, data: Dataset) -> None:
        self._data = data
        self.knobs: dict[str, Knob] = {"period": period_knob()}

    def reset(self, seed: int) -> None:
        """Nothing is random."""

    def period(self, knobs: Mapping[str, Knob]) -> int:
        """As the knob says."""
        return int(knobs["period"].value)

    def at(self, tick: int, knobs: Mapping[str, Knob]) -> Heard:
        """The bar where it is now, its edges soft, so that it moves by less than a pixel too."""
        height, width = self._data.shape[:2]
        period = self.period(knobs)
        away = np.abs((np.arange(width) - tick % period / period * width + width / 2) % width - width / 2)
        row = np.clip(WIDTH * width / 2 + 0.5 - away, 0, 1)
        return Heard(self._data.encode(every_channel(self._data, np.tile(row, (height, 1)))))
