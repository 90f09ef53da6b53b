"""Where much has changed: how far each moment stands out from those before it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.history.tolerance import EPSILON

WINDOW = 64
"""Frames that a moment is compared with."""
LEAST = 8
"""Frames there must have been before one can stand out."""
STANDS_OUT = 5.0
"""Change-point SNR of a change point."""
_NUDGE_FLOOR = 0.01
_LEAST_SPREAD = 0.1
"""Decades: what hardly varies at all does not make trifles stand out."""


def change_snr(index: NDArray[np.void]) -> NDArray[np.float64]:
    """Change-point SNR of each frame of a history's index, float64 (frames,), 0 and above.

    y is the decimal logarithm of the RMS change per tick of the state, and of the nudge over its own RMS; changes below
    the tolerance count as rest. SNR = |y - mean| / (sd + 0.1) over the `WINDOW` frames before, the larger one of both:
    a quiet network that wakes stands out, and so does a busy one that comes to rest.
    """
    signals = (index["change"], EPSILON), (index["nudge_change"], _NUDGE_FLOOR)
    snr = np.zeros(len(index))
    for change, floor in signals:
        y = np.log10(np.nan_to_num(change.astype(np.float64)) + floor)
        np.maximum(snr, _standing_out(y), out=snr)
    return snr


def change_points(snr: NDArray[np.float64]) -> NDArray[np.int64]:
    """Frames that stand out by at least `STANDS_OUT` and more than any within `LEAST` frames of them."""
    if not len(snr):
        return np.zeros(0, np.int64)
    padded = np.pad(snr, LEAST, constant_values=-1.0)
    around = np.lib.stride_tricks.sliding_window_view(padded, 2 * LEAST + 1)
    return np.flatnonzero((snr >= STANDS_OUT) & (around.argmax(1) == LEAST))


def _standing_out(y: NDArray[np.float64]) -> NDArray[np.float64]:
    """|y - mean| / (sd + least) over the window before each value; 0 while that is too short."""
    centred = y - (y.mean() if y.size else 0.0)
    sums = np.concatenate([[0.0], np.cumsum(centred)])
    squares = np.concatenate([[0.0], np.cumsum(centred**2)])
    here = np.arange(len(y))
    first = np.maximum(0, here - WINDOW)
    count = np.maximum(1, here - first)
    mean = (sums[here] - sums[first]) / count
    variance = np.maximum(0.0, (squares[here] - squares[first]) / count - mean**2)
    snr: NDArray[np.float64] = np.abs(centred - mean) / (np.sqrt(variance) + _LEAST_SPREAD)
    snr[:LEAST] = 0
    return snr
