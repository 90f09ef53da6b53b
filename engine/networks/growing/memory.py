"""What a graph remembers: a ring of states and their backward differences, from which learning draws its batches."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.networks.growing.edges import LONGEST_LATENCY

Array = NDArray[Any]


class Memory:
    """`differences` (R, H, S): of each remembered tick the state and its backward differences, D^h / scale[h].

    States are numbers of nodes in units of their spread, then pools: means over clusters of nodes. `scale` (H, S) is 1
    until `measure` sets it.
    """

    def __init__(self, ticks: int, depth: int, states: int, pools: int = 0, dtype: Any = np.float32) -> None:
        self.depth, self.states = depth, states
        self.differences = np.zeros((ticks, depth, states + pools), dtype)
        self.scale = np.ones((depth, states + pools), dtype)
        self.members: list[NDArray[np.int64] | None] = [None] * pools
        self.count = 0
        """Ticks pushed."""
        self._broken = np.zeros(ticks, bool)
        """Ticks that cannot be learned from: what came before or after them did not follow."""
        self._unbroken = 0
        """Ticks since the last cut."""

    @property
    def first(self) -> int:
        """The first tick that can be learned from: all its differences, late ones too, are known."""
        oldest = max(0, self.count - len(self.differences))
        return oldest + self.depth + LONGEST_LATENCY

    @property
    def ready(self) -> NDArray[np.int64]:
        """Ticks that can be learned from: what came next is known too."""
        ticks = np.arange(self.first, max(self.first, self.count - 1))
        return ticks[self.sound(ticks)]

    def sound(self, ticks: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of these remembered ticks can be learned from."""
        found: NDArray[np.bool_] = ~self._broken[ticks % len(self._broken)]
        return found

    @property
    def usable(self) -> int:
        """How many those are."""
        return len(self.ready)

    def push(self, state: Array) -> None:
        """Remember a state (S,)."""
        row, before = self.count % len(self.differences), (self.count - 1) % len(self.differences)
        now, last = self.differences[row], self.differences[before]
        now[0, : self.states] = state
        for column, members in enumerate(self.members, self.states):
            now[0, column] = 0 if members is None else state[members].mean()
        known = min(self.count, self.depth - 1)
        now[known + 1 :] = 0
        for h in range(1, known + 1):
            now[h] = (now[h - 1] * self.scale[h - 1] - last[h - 1] * self.scale[h - 1]) / self.scale[h]
        self._broken[row] = self._unbroken < self.depth + LONGEST_LATENCY
        self._unbroken += 1
        self.count += 1

    def cut(self) -> None:
        """What is pushed next does not follow from what was pushed last."""
        self._unbroken = 0
        self._broken[(self.count - 1) % len(self._broken)] = True

    def shun(self) -> None:
        """The last tick is not to be learned from."""
        self._broken[(self.count - 1) % len(self._broken)] = True

    def measure(self) -> None:
        """Take the size of the differences now remembered as their unit, but that of the states."""
        used = self._used()
        for h in range(1, self.depth):
            raw = used[:, h] * self.scale[h]
            size = np.sqrt(np.square(raw, dtype=np.float64).mean(0))
            unit = np.where(size > 1e-9, size, 1).astype(self.scale.dtype)
            used[:, h] = raw / unit
            self.scale[h] = unit

    def pool(self, column: int, members: NDArray[np.int64] | None) -> None:
        """Let pool `column` (from 0) be the mean over these states from now on and ever before; None empties it."""
        self.members[column] = members
        at = self.states + column
        if members is None:
            self.differences[:, :, at] = 0
            return
        mean = (self.differences[:, :, members] * self.scale[:, members]).mean(2)
        size = np.sqrt(np.square(mean).mean(0))
        self.scale[1:, at] = np.where(size > 1e-9, size, 1)[1:]
        self.differences[:, :, at] = mean / self.scale[:, at]

    def draw(self, rng: np.random.Generator, count: int) -> NDArray[np.int64]:
        """Ticks to learn from."""
        return rng.choice(self.ready, count)

    def seen(self, ticks: NDArray[np.int64], lags: int = 1) -> Array:
        """What was remembered at these ticks and up to `lags` - 1 ticks before, (lags, H, S, B)."""
        rows = (ticks - np.arange(lags)[:, None]) % len(self.differences)
        return np.ascontiguousarray(self.differences[rows].transpose(0, 2, 3, 1))

    def jittered(
        self, ticks: NDArray[np.int64], lags: int, size: float, rng: np.random.Generator
    ) -> tuple[Array, Array]:
        """`seen` as if every remembered number had been off by white noise of this size; and by how much the newest
        states are off, (S, B)."""
        seen = self.seen(ticks, lags)
        off = np.zeros((lags + self.depth - 1, seen.shape[2], len(ticks)), seen.dtype)
        off[:, : self.states] = size * rng.standard_normal((len(off), self.states, len(ticks)), dtype=np.float32)
        for column, members in enumerate(self.members, self.states):
            if members is not None:
                off[:, column] = off[:, members].mean(1)
        for lag in range(lags):
            left = off[lag : lag + self.depth]
            for h in range(self.depth):
                seen[lag, h] += left[0] / self.scale[h][:, None]
                left = left[:-1] - left[1:]
        return seen, off[0, : self.states]

    def states_at(self, ticks: NDArray[np.int64]) -> Array:
        """States of nodes (S, B) at these ticks."""
        found: Array = self.differences[ticks % len(self.differences), 0, : self.states].T
        return found

    def clear(self) -> None:
        """Forget everything but the units."""
        self.differences[:] = 0
        self._broken[:] = False
        self.count = self._unbroken = 0

    def _used(self) -> Array:
        return self.differences[: min(self.count, len(self.differences))]
