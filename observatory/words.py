"""What the three channels are called: in a network that settles, and in one that lives in a world."""

from __future__ import annotations


def channel_names(network: str) -> tuple[str, str, str]:
    """Of red, green and blue in this kind of network."""
    return ("activation", "change", "gap") if network == "tween" else ("activation", "velocity", "nudge")
