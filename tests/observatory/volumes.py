"""Volumes made by hand: a few lit voxels in a cube at rest, and the colours that they should have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from frames import fake_frame
from numpy.typing import NDArray
from PyQt6.QtGui import QImage

from engine.frame import Frame
from engine.layout import Layout
from observatory.view import ViewSettings

SIDE = 8
Voxel = tuple[int, int, int]
Plan = Mapping[Voxel, float] | NDArray[Any]


def volume_frame(side: int = SIDE, density: Plan | None = None, **channels: Plan) -> Frame:
    """A cube at rest but for the voxels (x, y, z) given for activation, velocity, nudge or flags, or whole arrays."""
    planted: dict[str, Any] = {}
    for name, values in {**channels, **({} if density is None else {"density": density})}.items():
        if isinstance(values, np.ndarray):
            cube = values.astype(np.float32)
        else:
            cube = np.zeros((side, side, side), np.uint8 if name == "flags" else np.float32)
            for (x, y, z), value in values.items():
                cube[z, y, x] = value
        planted[name] = cube.reshape(side, side * side)
    return fake_frame(side, side, layout=Layout(side, side, side, True), **planted)


def manual(gain: float = 1.0) -> ViewSettings:
    """Full light at 1 / gain."""
    view = ViewSettings()
    for channel in view.channels:
        channel.auto, channel.gain = False, gain
    return view


def pixels(image: QImage) -> NDArray[np.uint8]:
    """uint8 (height, width, 3)."""
    image = image.convertToFormat(QImage.Format.Format_RGB888)
    bits = image.constBits()
    assert bits is not None
    rows = np.frombuffer(bits.asstring(image.sizeInBytes()), np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3)
