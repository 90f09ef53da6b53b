"""Frames as records of changes, and back.

A record holds, one block each: the numbers that are new, the forms of fields that are new, the changes of every array,
and last those velocities that are not the difference of this state and the one before. That difference is taken of the
replayed states, and only where one tick lies between the two.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.history.errors import HistoryError
from engine.history.plan import MOTION, NUDGE, STATE, Channel, Plan
from kernels import delta

Bytes = NDArray[np.uint8]
DAMAGED = "its records are damaged"


@dataclass(frozen=True, slots=True)
class Written:
    """What a record came to. `data` is valid until the next one is written.

    worst: float64 (channels,), the largest error of each in units of its tolerance, 0 for whole numbers; change: RMS
    change of the state since the record before; nudge_change: RMS change of the nudge over the larger RMS of both.
    """

    data: Bytes
    worst: NDArray[np.float64]
    change: float
    nudge_change: float


class _Known:
    """What is known of each channel: cells and values of real numbers, the bits of the others."""

    def __init__(self, plan: Plan) -> None:
        self.numbers = np.zeros(len(plan.numbers), np.uint64)
        self.forms = np.zeros(len(plan.fields), np.int32)
        self.cells = [np.zeros(c.size, np.uint64 if c.wide else np.int32) for c in plan.channels]
        self.shown = [np.zeros(c.size if c.tolerance else 0, np.float32) for c in plan.channels]
        state = plan.differences
        self.before = np.zeros(plan.channels[state[0]].size if state else 0, np.float32)

    def clear(self) -> None:
        """Everything as at the beginning of a segment."""
        self.numbers.fill(0)
        self.forms.fill(0)
        for cells in self.cells:
            cells.fill(0)


class Encoder:
    """Writes the records of one plan, one after the other."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._known = _Known(plan)
        self._nudge_squares = 0.0
        most = len(plan.numbers) + len(plan.fields) + sum(c.size for c in plan.channels)
        self._out = np.empty(delta.MOST * most + len(plan.channels) + 2, np.uint8)

    def write(
        self,
        numbers: Sequence[float],
        forms: Sequence[int],
        arrays: Sequence[NDArray[np.generic]],
        fresh: bool,
        follows: bool,
    ) -> Written:
        """The record of one frame; `fresh` for the first of a segment, `follows` if it is the tick after the last."""
        known, out, plan = self._known, self._out, self.plan
        bits = np.array(numbers, np.float64).view(np.uint64)
        at = delta.encode_numbers(bits, known.numbers, fresh, out, 0)
        at = delta.encode_levels(np.array(forms, np.int32), known.forms, fresh, out, at)
        worst = np.zeros(len(plan.channels))
        change = nudge_change = 0.0
        state, motion = plan.differences or (-1, -1)
        if motion >= 0:
            np.copyto(known.before, known.shown[state])
        for i, (channel, array) in enumerate(zip(plan.channels, arrays, strict=True)):
            if i == motion:
                continue
            tolerance = channel.tolerance
            if tolerance is None:
                encode = delta.encode_numbers if channel.wide else delta.encode_levels
                at = encode(_whole(channel, array), known.cells[i], fresh, out, at)
                continue
            at, worst[i], moved, squares = delta.encode_values(
                _flat(array), known.shown[i], known.cells[i], tolerance.relative, tolerance.knee, fresh, out, at
            )
            if channel.path == STATE:
                change = math.sqrt(moved / max(1, channel.size))
            elif channel.path == NUDGE:
                larger = max(squares, self._nudge_squares)
                nudge_change = math.sqrt(moved / larger) if larger > 0 else 0.0
                self._nudge_squares = squares
        if motion >= 0:
            tolerance = plan.channels[motion].tolerance
            assert tolerance is not None
            guess = _difference(known.shown[state], known.before, known.shown[motion], follows)
            at, worst[motion] = delta.encode_predicted(
                _flat(arrays[motion]), guess, tolerance.relative, tolerance.knee, out, at
            )
        return Written(out[:at], worst, change, nudge_change)


