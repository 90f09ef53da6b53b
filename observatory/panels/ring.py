"""A ring buffer whose newest values always lie in one piece, so that plots never copy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class Ring:
    """The last `size` rows of `width` numbers. Every row is written twice, so `rows()` is a view."""

    def __init__(self, size: int, width: int):
        self._data = np.full((2 * size, width), np.nan)
        self._size = size
        self._count = 0

    def __len__(self) -> int:
        return min(self._count, self._size)

    def clear(self) -> None:
        """Forget everything."""
        self._count = 0

    def push(self, row: tuple[float, ...]) -> None:
        """Add one row; the oldest goes when the ring is full."""
        at = self._count % self._size
        self._data[at] = self._data[at + self._size] = row
        self._count += 1

    def rows(self) -> NDArray[np.float64]:
        """The rows there are, oldest first, float64 (len, width); a view that the next push changes."""
        end = self._count % self._size if self._count > self._size else min(self._count, self._size)
        start = end if self._count > self._size else 0
        return self._data[start : start + len(self)]
