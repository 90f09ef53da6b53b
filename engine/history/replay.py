"""Reading a history: whole frames, single figures over time, states over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.frame import Frame
from engine.history.coder import DAMAGED, Decoder
from engine.history.errors import HistoryError
from engine.history.forms import made, put_together
from engine.history.plan import STATE
from engine.history.ring import History
from engine.history.segment import Segment
from kernels import delta


@dataclass(frozen=True, slots=True)
class Trajectory:
    """An array over time: ticks int64 (frames,), states float32 (frames, values)."""

    ticks: NDArray[np.int64]
    states: NDArray[np.float32]


class Replay:
    """Rebuilds frames of a history. Going on to the next frame is cheap, any other takes a segment's reading.

    Not thread-safe; one for each reader. Methods raise LookupError for frames that are gone and HistoryError for a
    history that is damaged.
    """

    def __init__(self, history: History) -> None:
        self.history = history
        self._segment: Segment | None = None
        self._decoder: Decoder | None = None
        self._row = -1
        self._block = 0
        self._before: NDArray[np.float32] | None = None

    def frame(self, number: int) -> Frame:
        """The frame with this number in the history; its arrays belong to the caller."""
        segment, decoder = self._go_to(number)
        _, end = segment.place(self._row)
        arrays = iter(decoder.arrays(segment.payload, self._block, end, self._before))
        numbers = iter(decoder.numbers.tolist())
        try:
            forms = [segment.forms[form] for form in decoder.forms]
            parts = [put_together(form, numbers, arrays) for form in forms]
            frame: Frame = made("Frame", dict(zip(segment.plan.fields, parts, strict=True)))
        except (IndexError, StopIteration, RuntimeError) as error:
            raise HistoryError(DAMAGED) from error
        wanted = (frame.layout.layers, frame.layout.neurons)
        if any(array.shape != wanted for array in (frame.activation, frame.velocity, frame.nudge, frame.flags)):
            raise HistoryError(DAMAGED)
        return frame

    def series(self, names: Sequence[str], first: int, end: int) -> NDArray[np.float64]:
        """Numbers such as `metrics.energy` of the frames first to end - 1, float64 (frames, names).

        NaN where one is not known.
        """
        parts = []
        for segment in self._segments(first, end):
            slots = [segment.plan.numbers.index(name) if name in segment.plan.numbers else -1 for name in names]
            bits = np.zeros((segment.frames, len(names)), np.uint64)
            known = np.zeros(len(segment.plan.numbers), np.uint64)
            taken = np.array([max(slot, 0) for slot in slots])
            starts = segment.index["start"].copy()
            if not delta.series_of_numbers(segment.payload, starts, len(segment.payload), known, taken, bits):
                raise HistoryError(DAMAGED)
            values = bits.view(np.float64)
            values[:, [slot < 0 for slot in slots]] = np.nan
            parts.append(values[max(0, first - segment.first) : end - segment.first])
        return np.concatenate(parts) if parts else np.zeros((0, len(names)))

    def trajectory(self, first: int, end: int, places: Sequence[int] | None = None, path: str = STATE) -> Trajectory:
        """The states of the frames first to end - 1, or another array of real numbers that has not to do with motion.

        `places` are counted through all layers; None means all. Raises HistoryError where there is no such array, or
        its size changes on the way.
        """
        ticks, states = [], []
        for number in range(first, end):
            segment, decoder = self._go_to(number)
            values = decoder.values(path)
            states.append(values if places is None else values[list(places)])
            ticks.append(int(segment.index["tick"][self._row]))
        if len({state.shape for state in states}) > 1:
            raise HistoryError("another network begins within these frames")
        return Trajectory(np.array(ticks, np.int64), np.array(states, np.float32))

    def _segments(self, first: int, end: int) -> list[Segment]:
        return [s for s in self.history.segments() if s.first < end and s.first + s.frames > first]

    def _go_to(self, number: int) -> tuple[Segment, Decoder]:
        """Read on, or from the beginning of the segment, so that the decoder stands at this frame."""
        segment, decoder = self._segment, self._decoder
        if segment is None or decoder is None or not segment.first <= number < segment.first + segment.frames:
            found = self.history.segment_of(number)
            same = segment is not None and segment.first == found.first and segment.plan == found.plan
            if decoder is None or not same:
                decoder = Decoder(found.plan)
                self._row = -1
            segment, self._segment, self._decoder = found, found, decoder
        row = number - segment.first
        if row < self._row:
            decoder.clear()
            self._row = -1
        self._decoder = None  # until it has read what there is to read
        while self._row < row:
            self._row += 1
            start, end = segment.place(self._row)
            if self._row == row:
                follows = bool(segment.index["follows"][row])
                self._before = decoder.values(STATE) if follows else None
            self._block = decoder.read(segment.payload, start, end)
        self._decoder = decoder
        return segment, decoder
