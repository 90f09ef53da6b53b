"""The first pass of every view: each neuron's colour, computed once from the frame's arrays as they lie.

Works in any current vispy canvas, in a window or through EGL.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files

import numpy as np
from vispy import gloo

from engine.frame import ABLATED, UNUSED, Frame
from engine.layout import Layout
from observatory.canvas.colours import AMBER, BLUE, DEAD, GREEN, PAGE, RED, REST, Colour
from observatory.view import DECADES, Exposure, ViewSettings

_QUAD = np.array([[-1, -1], [1, -1], [-1, 1], [1, 1]], np.float32)
_Three = tuple[float, float, float]


def source(*names: str) -> str:
    """The shader files of these names, one after the other."""
    return "\n".join((files("assets") / "shaders" / name).read_text("utf-8") for name in names)


def full_quad() -> gloo.VertexBuffer:
    """The corners of the whole target, for `quad.vert`."""
    return gloo.VertexBuffer(_QUAD)


def delete_program(program: gloo.Program) -> None:
    """Give a program back with its shaders, which vispy would keep."""
    program.delete()
    for shader in program.shaders:
        if shader is not None:
            shader.delete()


@dataclass(frozen=True, slots=True)
class Look:
    """How three values become a colour: light = scale * |value| above `floor`, on a scale of decades where `log`."""

    scale: _Three
    floor: _Three
    log: _Three
    on: _Three
    tints: tuple[Colour, Colour, Colour]
    highlight: bool

    @staticmethod
    def of(settings: ViewSettings, exposure: Exposure) -> Look:
        """Red, green and blue as the channels say."""
        (red, green, blue), levels = settings.channels, exposure.levels(settings)
        return Look(
            scale=(levels[0].scale, levels[1].scale, levels[2].scale),
            floor=(levels[0].floor, levels[1].floor, levels[2].floor),
            log=(float(red.log), float(green.log), float(blue.log)),
            on=(float(red.on), float(green.on), float(blue.on)),
            tints=(RED, GREEN, BLUE),
            highlight=settings.highlight,
        )

    @staticmethod
    def of_density(most: float) -> Look:
        """The first value is a number of synapses, fully lit at `most`."""
        none = (0.0, 0.0, 0.0)
        return Look((1 / max(most, 1e-30), 0.0, 0.0), none, none, (1.0, 0.0, 0.0), (AMBER, GREEN, BLUE), False)


class Shading:
    """The arrays of a frame on the graphics card and, in `lights`, their colours: the tiles edge to edge.

    `lights` is RGBA8 of (rows * height, columns * width) texels; `shade.frag` says what alpha means. A neuron without
    light gets the colour `rest`, a place without a neuron `page`.
    """

    def __init__(self, layout: Layout, columns: int, rest: Colour = REST, page: Colour = PAGE) -> None:
        rows = -(-layout.layers // columns)
        shape = (layout.layers, layout.neurons)
        self.channels = [
            gloo.Texture2D((*shape, 1), format="luminance", internalformat="r32f", interpolation="nearest")
            for _ in range(3)
        ]
        self.flags = gloo.Texture2D((*shape, 1), format="luminance", internalformat="r8", interpolation="nearest")
        self.lights = gloo.Texture2D((rows * layout.height, columns * layout.width, 4), interpolation="linear")
        self._target = gloo.FrameBuffer(color=self.lights)
        self._quad = full_quad()
        self._program = program = gloo.Program(source("quad.vert"), source("shade.frag"))
        program["a_position"] = self._quad
        for name, texture in zip(("u_activation", "u_velocity", "u_nudge"), self.channels, strict=True):
            program[name] = texture
        program["u_flags"] = self.flags
        program["u_corner"] = (0.0, 0.0)
        program["u_span"] = (1.0, 1.0)
        program["u_tile"] = (float(layout.width), float(layout.height))
        program["u_source"] = (float(layout.neurons), float(layout.layers))
        program["u_columns"] = float(columns)
        program["u_decades"] = DECADES
        program["u_dead"] = DEAD
        program["u_rest"] = rest
        program["u_page"] = page

    def upload(self, frame: Frame) -> None:
        """Hand over activation, velocity, nudge and flags; the arrays are read when the context is flushed."""
        for texture, data in zip(self.channels, (frame.activation, frame.velocity, frame.nudge), strict=True):
            texture.set_data(data)
        self.flags.set_data(frame.flags)

    def upload_density(self, frame: Frame) -> None:
        """Hand over the synapses per voxel in place of the activation, and which voxels there are."""
        assert frame.density is not None
        self.channels[0].set_data(frame.density)
        self.flags.set_data(frame.flags & (ABLATED | UNUSED))

    def draw(self, look: Look) -> None:
        """Queue the pass."""
        program = self._program
        program["u_scale"] = look.scale
        program["u_floor"] = look.floor
        program["u_log"] = look.log
        program["u_on"] = look.on
        program["u_red"], program["u_green"], program["u_blue"] = look.tints
        program["u_highlight"] = float(look.highlight)
        rows, columns = self.lights.shape[:2]
        gloo.set_state(blend=False, depth_test=False, cull_face=False)
        with self._target:
            gloo.set_viewport(0, 0, columns, rows)
            program.draw("triangle_strip")

    def delete(self) -> None:
        """Give everything back."""
        self._target.delete()
        delete_program(self._program)
        for part in (self._quad, self.lights, self.flags, *self.channels):
            part.delete()
