"""Where the neurons of a network lie when it is looked at."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Part:
    """A tile within a tile: which tile (from 1), the places that it takes, and its way in.

    `path` (2, 3, 1) is the first layer of the Block in the third layer of the Block in layer 2.
    """

    tile: int
    top: int
    left: int
    height: int
    width: int
    path: tuple[int, ...]

    @property
    def name(self) -> str:
        """As a person reads it."""
        return " / ".join(map(str, self.path))


@dataclass(frozen=True, slots=True)
class Layout:
    """Tiles of neurons, one per layer, layer 1 first.

    A frame's channel of shape (layers, height * width) lies in memory exactly as a texture of
    (layers * height, width) texels, so it can go to the graphics card as it is.
    """

    layers: int
    height: int
    width: int
    volume: bool = False
    """Whether the tiles are the slices of a body: neuron (row, column) of layer z + 1 is voxel (z, y, x)."""
    parts: tuple[Part, ...] = ()
    """Tiles within the tiles, of nested chains."""

    @property
    def neurons(self) -> int:
        """Neurons per layer."""
        return self.height * self.width

    def part_at(self, tile: int, row: int, column: int) -> Part | None:
        """The tile within a tile at a place; None between them and where there are none."""
        for part in self.parts:
            inside = 0 <= row - part.top < part.height and 0 <= column - part.left < part.width
            if part.tile == tile and inside:
                return part
        return None
