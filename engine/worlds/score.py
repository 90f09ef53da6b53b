"""Counting right actions."""

from __future__ import annotations

from collections import deque

from engine.worlds.world import WINDOW


class Score:
    """Right or wrong over the last WINDOW ticks."""

    def __init__(self) -> None:
        self._lately: deque[bool] = deque(maxlen=WINDOW)

    def note(self, right: bool) -> None:
        """One more action."""
        self._lately.append(right)

    @property
    def last(self) -> bool:
        """Whether the last action was right."""
        return bool(self._lately) and self._lately[-1]

    @property
    def accuracy(self) -> float | None:
        """Share of right ones."""
        return sum(self._lately) / len(self._lately) if self._lately else None
