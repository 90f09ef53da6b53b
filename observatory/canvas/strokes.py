"""Lines on the canvas: collected on the processor, drawn in one call."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from vispy import gloo

from observatory.canvas.colours import Colour
from observatory.canvas.geometry import Size
from observatory.canvas.lettering import HEIGHT, Segments, word
from observatory.canvas.shading import delete_program, source

_VERTEX = np.dtype(
    [("a_place", np.float32, 2), ("a_aside", np.float32), ("a_half", np.float32), ("a_colour", np.float32, 4)]
)
_ALONG = np.array([0, 1, 0, 0, 1, 1])
_SIDE = np.array([-1.0, -1.0, 1.0, 1.0, -1.0, 1.0])


class Strokes:
    """A list of straight strokes in pixels, y down; widths in pixels, colours with an alpha."""

    def __init__(self) -> None:
        self._segments: list[Segments] = []
        self._colours: list[tuple[float, ...]] = []
        self._halves: list[float] = []

    def add(self, segments: Segments, colour: Colour, alpha: float, width: float) -> None:
        """Strokes between points, (count, 2, 2)."""
        self._segments.append(segments)
        self._colours += [(*colour, alpha)] * len(segments)
        self._halves += [width / 2] * len(segments)

    def write(
        self, text: str, middle: NDArray[np.float64], height: float, colour: Colour, alpha: float, width: float
    ) -> None:
        """A word about its middle, its letters `height` pixels high."""
        strokes, _ = word(text)
        self.add(strokes * (height / HEIGHT) + middle, colour, alpha, width)

    def vertices(self) -> NDArray[np.void]:
        """Six corners for each stroke."""
        segments = np.concatenate(self._segments) if self._segments else np.empty((0, 2, 2))
        count = len(segments)
        half = np.array(self._halves).reshape(count, 1)
        along = segments[:, 1] - segments[:, 0]
        length = np.hypot(along[:, 0], along[:, 1])[:, None]
        along = along / np.maximum(length, 1e-6)
        normal = np.stack([-along[:, 1], along[:, 0]], axis=1)
        reach = half + 1.0
        ends = segments + np.stack([-along * half, along * half], axis=1)
        found = np.zeros((count, 6), _VERTEX)
        found["a_place"] = ends[:, _ALONG] + normal[:, None] * (reach * _SIDE)[..., None]
        found["a_aside"] = reach * _SIDE
        found["a_half"] = half
        found["a_colour"] = np.array(self._colours).reshape(count, 1, 4)
        return found.reshape(-1)


class Pen:
    """Draws strokes into the current target, over what is there."""

    def __init__(self) -> None:
        self._program = gloo.Program(source("stroke.vert"), source("stroke.frag"))
        self._buffer = gloo.VertexBuffer(np.zeros(0, _VERTEX))
        self._room = 0

    def draw(self, strokes: Strokes, size: Size) -> None:
        """Queue the call; the viewport is the whole target."""
        vertices = strokes.vertices()
        self._make_room(len(vertices))
        if not self._room:
            return
        padded = np.zeros(self._room, _VERTEX)
        padded[: len(vertices)] = vertices
        self._buffer.set_data(padded)
        self._program["u_size"] = (float(size[0]), float(size[1]))
        gloo.set_viewport(0, 0, *size)
        gloo.set_state(blend=True, blend_func=("one", "one_minus_src_alpha"), depth_test=False, cull_face=False)
        self._program.draw("triangles")

    def _make_room(self, vertices: int) -> None:
        """A buffer in a program keeps its length, so there is another one only for a longer list."""
        if vertices > self._room:
            self._buffer.delete()
            self._room = 2 * vertices
            self._buffer = gloo.VertexBuffer(np.zeros(self._room, _VERTEX))
            self._program.bind(self._buffer)

    def delete(self) -> None:
        """Give everything back."""
        delete_program(self._program)
        self._buffer.delete()
