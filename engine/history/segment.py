"""A stretch of the log that stands on its own: its first record holds everything, the others what has changed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.history.forms import Form
from engine.history.plan import Plan

FRAMES = 256
"""Frames in a segment, at most: as many are read to replay its last."""
OVERHEAD = 2048
"""Bytes counted for the objects round the arrays of a segment."""

INDEX = np.dtype(
    [
        ("start", np.int64),
        ("tick", np.int64),
        ("time", np.float64),
        ("epoch", np.int32),
        ("change", np.float32),
        ("nudge_change", np.float32),
        ("tag", np.uint8),
        ("follows", np.bool_),
    ]
)
"""One row a frame: place of its record, tick, seconds since 1970, epoch, RMS change of the state per tick, that of the
nudge over the nudge's RMS, number of its tag (the phase), whether it is the tick after the frame before."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Never written again. `forms` are what fields of its frames are made of, `index` is (frames,) of INDEX.

    worst: float64 (channels,), the largest error of each channel in units of its tolerance.
    """

    first: int
    """Number of its first frame, counted from the first that was ever logged."""
    plan: Plan
    forms: tuple[Form, ...]
    begins: tuple[int, ...]
    """Which forms the fields of the first frame have."""
    payload: NDArray[np.uint8]
    index: NDArray[np.void]
    worst: NDArray[np.float64]
    form_bytes: int

    @property
    def frames(self) -> int:
        """How many frames there are."""
        return len(self.index)

    @property
    def bytes(self) -> int:
        """Memory it takes."""
        return self.payload.nbytes + self.index.nbytes + self.form_bytes + OVERHEAD

    def place(self, row: int) -> tuple[int, int]:
        """Where the record of a row begins and ends."""
        starts = self.index["start"]
        return int(starts[row]), int(starts[row + 1]) if row + 1 < len(starts) else len(self.payload)
