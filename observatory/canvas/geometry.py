"""Where tiles lie and what of them is seen: pure functions of sizes, without OpenGL.

World units are neurons, y runs down, and (0, 0) is the top-left corner of the first tile's slot. Screens are
measured in physical pixels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from engine.layout import Layout

Size = tuple[int, int]
"""Width and height in pixels."""
Rectangle = tuple[float, float, float, float]
"""Left, top, right and bottom in world units."""

GAP = 0.10
"""Space between two tiles, in tile widths."""
HEADER = 0.16
"""Strip above a tile that carries its number, in tile heights."""
_MAX_CELL = 400.0
"""No neuron grows beyond this many pixels."""


@lru_cache(maxsize=64)
def best_columns(layout: Layout, size: Size) -> int:
    """The number of columns that shows the tiles largest in a window; among equals the one with fewest empty slots."""
    width, height = max(size[0], 1), max(size[1], 1)
    best, best_key = 1, (0.0, 0)
    for columns in range(1, layout.layers + 1):
        rows = math.ceil(layout.layers / columns)
        wide, high = Grid(layout, columns).extent
        key = (round(min(width / wide, height / high), 6), -(rows * columns))
        if key > best_key:
            best, best_key = columns, key
    return best


@dataclass(frozen=True, slots=True)
class Grid:
    """Tiles row by row from the top left, layer 1 first, `columns` in a row."""

    layout: Layout
    columns: int

    @property
    def rows(self) -> int:
        """Rows of tiles."""
        return math.ceil(self.layout.layers / self.columns)

    @property
    def pitch(self) -> tuple[float, float]:
        """Distance from a tile to the next, across and down, in neurons."""
        gap = GAP * self.layout.width
        return self.layout.width + gap, self.layout.height * (1 + HEADER) + gap

    @property
    def inset(self) -> tuple[float, float]:
        """Where in its slot a tile begins, across and down, in neurons."""
        half = GAP * self.layout.width / 2
        return half, half + HEADER * self.layout.height

    @property
    def extent(self) -> tuple[float, float]:
        """Width and height of the whole mosaic, in neurons."""
        across, down = self.pitch
        return self.columns * across, self.rows * down

    def tile(self, layer: int) -> tuple[float, float]:
        """Top-left corner of a layer's neurons; layers count from 1."""
        row, column = divmod(layer - 1, self.columns)
        across, down = self.pitch
        return column * across + self.inset[0], row * down + self.inset[1]

    def layer_at(self, x: float, y: float) -> int | None:
        """The layer whose slot (neurons, header and half the gap) holds a point."""
        across, down = self.pitch
        column, row = math.floor(x / across), math.floor(y / down)
        layer = row * self.columns + column + 1
        inside = 0 <= column < self.columns and row >= 0 and layer <= self.layout.layers
        return layer if inside else None

    def neuron_at(self, x: float, y: float) -> tuple[int, int, int] | None:
        """Layer (from 1), row and column of the neuron at a point, None between the tiles."""
        layer = self.layer_at(x, y)
        if layer is None:
            return None
        left, top = self.tile(layer)
        row, column = math.floor(y - top), math.floor(x - left)
        if not (0 <= row < self.layout.height and 0 <= column < self.layout.width):
            return None
        return layer, row, column

    def neurons_in(self, region: Rectangle) -> NDArray[np.bool_]:
        """The neurons that a rectangle touches, (layers, neurons); a point touches the one it lies on."""
        left, top, right, bottom = region
        found = np.zeros((self.layout.layers, self.layout.height, self.layout.width), bool)
        rows, columns = np.arange(self.layout.height), np.arange(self.layout.width)
        for layer, tile in enumerate(found, start=1):
            x, y = self.tile(layer)
            down = (rows + y <= bottom) & (rows + y + 1 > top)
            across = (columns + x <= right) & (columns + x + 1 > left)
            tile[...] = down[:, None] & across
        return found.reshape(self.layout.layers, -1)


@dataclass(frozen=True, slots=True)
class Camera:
    """Looks at (x, y) in the middle of the screen, with `cell` pixels per neuron."""

    x: float
    y: float
    cell: float

    @staticmethod
    def fit(grid: Grid, size: Size) -> Camera:
        """The whole mosaic, as large as it goes."""
        wide, high = grid.extent
        cell = min(max(size[0], 1) / wide, max(size[1], 1) / high)
        return Camera(wide / 2, high / 2, min(cell, _MAX_CELL))

    @staticmethod
    def on_layer(grid: Grid, layer: int, size: Size) -> Camera:
        """One layer with its header and a little of its neighbours."""
        left, top = grid.tile(layer)
        across, down = grid.pitch
        cell = min(max(size[0], 1) / across, max(size[1], 1) / down) / 1.06
        x = left + grid.layout.width / 2
        y = top + (1 - HEADER) * grid.layout.height / 2
        return Camera(x, y, min(cell, _MAX_CELL))

    def to_world(self, px: float, py: float, size: Size) -> tuple[float, float]:
        """World point under a pixel."""
        return self.x + (px - size[0] / 2) / self.cell, self.y + (py - size[1] / 2) / self.cell

    def to_screen(self, x: float, y: float, size: Size) -> tuple[float, float]:
        """Pixel at which a world point is seen."""
        return size[0] / 2 + (x - self.x) * self.cell, size[1] / 2 + (y - self.y) * self.cell

    def panned(self, dx: float, dy: float) -> Camera:
        """The picture moved by pixels."""
        return Camera(self.x - dx / self.cell, self.y - dy / self.cell, self.cell)

    def zoomed(self, factor: float, px: float, py: float, size: Size) -> Camera:
        """Magnified about a pixel, which keeps showing the same point."""
        cell = min(self.cell * factor, _MAX_CELL)
        x, y = self.to_world(px, py, size)
        return Camera(x - (px - size[0] / 2) / cell, y - (py - size[1] / 2) / cell, cell)

    def held(self, grid: Grid, size: Size) -> Camera:
        """Kept where there is something to see: never smaller than fitted, never off the mosaic."""
        fitted = Camera.fit(grid, size)
        if self.cell <= fitted.cell:
            return fitted
        wide, high = grid.extent
        half_x, half_y = size[0] / 2 / self.cell, size[1] / 2 / self.cell
        x = wide / 2 if 2 * half_x >= wide else min(max(self.x, half_x), wide - half_x)
        y = high / 2 if 2 * half_y >= high else min(max(self.y, half_y), high - half_y)
        return Camera(x, y, self.cell)
