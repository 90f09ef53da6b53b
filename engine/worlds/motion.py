"""A digit drifts over a dark field and now and then turns; the right answer is the motor command that follows it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.data import Dataset
from engine.knobs import Knob
from engine.worlds.score import Score
from engine.worlds.world import Scene

FIELD = 16
"""Pixels on a side."""
COMMANDS = ("right", "left", "up", "down", "stay")
_STEPS = np.array([[0, 1], [0, -1], [-1, 0], [1, 0], [0, 0]])
"""Rows and columns that each command moves."""


class MotionWorld:
    """Pictures (1, 16, 16): a digit of the data set, at half its size, one pixel a step, round the edges.

    A single picture does not tell the command: it takes the difference between pictures, so memory.
    """

    kind = "motion"
    shape = (1, FIELD, FIELD)
    answers = COMMANDS

    def __init__(self, data: Dataset, seed: int) -> None:
        self._data = data
        self.parameters: dict[str, Knob] = {
            "turn": Knob(0.02, 0, 1, "", "Chance that the digit turns in a tick."),
            "flicker": Knob(0, 0, 1, "", "Chance that a frame is replaced by noise."),
        }
        self.latency = 0
        self.reset(seed)

    def reset(self, seed: int) -> None:
        """A new digit somewhere."""
        self._rng = np.random.default_rng((seed, 8))
        self._score = Score()
        self._sprite = _shrunk(self._data.picture(int(self._rng.integers(len(self._data.images)))))
        self._at = self._rng.integers(0, FIELD, 2)
        self._command = int(self._rng.integers(len(COMMANDS)))
        self._action = 0
        self._picture = self._draw()

    def _draw(self) -> NDArray[np.float32]:
        if self._rng.random() < self.parameters["flicker"].value:
            return self._rng.random((FIELD, FIELD), np.float32)
        field = np.zeros((FIELD, FIELD), np.float32)
        height, width = self._sprite.shape
        field[:height, :width] = self._sprite
        moved: NDArray[np.float32] = np.roll(field, tuple(self._at), (0, 1))
        return moved

    def observe(self) -> NDArray[Any]:
        """The field, (1, 16, 16)."""
        return self._picture[None]

    def answer(self) -> int:
        """How the digit moves now."""
        return self._command

    def act(self, action: int) -> None:
        """The digit goes on, whatever the network does."""
        self._score.note(action == self._command)
        self._action = action
        if self._rng.random() < self.parameters["turn"].value:
            self._command = int(self._rng.integers(len(COMMANDS)))
        self._at = (self._at + _STEPS[self._command]) % FIELD
        self._picture = self._draw()

    def scene(self) -> Scene:
        """The field."""
        height, width = self._sprite.shape
        row, column = (self._at + np.array([height, width]) / 2) % FIELD / FIELD
        return Scene(
            self.kind, self._picture, {"digit": (float(column), float(1 - row))}, "follow",
            COMMANDS[self._command], COMMANDS[self._action], self._score.last, self._score.accuracy,
        )  # fmt: skip


def _shrunk(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """At most half the field on a side, by taking every k-th pixel; colours averaged."""
    grey = picture.mean(-1) if picture.ndim == 3 else picture
    k = -(-max(grey.shape) // (FIELD // 2))
    return np.asarray(grey[::k, ::k], np.float32)
