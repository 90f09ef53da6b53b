"""How data that cannot be used are refused: one error, one line."""

from __future__ import annotations


class DataError(ValueError):
    """Data that cannot be used; one line that names the file and says what is wrong with it."""


def reason(error: Exception) -> str:
    """What another library has said, in one line of bearable length."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(text.split())[:200] or type(error).__name__
