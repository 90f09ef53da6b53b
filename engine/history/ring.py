"""The log itself: segments in a ring that never takes more memory than it may."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace

import numpy as np
from numpy.typing import NDArray

from engine.frame import Frame
from engine.history.coder import Encoder, Written
from engine.history.errors import HistoryError
from engine.history.forms import Form, structure, take_apart
from engine.history.plan import Plan
from engine.history.segment import FRAMES, INDEX, OVERHEAD, Segment
from engine.history.tolerance import TOLERANCES, Tolerance

MIB = 2**20
CAP = 256 * MIB
"""Bytes; half an hour of deep-100 at 60 ticks a second fits."""
LEAST_CAP = MIB
_SHARE = 16
"""The segment being written takes one part in so many of the cap, at most."""
_FIELDS = tuple(entry.name for entry in fields(Frame) if entry.metadata.get("logged", True))


class _Growing:
    """The segment that is being written; its buffer is made once and used by one segment after the other."""

    def __init__(self, room: int) -> None:
        self.buffer = np.empty(room, np.uint8)
        self.index = np.zeros(FRAMES, INDEX)
        self.count = 0

    def begin(self, first: int, plan: Plan) -> None:
        self.first, self.plan = first, plan
        self.count = self.fill = 0
        self.forms: dict[Form, int] = {}
        self.last: dict[str, tuple[Form, int]] = {}
        self.form_bytes = 0
        self.begins: tuple[int, ...] = ()
        self.worst = np.zeros(len(plan.channels))

    def add(self, record: Written, at: tuple[int, float, int], steps: int, tag: int, follows: bool) -> None:
        """Append a record of (tick, time, epoch), `steps` ticks after the one before."""
        end = self.fill + record.data.size
        self.buffer[self.fill : end] = record.data
        changes = record.change / steps, record.nudge_change / steps
        self.index[self.count] = (self.fill, *at, *changes, tag, follows and self.count > 0)
        np.maximum(self.worst, record.worst, out=self.worst)
        self.fill, self.count = end, self.count + 1

    @property
    def bytes(self) -> int:
        return self.fill + self.index[: self.count].nbytes + self.form_bytes + OVERHEAD if self.count else 0

    def frozen(self) -> Segment:
        """A copy of what has been written so far."""
        payload, index = self.buffer[: self.fill].copy(), self.index[: self.count].copy()
        payload.flags.writeable = index.flags.writeable = False
        return Segment(
            self.first, self.plan, tuple(self.forms), self.begins, payload, index, self.worst.copy(), self.form_bytes
        )


class _Apart:
    """A field of the newest frame in parts; where its form is the one before, the two are the same object."""

    def __init__(self, value: object, last: _Apart | None = None) -> None:
        self.value = value
        self.numbers: list[float] = []
        self.arrays: list[NDArray[np.generic]] = []
        self.form: Form
        self.structure: Form
        form = take_apart(value, self.numbers, self.arrays)
        if last is not None and form == last.form:
            self.form, self.structure = last.form, last.structure
        else:
            self.form, self.structure = form, structure(form)


class History:
    """Logs every frame it is given. One thread appends, any thread reads.

    `cap` is in bytes and holds at every moment: the oldest segment goes before a new record would exceed it. A frame
    that alone takes more than a sixteenth of the cap is not logged; `refused` counts these.
    """

    def __init__(self, cap: int = CAP, tolerances: Mapping[str, Tolerance] = TOLERANCES) -> None:
        self.tolerances = dict(tolerances)
        self.tags: list[str] = []
        """The tags that rows of the index give by number."""
        self.refused = 0
        self._lock = threading.Lock()
        """Held for a moment by whoever reads or changes what is logged."""
        self._writing = threading.Lock()
        """Held for a whole change: appending, another cap."""
        self._closed: deque[Segment] = deque()
        self._closed_bytes = 0
        self._next = 0
        self._encoder: Encoder | None = None
        self._structure: tuple[Form, ...] = ()
        self._fresh = True
        self._last = (-1, -1)
        self._apart = {name: _Apart(None) for name in _FIELDS}
        self._cap = self._checked(cap)
        self._growing = _Growing(self._cap // _SHARE)

    @staticmethod
    def _checked(cap: int) -> int:
        if cap < LEAST_CAP:
            raise HistoryError(f"a history of {cap} bytes is too small; it takes at least {LEAST_CAP}")
        return cap

    @classmethod
    def of(cls, segments: Sequence[Segment], tags: Sequence[str], cap: int = CAP) -> History:
        """A history made of segments that follow each other; its cap is at least what they take."""
        total = sum(segment.bytes for segment in segments)
        made = cls(max(cap, total * 2))
        made.tags = list(tags)
        channels = [channel for segment in segments for channel in segment.plan.channels]
        made.tolerances = {channel.path: channel.tolerance for channel in channels if channel.tolerance is not None}
        made._closed.extend(segments)
        made._closed_bytes, made._next = total, segments[-1].first + segments[-1].frames
        return made

    # reading, from any thread

    @property
    def cap(self) -> int:
        """Bytes it may take."""
        return self._cap

    @property
    def used(self) -> int:
        """Bytes that what is logged takes now; never more than the cap."""
        with self._lock:
            return self._closed_bytes + self._growing.bytes

    @property
    def span(self) -> tuple[int, int]:
        """Numbers of the oldest frame and of the one behind the newest; equal while there is none."""
        with self._lock:
            return self._oldest(), self._next

    def __len__(self) -> int:
        first, end = self.span
        return end - first

    def segment_of(self, number: int) -> Segment:
        """The segment that holds a frame. Raises LookupError when that is gone, or not there yet."""
        with self._lock:
            growing = self._growing
            if growing.count and growing.first <= number < self._next:
                return growing.frozen()
            at = next((s for s in self._closed if s.first <= number < s.first + s.frames), None)
        if at is None:
            raise LookupError(f"frame {number} is not in the history")
        return at

    def segments(self) -> list[Segment]:
        """All of it, oldest first."""
        with self._lock:
            return [*self._closed, *([self._growing.frozen()] if self._growing.count else [])]

    def index(self) -> tuple[int, NDArray[np.void]]:
        """Number of the oldest frame, and a row of INDEX for every frame from there on."""
        with self._lock:
            parts = [segment.index for segment in self._closed]
            return self._oldest(), np.concatenate([*parts, self._growing.index[: self._growing.count]])

    def worst(self) -> dict[str, float]:
        """The largest error of each array of real numbers in the ring, in units of its tolerance; at most 1."""
        found: dict[str, float] = {}
        with self._lock:
            parts: list[Segment | _Growing] = [*self._closed, *([self._growing] if self._growing.count else [])]
            for part in parts:
                for channel, worst in zip(part.plan.channels, part.worst, strict=True):
                    if channel.tolerance is not None:
                        found[channel.path] = max(found.get(channel.path, 0.0), float(worst))
        return found

    # writing, from one thread; the cap from any

    def resize(self, cap: int) -> None:
        """Another cap; what no longer fits goes, the oldest first. Raises HistoryError for one that is too small."""
        self._checked(cap)
        with self._writing, self._lock:
            self._close()
            self._cap = cap
            self._growing = _Growing(cap // _SHARE)
            self._make_room()

    def append(self, frame: Frame, when: float | None = None) -> None:
        """Log a frame, seen at `when` seconds since 1970 (now). Raises TypeError for what cannot be logged."""
        with self._writing:
            self._append(frame, time.time() if when is None else when)

    def _append(self, frame: Frame, when: float) -> None:
        parts = self._taken_apart(frame)
        shapes = tuple(part.structure for part in parts)
        if self._encoder is None or shapes != self._structure:
            plan = Plan.of(_FIELDS, [part.form for part in parts], self.tolerances)
            with self._lock:
                self._close()
            self._encoder, self._structure = Encoder(plan), shapes
        growing = self._growing
        if growing.count == FRAMES:
            with self._lock:
                self._close()
        same_run = frame.epoch == self._last[0]
        steps = max(1, frame.tick - self._last[1]) if same_run else 1
        follows = same_run and frame.tick == self._last[1] + 1
        record = self._written(parts, follows)
        if record is None:
            self.refused += 1
            return
        self._last = (frame.epoch, frame.tick)
        tag = self._tag(str(frame.metrics.phase))
        with self._lock:
            growing.add(record, (frame.tick, when, frame.epoch), steps, tag, follows)
            self._next += 1

    def _written(self, parts: list[_Apart], follows: bool) -> Written | None:
        """The record, once there is room for it in the growing segment; None if there cannot be."""
        growing, encoder = self._growing, self._encoder
        assert encoder is not None
        numbers = [number for part in parts for number in part.numbers]
        arrays = [array for part in parts for array in part.arrays]
        first: Written | None = None
        while True:
            fresh = growing.count == 0
            if fresh:
                with self._lock:
                    growing.begin(self._next, encoder.plan)
            forms = [self._number(name, part.form) for name, part in zip(_FIELDS, parts, strict=True)]
            if fresh:
                growing.begins = tuple(forms)
            record = encoder.write(numbers, forms, arrays, fresh, follows and not fresh)
            if first is not None:  # the second time, nothing has changed any more
                record = replace(record, change=first.change, nudge_change=first.nudge_change)
            if growing.bytes + record.data.size + INDEX.itemsize <= growing.buffer.size:
                return record
            if fresh:
                return None
            first = record
            with self._lock:
                self._close()

    def _number(self, name: str, form: Form) -> int:
        """Of a form in the growing segment's table."""
        growing = self._growing
        last = growing.last.get(name)
        if last is not None and last[0] is form:
            return last[1]
        number = growing.forms.get(form)
        if number is None:
            size = len(json.dumps(form)) + OVERHEAD // 16
            with self._lock:
                number = growing.forms[form] = len(growing.forms)
                growing.form_bytes += size
        growing.last[name] = form, number
        return number

    def _tag(self, word: str) -> int:
        if word not in self.tags:
            self.tags.append(word)
        return min(self.tags.index(word), np.iinfo(np.uint8).max)

    def _close(self) -> None:
        """The growing segment becomes a closed one; with the lock held."""
        if self._growing.count:
            self._closed.append(self._growing.frozen())
            self._closed_bytes += self._closed[-1].bytes
            self._growing.count = 0
            self._make_room()

    def _make_room(self) -> None:
        """Drop old segments until a full growing one fits in too; with the lock held."""
        full = self._cap // _SHARE * 2
        while self._closed and self._closed_bytes + full > self._cap:
            self._closed_bytes -= self._closed.popleft().bytes

    def _oldest(self) -> int:
        if self._closed:
            return self._closed[0].first
        return self._growing.first if self._growing.count else self._next

    def _taken_apart(self, frame: Frame) -> list[_Apart]:
        """By field; one that is the same object as in the frame before is not looked at."""
        for name in _FIELDS:
            last, value = self._apart[name], getattr(frame, name)
            if last.value is not value:
                self._apart[name] = _Apart(value, last)
        return list(self._apart.values())
