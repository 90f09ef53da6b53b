"""Which experiments there are."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Protocol, cast

TRACKS = (
    "depth",
    "memory",
    "robustness",
    "energy",
    "alignment",
    "persistent",
    "feedback",
    "ternary",
    "healing",
    "homeostasis",
    "growth",
    "convolution",
    "nested",
    "oracle",
    "dreaming",
    "rhythm",
    "passage",
    "growing",
)
"""In the order of the report."""


class Track(Protocol):
    """What an experiment's module offers."""

    TITLE: str
    QUESTION: str
    """What is asked, and what the control is."""

    def jobs(self, quick: bool) -> list[dict[str, Any]]:
        """Independent sets of parameters, JSON values, each with a "seed"."""

    def run(self, **params: Any) -> list[dict[str, Any]]:
        """Flat rows of JSON values, measured; the same for the same parameters."""

    def figure(self, rows: list[dict[str, Any]], axes: Any) -> None:
        """Draw the track's picture on one matplotlib Axes."""


def track(name: str) -> Track:
    """An experiment by name. Raises ValueError for an unknown one."""
    if name not in TRACKS:
        raise ValueError(f"unknown track '{name}'; there are: {', '.join(TRACKS)}")
    return cast(Track, import_module(f"engine.experiments.{name}"))
