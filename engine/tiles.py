"""Layers of different shapes side by side: which of their numbers lies where in a mosaic of equal tiles."""

from __future__ import annotations

import math
from collections.abc import Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray

from engine.layout import Layout

Shape = tuple[int, ...]
APART = 1
"""Places between two channels of an image."""


class Tiles:
    """Tiles as large as the largest layer needs: vectors row by row, sequences a step a row, the channels of an image
    side by side, a place apart. A small layer is magnified: each number takes a square of places, as large as goes.
    """

    def __init__(self, shapes: Sequence[Shape]) -> None:
        sizes = [tile_of(shape) for shape in shapes]
        height, width = (max(size[axis] for size in sizes) for axis in (0, 1))
        self.layout = Layout(len(shapes), height, width)
        self.places = np.stack([in_tile(shape, (height, width)) for shape in shapes])
        """Which of a layer's numbers lies where in its tile, int64 (layers, neurons); -1 where none does."""
        self.first = np.stack([first_places(places) for places in self.places])
        """One place of every number, (layers, neurons)."""
        self.unused = self.places < 0
        """Where a tile holds nothing, (layers, neurons)."""
        self.hits = [np.flatnonzero(places >= 0) for places in self.places]
        """The used places of each tile."""
        self.numbers = [places[hits] for places, hits in zip(self.places, self.hits, strict=True)]
        """What lies on them."""


def tile_of(shape: Shape) -> Shape:
    """Rows and columns that a layer of this shape is shown in."""
    if len(shape) == 2:
        return shape
    if len(shape) == 1:
        return _grid(shape[0], 3)
    rows, columns = _grid(shape[0], 1.5)
    return rows * (shape[1] + APART) - APART, columns * (shape[2] + APART) - APART


def _grid(count: int, slender: float) -> tuple[int, int]:
    """Rows and columns of so many things: full if such a grid is at most `slender` times as wide as high."""
    rows = next(r for r in range(math.isqrt(count), 0, -1) if count % r == 0)
    if slender * rows * rows < count:
        rows = math.isqrt(count)
    return rows, -(-count // rows)


def laid_out(shape: Shape) -> NDArray[np.int64]:
    """Which of a layer's numbers lies at each place of its tile; -1 for none."""
    rows, columns = tile_of(shape)
    numbers = np.arange(prod(shape)).reshape(shape)
    if len(shape) == 2:
        return numbers
    places = np.full((rows, columns), -1)
    if len(shape) == 1:
        places.reshape(-1)[: shape[0]] = numbers
        return places
    _, height, width = shape
    across = (columns + APART) // (width + APART)
    for channel, picture in enumerate(numbers):
        top, left = channel // across * (height + APART), channel % across * (width + APART)
        places[top : top + height, left : left + width] = picture
    return places


def in_tile(shape: Shape, size: tuple[int, int]) -> NDArray[np.int64]:
    """The same for a tile of this size, (places,): magnified as far as goes, in the middle."""
    small = laid_out(shape)
    zoom = min(size[0] // small.shape[0], size[1] // small.shape[1])
    large = small.repeat(zoom, 0).repeat(zoom, 1)
    top, left = ((size[axis] - large.shape[axis]) // 2 for axis in (0, 1))
    whole = np.full(size, -1)
    whole[top : top + large.shape[0], left : left + large.shape[1]] = large
    return whole.reshape(-1)


def first_places(places: NDArray[np.int64]) -> NDArray[np.bool_]:
    """The first place of every number."""
    outputs, at = np.unique(places, return_index=True)
    first = np.zeros(places.shape, bool)
    first[at[outputs >= 0]] = True
    return first
