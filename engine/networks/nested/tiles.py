"""How nested chains are looked at: a tile for every layer of level 1, and in it the tiles of what the layer holds.

A layer with a Block and the layers of the Block stand in a square of cells, the layer's own neurons first, as large as
a cell is; each cell is such a square again. So three layers in a Block make a quarter for the layer and a quarter for
each of them, at every level.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.layout import Layout, Part
from engine.networks.nested.nest import HOLDER, Nest
from engine.tiles import first_places, in_tile, tile_of

GAP = 1
"""Places between the innermost tiles; one more for every level that a square holds."""


class NestTiles:
    """Where the `neurons` of each layer lie; numbers count layer * neurons + neuron."""

    def __init__(self, nest: Nest, neurons: int) -> None:
        self._links, self._shape = nest.links, (neurons,)
        self._sides: dict[int, int] = {}
        tops = nest.roots[:, 1]
        side = max(self._side(top) for top in tops)
        pictures = np.full((len(tops), side, side), -1)
        self._parts: list[Part] = []
        for number, (picture, top) in enumerate(zip(pictures, tops, strict=True), start=1):
            self._paint(picture, top, number, 0, 0, (number,))
        self.layout = Layout(len(tops), side, side, parts=tuple(self._parts))
        self.places = pictures.reshape(len(tops), -1)
        """Which neuron lies where, (layers of level 1, places); -1 where none does."""
        self.unused = self.places < 0
        self.first = np.stack([first_places(places) for places in self.places])
        """One place of every neuron."""

    def _block(self, layer: int) -> NDArray[np.int64]:
        """The layers of the Block that a layer holds."""
        return np.flatnonzero(self._links[:, HOLDER] == layer)

    def _height(self, layer: int) -> int:
        """Levels within a layer."""
        return max((1 + self._height(part) for part in self._block(layer)), default=0)

    def _cells(self, layer: int) -> tuple[int, int, int]:
        """Of a layer's square: cells along a side, their own side, and the gap."""
        block = self._block(layer)
        across = math.isqrt(len(block)) + 1
        cell = max([max(tile_of(self._shape)), *(self._side(part) for part in block)])
        return across, cell, GAP * self._height(layer)

    def _side(self, layer: int) -> int:
        if layer not in self._sides:
            across, cell, gap = self._cells(layer)
            self._sides[layer] = across * cell + (across - 1) * gap
        return self._sides[layer]

    def _paint(self, picture: NDArray[np.int64], layer: int, tile: int, top: int, left: int, path: Any) -> None:
        """Fill a square of a tile with what lies there."""
        across, cell, gap = self._cells(layer)
        neurons = self._shape[0]
        size = (len(picture), len(picture)) if across == 1 else (cell, cell)
        own = in_tile(self._shape, size).reshape(size)
        picture[: size[0], : size[1]] = np.where(own < 0, -1, own + layer * neurons)
        self._parts.append(Part(tile, top, left, size[0], size[1], path))
        for place, part in enumerate(self._block(layer), start=1):
            down, right = (at * (cell + gap) for at in divmod(place, across))
            view = picture[down : down + cell, right : right + cell]
            self._paint(view, part, tile, top + down, left + right, (*path, place))

    def in_tiles(self, values: NDArray[Any]) -> NDArray[Any]:
        """Values (layers of all levels, neurons) as they lie in the tiles; 0 where no neuron is."""
        shown: NDArray[Any] = values.reshape(-1)[self.places]
        shown[self.unused] = 0
        return shown

    def neurons_at(self, where: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Neurons (layers of all levels, neurons) that have a place among these."""
        found = np.zeros((len(self._links), self._shape[0]), bool)
        found.reshape(-1)[self.places[where & ~self.unused]] = True
        return found
