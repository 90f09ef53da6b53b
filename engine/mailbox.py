"""A one-slot mailbox: the newest value wins, an unread one is overwritten, nothing ever queues."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Mailbox(Generic[T]):
    """One writer, one reader, no lock: a deque of length one appends and pops atomically."""

    def __init__(self) -> None:
        self._slot: deque[T] = deque(maxlen=1)

    @property
    def empty(self) -> bool:
        """Whether the newest value has been taken."""
        return not self._slot

    def put(self, value: T) -> None:
        """Overwrite whatever lies here."""
        self._slot.append(value)

    def take(self) -> T | None:
        """The newest value, once; None when nothing new has come."""
        try:
            return self._slot.pop()
        except IndexError:
            return None
