"""A sequence of pictures of the data set, the same again and again."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from engine.data import Dataset
from engine.knobs import Knob
from engine.streams.stream import Heard, period_knob

MOST_ITEMS = 10


class DigitStream:
    """The first picture of each class from `first` on, in the order of the classes, each for its share of the period.

    Pictures of classes that the set does not have are left out.
    """

    kind = "digits"

    def __init__(self, data: Dataset, first: int) -> None:
        order = np.roll(np.arange(len(data.labels)), -first)
        chosen = [order[data.labels[order] == label][:1] for label in range(data.classes)]
        indices = np.concatenate(chosen)[:MOST_ITEMS]
        self._items = [Heard(data.encode(data.images[index]), int(data.labels[index])) for index in indices]
        most = len(self._items)
        self.knobs: dict[str, Knob] = {
            "period": period_knob(),
            "items": Knob(min(4, most), 1, most, "", "How many pictures the sequence has.", "integer"),
        }

    def reset(self, seed: int) -> None:
        """Nothing is random."""

    def period(self, knobs: Mapping[str, Knob]) -> int:
        """As the knob says."""
        return int(knobs["period"].value)

    def at(self, tick: int, knobs: Mapping[str, Knob]) -> Heard:
        """The picture whose turn it is."""
        period = self.period(knobs)
        return self._items[tick % period * int(knobs["items"].value) // period]
