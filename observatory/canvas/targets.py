"""Off-screen targets that are made once and used for every picture."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from vispy import gloo

from observatory.canvas.geometry import Size


class PictureTarget:
    """Where a picture is drawn to be read back; made anew only for another size."""

    def __init__(self) -> None:
        self._size: Size = (0, 0)
        self._parts: tuple[Any, ...] = ()

    def of(self, size: Size) -> gloo.FrameBuffer:
        """The target for pictures of this size."""
        if self._size != size:
            self.delete()
            pixels = gloo.RenderBuffer((size[1], size[0]), "color")
            self._size, self._parts = size, (gloo.FrameBuffer(color=pixels), pixels)
        return self._parts[0]

    def read(self) -> NDArray[np.uint8]:
        """What was drawn, uint8 (height, width, 3), top row first; the target must be in use."""
        return np.ascontiguousarray(gloo.read_pixels((0, 0, *self._size), alpha=False))

    def delete(self) -> None:
        """Give it back."""
        for part in self._parts:
            part.delete()
        self._size, self._parts = (0, 0), ()


class RoomyTarget:
    """A texture to draw into that only grows, so that pictures of two sizes in turn make nothing anew.

    RGBA8, read with linear interpolation; use the corner of it that the picture needs.
    """

    def __init__(self) -> None:
        self._size: Size = (1, 1)
        self._make()

    def _make(self) -> None:
        self.texture = gloo.Texture2D((self._size[1], self._size[0], 4), interpolation="linear")
        self.frame = gloo.FrameBuffer(color=self.texture)

    @property
    def size(self) -> Size:
        """Width and height of the texture."""
        return self._size

    def require(self, size: Size) -> bool:
        """Make room for `size`; True when the texture is another one now."""
        if size[0] <= self._size[0] and size[1] <= self._size[1]:
            return False
        self.delete()
        self._size = max(size[0], self._size[0]), max(size[1], self._size[1])
        self._make()
        return True

    def delete(self) -> None:
        """Give it back."""
        self.frame.delete()
        self.texture.delete()
