"""The element-wise half of a rival's tick, in whole-array operations that NumPy and torch both know.

`xp` is either module; every operation writes into arrays that exist already. Columns lie along `axis`: states are
(L, 3, B, N) with axis 1, or (L, N, 3, B) with axis 2. Rivals compute the states, the velocity and the largest changes;
the program's own ticks also count sign changes and sum squares, which rivals are let off.
"""

from __future__ import annotations

from typing import Any

from kernels import TINY


def part(x: Any, axis: int, first: int, last: int) -> Any:
    """Columns first to last - 1 of x, a view."""
    return x[:, first:last] if axis == 1 else x[:, :, first:last]


class Remainder:
    """What tanh(a + push) is beyond tanh(a), from free = tanh(a)."""

    def __init__(self, xp: Any, push: Any, free: Any) -> None:
        self._xp, self._push, self._free = xp, push, free
        self._slope, self._turn, self._below = xp.empty_like(free), xp.empty_like(push), xp.empty_like(push)

    def _shift(self) -> None:
        """turn / (1 + free turn)."""
        xp, free, turn, below = self._xp, self._free, self._turn, self._below
        xp.multiply(free, free, out=self._slope)
        xp.multiply(self._slope, -1, out=self._slope)
        xp.add(self._slope, 1, out=self._slope)
        xp.tanh(self._push, out=turn)
        xp.multiply(turn, free, out=below)
        xp.add(below, 1, out=below)
        xp.clip(below, TINY, None, out=below)
        xp.divide(turn, below, out=turn)

    def whole(self, out: Any) -> None:
        """out = tanh(a + push) - tanh(a)."""
        self._shift()
        self._xp.multiply(self._turn, self._slope, out=out)

    def curved(self) -> Any:
        """The same less its linear part (1 - free^2) push."""
        self._shift()
        self._xp.subtract(self._turn, self._push, out=self._turn)
        self._xp.multiply(self._turn, self._slope, out=self._turn)
        return self._turn


class Change:
    """Velocity and largest change per layer between two states."""

    def __init__(self, xp: Any, state: Any) -> None:
        self._xp = xp
        self.velocity = xp.empty_like(state)
        self._size = xp.empty_like(state)
        self._largest = xp.empty_like(state[:, 0, 0, 0])

    def between(self, old: Any, new: Any) -> None:
        """Measure new - old."""
        self._xp.subtract(new, old, out=self.velocity)
        self._xp.abs(self.velocity, out=self._size)
        self._xp.amax(self._size, (1, 2, 3), out=self._largest)
