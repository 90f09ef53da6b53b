"""The synapse eye in OpenGL: all layers as one atlas, shaded once per neuron, then enlarged.

Works in any current vispy canvas, in a window or through EGL. GL objects are made at the first draw.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from vispy import gloo

from engine.frame import Frame
from observatory.canvas.colours import ACCENT, CROSS, LABEL, PAGE
from observatory.canvas.geometry import HEADER, Camera, Grid, Rectangle, Size
from observatory.canvas.glyphs import digit_texture
from observatory.canvas.shading import Look, Shading, delete_program, full_quad, source
from observatory.canvas.targets import PictureTarget
from observatory.view import Exposure, ViewSettings

_SMALLEST_HEADER = 10.5


@dataclass(frozen=True, slots=True)
class View:
    """What is looked at: tiles, camera, size of the target in pixels, and the highlighted layer (0: none).

    `region` is a rectangle being drawn: left, top, right, bottom in world units.
    """

    grid: Grid
    camera: Camera
    size: Size
    hover: int = 0
    region: Rectangle | None = None


def _digit_scale(view: View) -> float:
    header = HEADER * view.grid.layout.height * view.camera.cell
    return float(min(header // _SMALLEST_HEADER, 4))


class _Objects:
    """The GL objects for one shape of network and one number of columns."""

    def __init__(self, grid: Grid) -> None:
        self.grid = grid
        self.shading = Shading(grid.layout, grid.columns)
        self.digits = gloo.Texture2D(digit_texture(), interpolation="nearest")
        self.quad = full_quad()
        self.enlarge = program = gloo.Program(source("quad.vert"), source("mosaic.frag"))
        program["a_position"] = self.quad
        program["u_lights"] = self.shading.lights
        program["u_digits"] = self.digits
        program["u_atlas"] = (float(grid.columns * grid.layout.width), float(grid.rows * grid.layout.height))
        program["u_tile"] = (float(grid.layout.width), float(grid.layout.height))
        program["u_pitch"] = grid.pitch
        program["u_inset"] = grid.inset
        program["u_columns"] = float(grid.columns)
        program["u_layers"] = float(grid.layout.layers)
        program["u_page"] = PAGE
        program["u_label"] = LABEL
        program["u_accent"] = ACCENT
        program["u_cross"] = CROSS

    def delete(self) -> None:
        self.shading.delete()
        delete_program(self.enlarge)
        self.quad.delete()
        self.digits.delete()


class MosaicRenderer:
    """Draws frames into the current framebuffer, or reads them back as pictures."""

    def __init__(self) -> None:
        self._objects: _Objects | None = None
        self._uploaded: Frame | None = None
        self._picture = PictureTarget()

    def draw(self, frame: Frame, settings: ViewSettings, exposure: Exposure, view: View) -> None:
        """Queue the two passes; the frame's arrays are read when the context is flushed.

        A frame is uploaded once, however often it is drawn.
        """
        objects = self._objects_for(view.grid)
        if frame is not self._uploaded:
            objects.shading.upload(frame)
            self._uploaded = frame
        objects.shading.draw(Look.of(settings, exposure))
        self._enlarge(objects, view)

    def read(self, frame: Frame, settings: ViewSettings, exposure: Exposure, view: View) -> NDArray[np.uint8]:
        """The picture as uint8 (height, width, 3), top row first."""
        with self._picture.of(view.size):
            self.draw(frame, settings, exposure, view)
            return self._picture.read()

    def release(self) -> None:
        """Delete all GL objects; the next draw makes new ones. Needs the context that they were made in."""
        if self._objects is not None:
            self._objects.delete()
        self._picture.delete()
        self._objects = self._uploaded = None

    def _objects_for(self, grid: Grid) -> _Objects:
        if self._objects is None or self._objects.grid != grid:
            if self._objects is not None:
                self._objects.delete()
            self._objects = _Objects(grid)
            self._uploaded = None
        return self._objects

    @staticmethod
    def _enlarge(objects: _Objects, view: View) -> None:
        program, (width, height) = objects.enlarge, view.size
        program["u_corner"] = view.camera.to_world(0, 0, view.size)
        program["u_span"] = (width / view.camera.cell, height / view.camera.cell)
        program["u_cell"] = view.camera.cell
        program["u_digit"] = _digit_scale(view)
        program["u_hover"] = float(view.hover)
        program["u_region"] = view.region or (0.0, 0.0, -1.0, -1.0)
        gloo.set_viewport(0, 0, width, height)
        program.draw("triangle_strip")
