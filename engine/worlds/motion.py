"""A digit drifts over a dark field and turns now and then; the right answer is the motor command that looks at it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.data import Dataset
from engine.knobs import Knob
from engine.worlds.score import Score
from engine.worlds.world import GROUP, Scene

FIELD = 16
"""Pixels on a side."""
NEAR = 1
"""Pixels from the middle up to which a digit is looked at well enough."""
COMMANDS = ("right", "left", "up", "down", "stay")
_STEPS = np.array([[0, 1], [0, -1], [-1, 0], [1, 0]])
"""Rows and columns that a digit may move in a tick."""


class MotionWorld:
    """Pictures (1, 16, 16): a digit of the data set, at most half the field in size, that moves by single pixels.

    The right command leads from the middle of the field along the larger distance towards the digit; it is "stay" where
    both are at most NEAR. The eye does not really move, so the digit wanders on whatever the network does.
    """

    kind = "motion"
    shape = (1, FIELD, FIELD)
    answers = COMMANDS

    def __init__(self, data: Dataset, seed: int) -> None:
        self._data = data
        self.parameters: dict[str, Knob] = {
            "pace": Knob(0.4, 0, 1, "", "Chance that the digit moves in a tick.", group=GROUP),
            "turn": Knob(0.1, 0, 1, "", "Chance that the digit turns in a tick.", group=GROUP),
            "flicker": Knob(0, 0, 1, "", "Chance that a frame is replaced by noise.", group=GROUP),
        }
        self.latency = 0
        self.reset(seed)

    def reset(self, seed: int) -> None:
        """A new digit somewhere."""
        self._rng = np.random.default_rng((seed, 8))
        self._score = Score()
        self._sprite = _shrunk(self._data.picture(int(self._rng.integers(len(self._data.images)))))
        self._room = FIELD - np.array(self._sprite.shape)
        self._at = self._rng.integers(0, self._room + 1)
        self._heading = int(self._rng.integers(len(_STEPS)))
        self._picture = self._draw()

    def _draw(self) -> NDArray[np.float32]:
        if self._rng.random() < self.parameters["flicker"].value:
            return self._rng.random((FIELD, FIELD), np.float32)
        field = np.zeros((FIELD, FIELD), np.float32)
        (top, left), (height, width) = self._at, self._sprite.shape
        field[top : top + height, left : left + width] = self._sprite
        return field

    def observe(self) -> NDArray[Any]:
        """The field, (1, 16, 16)."""
        return self._picture[None]

    def answer(self) -> int:
        """Where to look."""
        down, right = self._at - self._room / 2
        if max(abs(down), abs(right)) <= NEAR:
            return COMMANDS.index("stay")
        if abs(right) >= abs(down):
            return COMMANDS.index("right" if right > 0 else "left")
        return COMMANDS.index("down" if down > 0 else "up")

    def act(self, action: int) -> None:
        """The digit goes on, and turns at the edge."""
        self._score.note(self.answer(), action)
        moves, turns = self._rng.random(2) < [self.parameters[name].value for name in ("pace", "turn")]
        while turns or not self._stays_inside():
            self._heading, turns = int(self._rng.integers(len(_STEPS))), False
        if moves:
            self._at = self._at + _STEPS[self._heading]
        self._picture = self._draw()

    def _stays_inside(self) -> bool:
        after = self._at + _STEPS[self._heading]
        return bool((after >= 0).all() and (after <= self._room).all())

    def scene(self) -> Scene:
        """The field."""
        row, column = (self._at + np.array(self._sprite.shape) / 2) / FIELD
        score = self._score
        return Scene(
            self.kind, self._picture, {"digit": (float(column), float(1 - row))}, "look there", COMMANDS, self.answer(),
            COMMANDS[score.wanted], COMMANDS[score.action], score.last, score.accuracy,
        )  # fmt: skip


def _shrunk(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """At most half the field on a side, by taking every k-th pixel; colours averaged."""
    grey = picture.mean(-1) if picture.ndim == 3 else picture
    k = -(-max(grey.shape) // (FIELD // 2))
    return np.asarray(grey[::k, ::k], np.float32)
