"""How a volume is looked at: what a user may set. No Qt, no OpenGL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from psygnal import SignalGroupDescriptor

Axis = Literal["x", "y", "z"]
AXES: tuple[Axis, ...] = ("x", "y", "z")
"""Column, row and layer of a voxel; z runs from the input to the read-out."""
Show = Literal["light", "brightest", "clouds", "density"]

TURN = 12.0
"""Degrees a second that a turning volume turns by."""


@dataclass
class VolumeSettings:
    """What the user chose to see of a volume; `events` of psygnal tells each change.

    show: "light" lets every voxel shine through those before it, "brightest" keeps the strongest light on each line of
    sight, "clouds" shows voxels whose nudge is above the threshold alone, "density" the synapses per voxel.
    smooth: interpolate between voxels. opacity: 0..1, how much a voxel hides of what lies behind it; at 0 nothing but
    the slices is seen. threshold: 0..1, in light of the nudge, as the channel's gain and scale make it.
    x, y, z: where the slices lie, as shares of the edges.
    """

    shown: bool = True
    """The volume rather than the mosaic."""
    show: Show = "light"
    smooth: bool = True
    opacity: float = 0.5
    threshold: float = 0.25
    slices: bool = False
    x: float = 0.5
    y: float = 0.5
    z: float = 0.5
    turning: bool = False

    events: ClassVar[SignalGroupDescriptor] = SignalGroupDescriptor()

    def plane(self, axis: Axis, count: int) -> int:
        """The voxel, 0 to count - 1, through whose middle the slice lies."""
        place: float = getattr(self, axis)
        return min(max(int(place * count), 0), count - 1)

    def put_plane(self, axis: Axis, voxel: int, count: int) -> None:
        """Move a slice to a voxel; beyond the ends it stays at the end."""
        setattr(self, axis, (min(max(voxel, 0), count - 1) + 0.5) / count)
