"""Counting right actions."""

from __future__ import annotations

from collections import deque

from engine.worlds.world import WINDOW


class Score:
    """Right or wrong over the last WINDOW ticks."""

    def __init__(self) -> None:
        self._lately: deque[bool] = deque(maxlen=WINDOW)
        self.wanted = self.action = 0

    def note(self, wanted: int, action: int) -> None:
        """One more action, and what would have been right."""
        self.wanted, self.action = wanted, action
        self._lately.append(action == wanted)

    @property
    def last(self) -> bool:
        """Whether the last action was right."""
        return bool(self._lately) and self._lately[-1]

    @property
    def accuracy(self) -> float | None:
        """Share of right ones."""
        return sum(self._lately) / len(self._lately) if self._lately else None
