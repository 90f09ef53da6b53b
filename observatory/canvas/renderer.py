"""The synapse eye in OpenGL: all layers as one atlas, shaded once per neuron, then enlarged.

Works in any current vispy canvas, in a window or through EGL. GL objects are made at the first draw.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray
from vispy import gloo

from engine.frame import Frame
from observatory.canvas.geometry import HEADER, Camera, Grid, Rectangle, Size
from observatory.canvas.glyphs import digit_texture
from observatory.view import DECADES, Exposure, ViewSettings

Colour = tuple[float, float, float]

PAGE: Colour = (11 / 255, 13 / 255, 18 / 255)
"""Background between the tiles, #0b0d12."""
REST: Colour = (5 / 255, 6 / 255, 9 / 255)
"""A neuron without light."""
RED: Colour = (0.88, 0.11, 0.09)
"""A fully lit |activation|."""
GREEN: Colour = (0.10, 1.0, 0.32)
"""A fully lit |velocity|."""
BLUE: Colour = (0.16, 0.38, 1.0)
"""A fully lit |nudge|."""
DEAD: Colour = (0.20, 0.21, 0.25)
"""A neuron that is cut out, between the arms of its cross."""
CROSS: Colour = (0.45, 0.47, 0.54)
LABEL: Colour = (0.42, 0.47, 0.58)
ACCENT: Colour = (0.87, 0.91, 1.0)

_QUAD = np.array([[-1, -1], [1, -1], [-1, 1], [1, 1]], np.float32)
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


def _source(name: str) -> str:
    return (files("assets") / "shaders" / name).read_text("utf-8")


def _digit_scale(view: View) -> float:
    header = HEADER * view.grid.layout.height * view.camera.cell
    return float(min(header // _SMALLEST_HEADER, 4))


class _Objects:
    """The GL objects for one shape of network and one number of columns."""

    def __init__(self, grid: Grid) -> None:
        layout = grid.layout
        shape = (layout.layers, layout.neurons)
        self.grid = grid
        self.channels = [
            gloo.Texture2D((*shape, 1), format="luminance", internalformat="r32f", interpolation="nearest")
            for _ in range(3)
        ]
        self.flags = gloo.Texture2D((*shape, 1), format="luminance", internalformat="r8", interpolation="nearest")
        self.lights = gloo.Texture2D(
            (grid.rows * layout.height, grid.columns * layout.width, 4), interpolation="linear"
        )
        self.digits = gloo.Texture2D(digit_texture(), interpolation="nearest")
        self.target = gloo.FrameBuffer(color=self.lights)
        self.quad = gloo.VertexBuffer(_QUAD)
        vertex = _source("quad.vert")
        self.shade = gloo.Program(vertex, _source("shade.frag"))
        self.enlarge = gloo.Program(vertex, _source("mosaic.frag"))
        self._bind_shade()
        self._bind_enlarge()

    def _bind_shade(self) -> None:
        layout, program = self.grid.layout, self.shade
        program["a_position"] = self.quad
        for name, texture in zip(("u_activation", "u_velocity", "u_nudge"), self.channels, strict=True):
            program[name] = texture
        program["u_flags"] = self.flags
        program["u_corner"] = (0.0, 0.0)
        program["u_span"] = (1.0, 1.0)
        program["u_tile"] = (float(layout.width), float(layout.height))
        program["u_source"] = (float(layout.neurons), float(layout.layers))
        program["u_columns"] = float(self.grid.columns)
        program["u_decades"] = DECADES
        program["u_red"] = RED
        program["u_green"] = GREEN
        program["u_blue"] = BLUE
        program["u_rest"] = REST
        program["u_dead"] = DEAD
        program["u_page"] = PAGE

    def _bind_enlarge(self) -> None:
        grid, program = self.grid, self.enlarge
        program["a_position"] = self.quad
        program["u_lights"] = self.lights
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

    def upload(self, frame: Frame) -> None:
        for texture, data in zip(self.channels, (frame.activation, frame.velocity, frame.nudge), strict=True):
            texture.set_data(data)
        self.flags.set_data(frame.flags)

    def delete(self) -> None:
        programs = (self.shade, self.enlarge)
        shaders = [shader for program in programs for shader in program.shaders if shader is not None]
        textures = (self.digits, self.lights, self.flags, *self.channels)
        for part in (self.target, *programs, *shaders, self.quad, *textures):
            part.delete()


class MosaicRenderer:
    """Draws frames into the current framebuffer, or reads them back as pictures."""

    def __init__(self) -> None:
        self._objects: _Objects | None = None
        self._uploaded: Frame | None = None
        self._picture: tuple[Size, gloo.FrameBuffer, gloo.RenderBuffer] | None = None

    def draw(self, frame: Frame, settings: ViewSettings, exposure: Exposure, view: View) -> None:
        """Queue the two passes; the frame's arrays are read when the context is flushed.

        A frame is uploaded once, however often it is drawn.
        """
        objects = self._objects_for(view.grid)
        if frame is not self._uploaded:
            objects.upload(frame)
            self._uploaded = frame
        gloo.set_state(blend=False, depth_test=False, cull_face=False)
        self._shade(objects, settings, exposure)
        self._enlarge(objects, view)

    def read(self, frame: Frame, settings: ViewSettings, exposure: Exposure, view: View) -> NDArray[np.uint8]:
        """The picture as uint8 (height, width, 3), top row first."""
        target = self._picture_buffer(view.size)
        with target:
            self.draw(frame, settings, exposure, view)
            pixels = gloo.read_pixels((0, 0, *view.size), alpha=False)
        return np.ascontiguousarray(pixels)

    def release(self) -> None:
        """Delete all GL objects; the next draw makes new ones. Needs the context that they were made in."""
        if self._objects is not None:
            self._objects.delete()
        if self._picture is not None:
            for part in self._picture[1:]:
                part.delete()
        self._objects = self._uploaded = self._picture = None

    def _objects_for(self, grid: Grid) -> _Objects:
        if self._objects is None or self._objects.grid != grid:
            if self._objects is not None:
                self._objects.delete()
            self._objects = _Objects(grid)
            self._uploaded = None
        return self._objects

    def _picture_buffer(self, size: Size) -> gloo.FrameBuffer:
        if self._picture is None or self._picture[0] != size:
            if self._picture is not None:
                for part in self._picture[1:]:
                    part.delete()
            pixels = gloo.RenderBuffer((size[1], size[0]), "color")
            self._picture = (size, gloo.FrameBuffer(color=pixels), pixels)
        return self._picture[1]

    @staticmethod
    def _shade(objects: _Objects, settings: ViewSettings, exposure: Exposure) -> None:
        program, levels = objects.shade, exposure.levels(settings)
        program["u_scale"] = tuple(level.scale for level in levels)
        program["u_floor"] = tuple(level.floor for level in levels)
        program["u_log"] = tuple(float(channel.log) for channel in settings.channels)
        program["u_on"] = tuple(float(channel.on) for channel in settings.channels)
        program["u_highlight"] = float(settings.highlight)
        rows, columns = objects.lights.shape[:2]
        with objects.target:
            gloo.set_viewport(0, 0, columns, rows)
            program.draw("triangle_strip")

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
