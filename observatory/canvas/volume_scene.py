"""What is looked at in a volume, and how: one value that the renderer and the pointer share. No OpenGL."""

from __future__ import annotations

from dataclasses import dataclass

from engine.frame import Frame
from engine.layout import Layout
from observatory.canvas.geometry import Size
from observatory.canvas.orbit import Body, Lens, Orbit, Pane, panes_of
from observatory.volume_view import AXES, Axis, VolumeSettings

_DEPTH = 70.0
"""Optical depth of an edge full of bright voxels at full opacity; it goes with the square."""


@dataclass(frozen=True, slots=True)
class VolumeView:
    """What is looked at: the voxels, from where, how, at which size in pixels, and the slice under the pointer.

    `unit` is the width of a thin line in pixels.
    """

    layout: Layout
    orbit: Orbit
    settings: VolumeSettings
    size: Size
    unit: float = 1.0
    held: Axis | None = None

    @property
    def body(self) -> Body:
        """The block of voxels."""
        return Body(self.layout)

    @property
    def lens(self) -> Lens:
        """The camera in its pane."""
        return Lens(self.orbit, panes_of(self.size, self.settings.slices)[0])

    @property
    def flats(self) -> dict[Axis, Pane]:
        """The panes of the flat slices, none where they are off or there is no room."""
        return dict(zip(AXES, panes_of(self.size, self.settings.slices)[1], strict=False))

    @property
    def planes(self) -> dict[Axis, int]:
        """The voxels at which the slices lie, none where they are off."""
        if not self.settings.slices:
            return {}
        return {axis: self.settings.plane(axis, self.body.counts[i]) for i, axis in enumerate(AXES)}


def depth_of(settings: VolumeSettings) -> float:
    """Optical depth of an edge full of bright voxels."""
    return _DEPTH * settings.opacity**2


def shows_density(frame: Frame, settings: VolumeSettings) -> bool:
    """Whether synapses are shown; the light is where the network has no such number."""
    return settings.show == "density" and frame.density is not None
