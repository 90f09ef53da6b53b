"""Where the numbers and arrays of a stretch of frames lie, and how each array is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from engine.history.forms import Form, leaves
from engine.history.tolerance import OTHERWISE, Tolerance

STATE, MOTION, NUDGE = "activation", "velocity", "nudge"


@dataclass(frozen=True, slots=True)
class Channel:
    """One array of a frame. Real numbers have a tolerance; whole ones, and truth values, are kept as they are."""

    path: str
    dtype: str
    shape: tuple[int, ...]
    tolerance: Tolerance | None

    @property
    def size(self) -> int:
        """Number of values."""
        return prod(self.shape)

    @property
    def wide(self) -> bool:
        """Whether a whole number may need more than 32 bits with its sign."""
        return self.tolerance is None and np.dtype(self.dtype).itemsize > 2 and self.dtype[1:] != "i4"


@dataclass(frozen=True, slots=True)
class Plan:
    """All frames of a segment follow one plan: `fields` of Frame, names of numbers, channels in their order."""

    fields: tuple[str, ...]
    numbers: tuple[str, ...]
    channels: tuple[Channel, ...]

    @staticmethod
    def of(fields: Sequence[str], forms: Sequence[Form], tolerances: Mapping[str, Tolerance]) -> Plan:
        """The plan of a frame whose fields have these forms."""
        numbers, channels = [], []
        for name, form in zip(fields, forms, strict=True):
            for path, leaf in leaves(form, name):
                if leaf[0] == "array":
                    real = np.dtype(leaf[1]).kind == "f"
                    tolerance = tolerances.get(path, OTHERWISE) if real else None
                    channels.append(Channel(path, leaf[1], leaf[2], tolerance))
                else:
                    numbers.append(path)
        return Plan(tuple(fields), tuple(numbers), tuple(channels))

    def place(self, path: str) -> int | None:
        """Which channel has this name."""
        return next((i for i, channel in enumerate(self.channels) if channel.path == path), None)

    @property
    def differences(self) -> tuple[int, int] | None:
        """The channels of state and motion, if the one is made of the same places as the other."""
        state, motion = self.place(STATE), self.place(MOTION)
        if state is None or motion is None or self.channels[state].shape != self.channels[motion].shape:
            return None
        real = self.channels[state].tolerance and self.channels[motion].tolerance
        return (state, motion) if real else None
