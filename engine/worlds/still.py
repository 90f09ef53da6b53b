"""Pictures of a data set, each held for a number of ticks; the right answer is the picture's class."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.data import Dataset, split
from engine.knobs import Knob
from engine.worlds.score import Score
from engine.worlds.world import Scene


class StillWorld:
    """Training pictures in random order, standardised, as (1, height, width), or row by row as a sequence.

    Only the last answer of each showing is counted.
    """

    kind = "still"

    def __init__(self, data: Dataset, seed: int, rows: bool = False, hold: int = 20) -> None:
        height, width = data.shape[:2]
        colours = data.pixels // (height * width)
        self._rows = rows
        self.shape = (height, width * colours) if rows else (colours, height, width)
        self._data = data
        self.answers = data.class_names or tuple(map(str, range(data.classes)))
        self.parameters: dict[str, Knob] = {
            "show": Knob(hold, 1, 10_000, "ticks", "How long each picture is shown.", "integer")
        }
        self._train = split(data, 0).train
        self.reset(seed)

    def reset(self, seed: int) -> None:
        """Another order."""
        self._rng = np.random.default_rng((seed, 9))
        self._score = Score()
        self._action = 0
        self._next()

    def _next(self) -> None:
        self._index = int(self._rng.choice(self._train))
        self._left = int(self.parameters["show"].value)
        encoded = self._data.encode(self._data.images[self._index])
        picture = encoded.reshape(self._data.shape)
        if not self._rows and picture.ndim == 3:
            picture = picture.transpose(2, 0, 1)
        self._seen = picture.reshape(self.shape)

    def observe(self) -> NDArray[Any]:
        """The picture."""
        return self._seen

    def answer(self) -> int:
        """Its class."""
        return int(self._data.labels[self._index])

    def act(self, action: int) -> None:
        """Time passes; the next picture comes when this one's time is over."""
        self._action = action
        self._left -= 1
        if self._left <= 0:
            self._score.note(action == self.answer())
            self._next()

    def scene(self) -> Scene:
        """The picture."""
        picture = self._data.picture(self._index)
        grey = picture.mean(-1) if picture.ndim == 3 else picture
        return Scene(
            self.kind, np.asarray(grey, np.float32), {}, "name it", self.answers[self.answer()],
            self.answers[self._action], self._score.last, self._score.accuracy,
        )  # fmt: skip
