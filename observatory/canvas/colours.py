"""The colours of the canvases, as parts of 1; text and buttons have theirs in `observatory.palette`."""

from __future__ import annotations

from observatory.volume_view import Axis

Colour = tuple[float, float, float]

PAGE: Colour = (11 / 255, 13 / 255, 18 / 255)
"""Background between the tiles and round a volume, #0b0d12."""
REST: Colour = (5 / 255, 6 / 255, 9 / 255)
"""A neuron without light."""
RED: Colour = (0.88, 0.11, 0.09)
"""A fully lit |activation|."""
GREEN: Colour = (0.10, 1.0, 0.32)
"""A fully lit |velocity|."""
BLUE: Colour = (0.16, 0.38, 1.0)
"""A fully lit |nudge|."""
AMBER: Colour = (1.0, 0.66, 0.22)
"""The voxel with the most synapses."""
DEAD: Colour = (0.20, 0.21, 0.25)
"""A neuron that is cut out, between the arms of its cross."""
CROSS: Colour = (0.45, 0.47, 0.54)
LABEL: Colour = (0.42, 0.47, 0.58)
ACCENT: Colour = (0.87, 0.91, 1.0)
FRAME: Colour = (0.36, 0.41, 0.52)
"""The edges of a volume."""
RIMS: dict[Axis, Colour] = {"x": (0.95, 0.72, 0.30), "y": (0.36, 0.82, 0.78), "z": (0.72, 0.55, 1.0)}
"""The rim of each slice through a volume, and its letter."""


def web(colour: Colour) -> str:
    """The colour as "#rrggbb"."""
    return "#" + "".join(f"{round(255 * part):02x}" for part in colour)
