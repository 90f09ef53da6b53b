"""Two columns of text for people."""

from __future__ import annotations

from collections.abc import Mapping


def print_columns(rows: Mapping[str, object]) -> None:
    """Names on the left, values aligned on the right, one line each."""
    width = max(map(len, rows))
    for name, value in rows.items():
        print(f"{name:<{width}}  {value}")
