"""Sparse changes as bytes: what has moved by more than a tolerance since it was last written, and nothing else.

The tolerance of a value x is relative * max(knee, |x|): absolute up to the knee, relative beyond it. Values are rounded
to cells of a scale f that is linear up to the knee and logarithmic beyond, f(x) = x / knee and sign(x) (1 + ln |x| /
knee); a cell is `CELL` log1p(relative) wide, a tenth narrower than the tolerance allows, which leaves room for the
rounding of float32. Cells are numbered by whole numbers, so sums of changes are exact and never drift. NaN and the
infinities have numbers of their own.

A block is a list of changes: the distance to the place of the change before (first: 1 + place), then the change; a 0
ends it. Whole numbers are written seven bits a byte, the lowest first, the eighth bit says that more follow (LEB128);
signed ones are folded first (0, -1, 1, -2, ... as 0, 1, 2, 3, ...). Encoders return where the block ends and never
write more than `MOST` bytes a value plus one; decoders return -1 for bytes that no encoder writes and touch nothing
outside.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

CELL = 1.8
MOST = 13
"""Bytes a change takes at most: five for the place, five for a level or eight for a number."""
NOT_A_NUMBER = 2**30 + 1
INFINITE = 2**30 + 2
LARGEST = float(np.finfo(np.float32).max)
_LONGEST = 35
"""Bits after which a whole number must have ended."""


@njit(error_model="numpy", inline="always")
def _put(number: Any, out: Any, at: Any) -> Any:
    while number > 127:
        out[at] = np.uint8(number & 127 | 128)
        number >>= 7
        at += 1
    out[at] = np.uint8(number)
    return at + 1


@njit(error_model="numpy", inline="always")
def _put_signed(number: Any, out: Any, at: Any) -> Any:
    return _put((number << 1) ^ (number >> 63), out, at)


@njit(error_model="numpy")
def _get(data: Any, at: Any, end: Any) -> Any:
    """A whole number and the place behind it, which is -1 if there is none."""
    number, bits = np.int64(0), 0
    while at < end and bits <= _LONGEST:
        byte = np.int64(data[at])
        number |= (byte & 127) << bits
        at += 1
        if byte < 128:
            return number, at
        bits += 7
    return np.int64(0), -1


@njit(error_model="numpy")
def _level(value: Any, knee: Any, cell: Any) -> Any:
    """The number of the cell that a value lies in."""
    if math.isnan(value):
        return np.int64(NOT_A_NUMBER)
    if math.isinf(value):
        return np.int64(INFINITE if value > 0 else -INFINITE)
    size = abs(value) / knee
    scaled = size if size <= 1 else 1 + math.log(size)
    level = np.int64(math.floor(scaled / cell + 0.5))
    return level if value > 0 else -level


@njit(error_model="numpy")
def _value(level: Any, knee: Any, cell: Any) -> Any:
    """The middle of a cell."""
    if level == NOT_A_NUMBER:
        return math.nan
    if abs(level) == INFINITE:
        return math.inf if level > 0 else -math.inf
    scaled = abs(level) * cell
    size = min(knee * (scaled if scaled <= 1 else math.exp(scaled - 1)), LARGEST)
    return size if level >= 0 else -size  # never -0


@njit(nogil=True, cache=True, error_model="numpy")
def encode_values(
    x: Any, shown: Any, level: Any, relative: float, knee: float, fresh: bool, out: Any, at: int
) -> tuple[int, float, float, float]:
    """Write the changes of x (n,) float32 from `shown` (n,), the values as they were last written, which follow.

    `level` (n,) int32 are the cells of `shown`. With `fresh` everything is written as a change from zero. Returns the
    end; the largest error in units of the tolerance; the sum of squares of what was added to `shown`, and of `shown`.
    """
    cell = CELL * math.log1p(relative)
    worst, moved, whole = 0.0, 0.0, 0.0
    behind = -1
    for i in range(x.size):
        value, before = float(x[i]), float(shown[i])
        if fresh:
            level[i] = 0
            shown[i] = 0
        if value == shown[i] and value == before:
            whole += value * value if math.isfinite(value) else 0.0
            continue
        tolerance = relative * max(knee, abs(value))
        if not (abs(value - shown[i]) <= tolerance < math.inf):
            new = _level(value, knee, cell)
            if new != level[i]:
                at = _put(i - behind, out, at)
                at = _put_signed(new - level[i], out, at)
                behind = i
                level[i] = new
                shown[i] = _value(new, knee, cell)
        now = float(shown[i])
        worst = max(worst, abs(value - now) / tolerance)
        if math.isfinite(now):
            whole += now * now
            if math.isfinite(before):
                moved += (now - before) * (now - before)
    out[at] = 0
    return at + 1, worst, moved, whole


@njit(nogil=True, cache=True, error_model="numpy")
def encode_predicted(x: Any, predicted: Any, relative: float, knee: float, out: Any, at: int) -> tuple[int, float]:
    """Write those of x (n,) float32 that `predicted` (n,) misses by more than the tolerance; the end and the worst.

    Each is written as its cell's number, one higher where it is not negative: 0 stands for the prediction.
    """
    cell = CELL * math.log1p(relative)
    worst = 0.0
    behind = -1
    for i in range(x.size):
        value, now = float(x[i]), float(predicted[i])
        tolerance = relative * max(knee, abs(value))
        if not (abs(value - now) <= tolerance < math.inf):
            level = _level(value, knee, cell)
            at = _put(i - behind, out, at)
            at = _put_signed(level if level < 0 else level + 1, out, at)
            behind = i
            now = float(np.float32(_value(level, knee, cell)))
        worst = max(worst, abs(value - now) / tolerance)
    out[at] = 0
    return at + 1, worst


@njit(nogil=True, cache=True, error_model="numpy")
def encode_levels(x: Any, level: Any, fresh: bool, out: Any, at: int) -> int:
    """Write the changes of whole numbers x (n,) from `level` (n,) int32, which follow; the end."""
    behind = -1
    for i in range(x.size):
        if fresh:
            level[i] = 0
        change = np.int64(x[i]) - level[i]
        if change != 0:
            at = _put(i - behind, out, at)
            at = _put_signed(change, out, at)
            behind = i
            level[i] = x[i]
    out[at] = 0
    return at + 1


@njit(nogil=True, cache=True, error_model="numpy")
def encode_numbers(x: Any, known: Any, fresh: bool, out: Any, at: int) -> int:
    """Write the numbers x (n,) uint64, bit patterns of float64, that differ from `known`, which follow; the end."""
    behind = -1
    for i in range(x.size):
        if fresh:
            known[i] = 0
        if x[i] != known[i]:
            at = _put(i - behind, out, at)
            for byte in range(8):
                out[at + byte] = np.uint8((x[i] >> np.uint64(8 * byte)) & np.uint64(255))
            at += 8
            behind = i
            known[i] = x[i]
    out[at] = 0
    return at + 1


@njit(nogil=True, cache=True, error_model="numpy")
def decode_levels(data: Any, at: int, end: int, level: Any) -> int:
    """Add a block of changes to `level` (n,) int32; where the block ends."""
    place = -1
    while True:
        gap, at = _get(data, at, end)
        if at < 0 or gap == 0:
            return at
        place += gap
        folded, at = _get(data, at, end)
        if at < 0 or place >= level.size:
            return -1
        level[place] += (folded >> 1) ^ -(folded & 1)


@njit(nogil=True, cache=True, error_model="numpy")
def decode_numbers(data: Any, at: int, end: int, known: Any) -> int:
    """Bring `known` (n,) uint64 up to date with a block; where the block ends."""
    place = -1
    while True:
        gap, at = _get(data, at, end)
        if at < 0 or gap == 0:
            return at
        place += gap
        if at + 8 > end or place >= known.size:
            return -1
        bits = np.uint64(0)
        for byte in range(8):
            bits |= np.uint64(data[at + byte]) << np.uint64(8 * byte)
        known[place] = bits
        at += 8


@njit(nogil=True, cache=True, error_model="numpy")
def decode_predicted(data: Any, at: int, end: int, predicted: Any, relative: float, knee: float) -> int:
    """Correct `predicted` (n,) float32 by a block; where the block ends."""
    cell = CELL * math.log1p(relative)
    place = -1
    while True:
        gap, at = _get(data, at, end)
        if at < 0 or gap == 0:
            return at
        place += gap
        folded, at = _get(data, at, end)
        if at < 0 or place >= predicted.size:
            return -1
        code = (folded >> 1) ^ -(folded & 1)
        predicted[place] = _value(code if code < 0 else code - 1, knee, cell)


@njit(nogil=True, cache=True, error_model="numpy")
def values_of(level: Any, relative: float, knee: float, out: Any) -> None:
    """The values float32 (n,) of cells (n,) int32."""
    cell = CELL * math.log1p(relative)
    for i in range(level.size):
        out[i] = _value(np.int64(level[i]), knee, cell)


@njit(nogil=True, cache=True, error_model="numpy")
def series_of_numbers(data: Any, starts: Any, end: int, known: Any, slots: Any, out: Any) -> bool:
    """Read `slots` (k,) of the numbers that each record begins with into out (records, k) uint64; False if damaged.

    `starts` (records,) are the records' places in `data`; `known` (n,) uint64 holds zeros.
    """
    for record in range(starts.size):
        if decode_numbers(data, starts[record], end, known) < 0:
            return False
        for k in range(slots.size):
            out[record, k] = known[slots[k]]
    return True
