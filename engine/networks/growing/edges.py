"""Connectors: what reaches a node, and how.

A line brings one number of a source's state to a reader, weighed over the source's memory: sum_h taps[h] D^h, where
D^0 is the newest number and D^h the h-th backward difference, scaled to the size of D^0. (Differences span the same
space as the last H states and are far less alike, so gradients find their way: the Adams methods in backward-difference
form.) The first tap is 1 for good, the others are grown. All lines between two nodes make up an edge, which has

    capacity     taps that each of its lines may have
    latency      ticks that a number takes to arrive
    reliability  chance that it arrives in a tick; if not, the reader has what arrived last
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.networks.growing.core import BudgetError

Array = NDArray[Any]
LONGEST_LATENCY = 16


class Connectors:
    """All lines of a graph: `source`, `reader`, `latency`, `capacity` int64 (L,), `reliability` (L,), `taps` (L, H) and
    which of them are there, `active`, and which fade out, `cooling`. Adam has `mean`, `square`, `age` (L, H).
    """

    def __init__(self, memory: int, limit: int, dtype: Any = np.float32) -> None:
        self.memory, self.limit = memory, limit
        self.source, self.reader = np.empty(0, np.int64), np.empty(0, np.int64)
        self.latency, self.capacity = np.empty(0, np.int64), np.empty(0, np.int64)
        self.reliability = np.empty(0)
        self.taps = np.empty((0, memory), dtype)
        self.mean, self.square = self.taps.copy(), self.taps.copy()
        self.age = np.empty((0, memory), np.int64)
        self.active, self.cooling = np.empty((0, memory), bool), np.empty((0, memory), bool)

    def __len__(self) -> int:
        return len(self.source)

    @property
    def struct(self) -> int:
        """Taps beyond the first of each line, never above `limit`."""
        return int(self.active[:, 1:].sum())

    @property
    def lags(self) -> int:
        """Latencies there may be: 1 + the longest."""
        return 1 + int(self.latency.max(initial=0))

    def find(self, reader: int, source: int, latency: int = 0) -> int:
        """The first such line, or -1."""
        hits = np.flatnonzero((self.reader == reader) & (self.source == source) & (self.latency == latency))
        return int(hits[0]) if len(hits) else -1

    def add(
        self, reader: int, source: int, *, latency: int = 0, reliability: float = 1.0, capacity: int | None = None
    ) -> int:
        """A new line with its first tap; its number. Raises ValueError."""
        capacity = self.memory if capacity is None else capacity
        if not 0 <= latency <= LONGEST_LATENCY:
            raise ValueError(f"latency {latency} is outside its range 0 to {LONGEST_LATENCY}")
        if not 0 < reliability <= 1:
            raise ValueError(f"reliability {reliability:g} is outside its range, above 0 to 1")
        if not 1 <= capacity <= self.memory:
            raise ValueError(f"capacity {capacity} is outside its range 1 to {self.memory}")
        first = np.zeros((1, self.memory), self.taps.dtype)
        first[0, 0] = 1
        for name, value in (("source", source), ("reader", reader), ("latency", latency), ("capacity", capacity),
                            ("reliability", reliability)):  # fmt: skip
            setattr(self, name, np.append(getattr(self, name), value))
        self.taps = np.concatenate([self.taps, first])
        self.active = np.concatenate([self.active, first > 0])
        self.cooling = np.concatenate([self.cooling, first < 0])
        self.mean, self.square = (np.concatenate([a, 0 * first]) for a in (self.mean, self.square))
        self.age = np.concatenate([self.age, np.zeros((1, self.memory), np.int64)])
        return len(self) - 1

    def can_tap(self, line: int, tap: int) -> bool:
        """Whether this tap is absent and the line's capacity and the budget have room for it."""
        if self.active[line, tap]:
            return False
        return self.struct < self.limit and int(self.active[line].sum()) < self.capacity[line]

    def add_tap(self, line: int, tap: int, value: float) -> None:
        """Grow a tap. Raises BudgetError."""
        if not self.can_tap(line, tap):
            raise BudgetError(f"no room for tap {tap} of line {line} ({self.struct} of {self.limit} taps in use)")
        self.active[line, tap] = True
        self.taps[line, tap] = value
        self.mean[line, tap] = self.square[line, tap] = self.age[line, tap] = 0

    def drop_tap(self, line: int, tap: int) -> None:
        """Take away a tap other than the first."""
        if tap == 0:
            raise ValueError("the first tap of a line stays")
        self.active[line, tap] = self.cooling[line, tap] = False
        self.taps[line, tap] = 0

    def keep(self, lines: NDArray[np.int64]) -> None:
        """Forget all other lines."""
        for name in ("source", "reader", "latency", "capacity", "reliability", "taps", "active", "cooling", "mean",
                     "square", "age"):  # fmt: skip
            setattr(self, name, getattr(self, name)[lines])
