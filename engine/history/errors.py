"""What goes wrong with a history, in words for a person."""

from __future__ import annotations


class HistoryError(ValueError):
    """A history that cannot be read or written; the message is one readable line."""
