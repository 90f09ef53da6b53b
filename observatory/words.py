"""What the three channels are called: in a network that settles, in one that lives in a world, in one that grows."""

from __future__ import annotations

NAMES = {"tween": ("activation", "change", "gap"), "growing": ("state", "change", "error")}


def channel_names(network: str) -> tuple[str, str, str]:
    """Of red, green and blue in this kind of network."""
    return NAMES.get(network, ("activation", "velocity", "nudge"))
