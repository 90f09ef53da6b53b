"""What is looked at in a volume, and how: one value that the renderer and the pointer share. No OpenGL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.frame import Frame
from engine.layout import Layout
from observatory.canvas.geometry import Size
from observatory.canvas.orbit import Body, Lens, Orbit, Pane, panes_of
from observatory.view import Exposure, ViewSettings, lights
from observatory.volume_view import AXES, Axis, VolumeSettings

_DEPTH = 70.0
"""Optical depth of an edge full of bright voxels at full opacity; it goes with the square."""

_CLEAR = 0.06
"""Mean square of the state's light from which on it is made clearer, so that a body full of it can be seen into."""
_SAMPLE = 4096
"""Voxels that are enough to tell how full of light a body is."""


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


def weights_of(frame: Frame, settings: ViewSettings, exposure: Exposure, density: bool) -> tuple[float, float]:
    """What red, and what green and blue count for the optical depth, 0..1.

    The state may fill the whole body and would hide what moves and what is nudged inside. So the fuller the body, the
    clearer is red; synapses are treated alike, in every colour.
    """
    if density and frame.density is not None:
        weight = _weight(_sample(frame.density) / max(float(frame.density.max()), 1e-30))
        return weight, weight
    state = np.nan_to_num(_sample(frame.activation))
    values = np.stack([state, np.zeros_like(state), np.zeros_like(state)], axis=1)
    return _weight(lights(values, settings, exposure)[:, 0]), 1.0


def _sample(channel: NDArray[np.float32]) -> NDArray[np.float32]:
    return channel.reshape(-1)[:: max(-(-channel.size // _SAMPLE), 1)]


def _weight(light: NDArray[Any]) -> float:
    return min(1.0, _CLEAR / max(float(np.square(light).mean()), 1e-30))