class Decoder:
    """Reads the records of one plan in their order; raises HistoryError for bytes that no encoder has written."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._known = _Known(plan)

    def clear(self) -> None:
        """Begin again at the first record."""
        self._known.clear()

    def read(self, data: Bytes, start: int, end: int) -> int:
        """Take in all of a record but its last block, which is where the number returned says."""
        known, plan = self._known, self.plan
        at = self._checked(delta.decode_numbers(data, start, end, known.numbers))
        at = self._checked(delta.decode_levels(data, at, end, known.forms))
        motion = (plan.differences or (-1, -1))[1]
        for i, channel in enumerate(plan.channels):
            if i != motion:
                decode = delta.decode_numbers if channel.wide else delta.decode_levels
                at = self._checked(decode(data, at, end, known.cells[i]))
        return at

    def values(self, path: str) -> NDArray[np.float32]:
        """An array of real numbers at the record read last, float32 (values,). Raises HistoryError if there is none.

        That of motion is none: it is known from `arrays` only.
        """
        place = self.plan.place(path)
        if place is None or self.plan.channels[place].tolerance is None or path == MOTION:
            raise HistoryError(f"it holds no {path}")
        return self._values(place)

    def arrays(self, data: Bytes, at: int, end: int, before: NDArray[np.float32] | None) -> list[NDArray[np.generic]]:
        """All arrays of the record read last, copies; `before` is the state a tick earlier, None if there is none."""
        plan = self.plan
        state, motion = plan.differences or (-1, -1)
        found: list[NDArray[np.generic]] = []
        for i, channel in enumerate(plan.channels):
            if i == motion:
                found.append(np.zeros(channel.size, np.float32))
            elif channel.tolerance is not None:
                found.append(self._values(i))
            else:
                found.append(self._known.cells[i].view(np.float64) if channel.wide else self._known.cells[i])
        if motion >= 0:
            tolerance, now, guess = plan.channels[motion].tolerance, found[state], found[motion]
            assert tolerance is not None
            if before is not None:
                _difference(now, before, guess, True)
            at = self._checked(delta.decode_predicted(data, at, end, guess, tolerance.relative, tolerance.knee))
        if at != end:
            raise HistoryError(DAMAGED)
        return [
            array.astype(channel.dtype).reshape(channel.shape)
            for array, channel in zip(found, plan.channels, strict=True)
        ]

    @property
    def numbers(self) -> NDArray[np.float64]:
        """The numbers of the record read last."""
        return self._known.numbers.view(np.float64)

    @property
    def forms(self) -> NDArray[np.int32]:
        """The forms of the fields in the record read last, as numbers in the segment's table."""
        return self._known.forms

    def _values(self, place: int) -> NDArray[np.float32]:
        tolerance = self.plan.channels[place].tolerance
        assert tolerance is not None
        values = np.empty(self.plan.channels[place].size, np.float32)
        delta.values_of(self._known.cells[place], tolerance.relative, tolerance.knee, values)
        return values

    @staticmethod
    def _checked(at: int) -> int:
        if at < 0:
            raise HistoryError(DAMAGED)
        return at


def _difference(
    now: NDArray[np.generic], before: NDArray[np.float32], out: NDArray[np.generic], follows: bool
) -> NDArray[np.generic]:
    """What velocities are taken to be: how the state has changed in the one tick since `before`, otherwise 0."""
    if follows:
        with np.errstate(invalid="ignore", over="ignore"):
            np.subtract(now, before, out=out)
    else:
        out[...] = 0
    return out


def _flat(array: NDArray[np.generic]) -> NDArray[np.float32]:
    return np.ascontiguousarray(array, np.float32).reshape(-1)


def _whole(channel: Channel, array: NDArray[np.generic]) -> NDArray[np.generic]:
    if channel.wide:
        return np.ascontiguousarray(array, np.float64).reshape(-1).view(np.uint64)
    return np.ascontiguousarray(array, np.int32).reshape(-1)
