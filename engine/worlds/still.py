"""Pictures of a data set, a new one every few ticks; the class of each is told when its answer is due.

A chain of L layers answers a picture L ticks after it was shown, while newer ones are on their way. So that is when its
class is told.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.data import Dataset, split
from engine.knobs import Knob
from engine.worlds.score import Score
from engine.worlds.world import GROUP, Scene


class StillWorld:
    """Training pictures in random order, standardised, as (1, height, width), or row by row as a sequence.

    Every picture counts once, by the first answer to it: a network that learns at every tick would soon repeat what it
    is told, whatever it sees.
    """

    kind = "still"

    def __init__(self, data: Dataset, seed: int, rows: bool = False) -> None:
        height, width = data.shape[:2]
        colours = data.pixels // (height * width)
        self._rows = rows
        self.shape = (height, width * colours) if rows else (colours, height, width)
        self._data = data
        self.answers = data.class_names or tuple(map(str, range(data.classes)))
        self.parameters: dict[str, Knob] = {
            "show": Knob(1, 1, 10_000, "ticks", "How long each picture is shown.", "integer", group=GROUP)
        }
        self.latency = 0
        self._train = split(data, 0).train
        self.reset(seed)

    def reset(self, seed: int) -> None:
        """Another order."""
        self._rng = np.random.default_rng((seed, 9))
        self._score = Score()
        self._due: deque[tuple[int, bool]] = deque()
        self._next()

    def _next(self) -> None:
        self._index = int(self._rng.choice(self._train))
        self._shown = 0
        encoded = self._data.encode(self._data.images[self._index])
        picture = encoded.reshape(self._data.shape)
        if not self._rows and picture.ndim == 3:
            picture = picture.transpose(2, 0, 1)
        self._seen = picture.reshape(self.shape)

    def observe(self) -> NDArray[Any]:
        """The picture of this tick."""
        return self._seen

    def answer(self) -> int | None:
        """The class of the picture that was shown `latency` ticks ago, None before there was one."""
        return None if len(self._due) < self.latency else self._asked[0]

    @property
    def _asked(self) -> tuple[int, bool]:
        """Label of the picture whose answer is due now, and whether it is the first answer."""
        now = int(self._data.labels[self._index]), self._shown == 0
        return self._due[0] if self._due else now

    def act(self, action: int) -> None:
        """Time passes; the next picture comes when this one's time is over."""
        if len(self._due) >= self.latency:
            label, first = self._asked
            if first:
                self._score.note(label, action)
        self._due.append((int(self._data.labels[self._index]), self._shown == 0))
        while len(self._due) > self.latency:
            self._due.popleft()
        self._shown += 1
        if self._shown >= self.parameters["show"].value:
            self._next()

    def scene(self) -> Scene:
        """The picture."""
        picture = self._data.picture(self._index)
        grey = picture.mean(-1) if picture.ndim == 3 else picture
        score, names = self._score, self.answers
        return Scene(
            self.kind, np.asarray(grey, np.float32), {}, "name it", names, self.answer(),
            names[score.wanted], names[score.action], score.last, score.accuracy,
        )  # fmt: skip
