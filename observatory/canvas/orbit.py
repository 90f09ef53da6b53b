"""A camera that goes round a body, and the body's place in space: pure functions, without OpenGL.

World units are the body's longest edges, its middle is the origin. X runs from layer 1 to the last one, Y up against
the rows, Z along the columns: seen from the side, signals run from left to right, and a picture on the input face is
seen from outside as it was drawn. Grid coordinates are voxels (column, row, layer): voxel (x, y, z) fills x..x + 1,
y..y + 1, z..z + 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from engine.layout import Layout
from observatory.canvas.geometry import Size

Floats = NDArray[np.float64]
"""Floats (count, 3), or one vector (3,)."""

FIELD = math.radians(24.0)
"""Angle of view over the shorter side of a pane."""
NEAREST, FARTHEST = 0.95, 12.0
"""Distances of the camera from the middle, in edges; the nearest still lies outside a cube."""


@dataclass(frozen=True, slots=True)
class Pane:
    """A rectangle of the canvas in pixels, y down."""

    left: int
    top: int
    width: int
    height: int

    def holds(self, x: float, y: float) -> bool:
        """Whether a pixel lies in it."""
        return self.left <= x < self.left + self.width and self.top <= y < self.top + self.height


@dataclass(frozen=True, slots=True)
class Body:
    """The block of voxels of a layout."""

    layout: Layout

    @property
    def counts(self) -> tuple[int, int, int]:
        """Voxels along x, y and z."""
        return self.layout.width, self.layout.height, self.layout.layers

    @property
    def edge(self) -> int:
        """Voxels along the longest edge."""
        return max(self.counts)

    def to_world(self, grid: Floats) -> Floats:
        """World points of grid coordinates, both (count, 3)."""
        x, y, z = ((grid[:, i] - self.counts[i] / 2) / self.edge for i in range(3))
        return np.stack([z, -y, x], axis=1)

    def to_grid(self, world: Floats) -> Floats:
        """Grid coordinates of world points, both (count, 3)."""
        along = np.stack([world[:, 2], -world[:, 1], world[:, 0]], axis=1)
        return along * self.edge + np.array(self.counts) / 2

    def corners(self) -> Floats:
        """The eight corners in grid coordinates; bit i of a corner's number says which end of axis i."""
        return np.array([[(n >> i & 1) * self.counts[i] for i in range(3)] for n in range(8)], float)


@dataclass(frozen=True, slots=True)
class Orbit:
    """Looks at the middle from an azimuth and an elevation in degrees, at a distance in edges.

    Azimuth 0 sees the body from the side with the input on the left, -90 sees the input face, 90 the read-out face.
    """

    azimuth: float
    elevation: float
    distance: float

    @property
    def basis(self) -> tuple[Floats, Floats, Floats]:
        """Unit vectors in the world to the right, up and forward, each (3,)."""
        a, e = math.radians(self.azimuth), math.radians(self.elevation)
        back = np.array([math.cos(e) * math.sin(a), math.sin(e), math.cos(e) * math.cos(a)])
        right = np.array([math.cos(a), 0.0, -math.sin(a)])
        return right, np.cross(back, right), -back

    @property
    def eye(self) -> Floats:
        """Where the camera is in the world, (3,)."""
        return -self.distance * self.basis[2]

    def turned(self, azimuth: float, elevation: float = 0.0) -> Orbit:
        """Moved by so many degrees; it never goes over the top."""
        return replace(self, azimuth=self.azimuth + azimuth, elevation=self.elevation + elevation).held()

    def zoomed(self, factor: float) -> Orbit:
        """Magnified."""
        return replace(self, distance=self.distance / factor).held()

    def held(self) -> Orbit:
        """Kept where there is something to see, the right way up."""
        azimuth = (self.azimuth + 180) % 360 - 180
        return Orbit(azimuth, min(max(self.elevation, -90.0), 90.0), min(max(self.distance, NEAREST), FARTHEST))


HOME = Orbit(-34.0, 20.0, 4.1)
BOOKMARKS: dict[str, Orbit] = {
    "Corner": HOME,
    "Input": Orbit(-90.0, 0.0, 3.6),
    "Side": Orbit(0.0, 0.0, 3.6),
    "Read-out": Orbit(90.0, 0.0, 3.6),
    "Top": Orbit(0.0, 90.0, 3.6),
}
"""Views by name."""


@dataclass(frozen=True, slots=True)
class Lens:
    """An orbit seen through a pane: what is where on the screen."""

    orbit: Orbit
    pane: Pane

    @property
    def scale(self) -> float:
        """Pixels per unit at distance 1."""
        return min(self.pane.width, self.pane.height) / 2 / math.tan(FIELD / 2)

    @property
    def middle(self) -> tuple[float, float]:
        """The pixel at which the middle of the body is seen."""
        return self.pane.left + self.pane.width / 2, self.pane.top + self.pane.height / 2

    def project(self, world: Floats) -> NDArray[np.float64]:
        """Pixels (count, 2) of world points (count, 3), which must lie before the camera."""
        right, up, forward = self.orbit.basis
        seen = world - self.orbit.eye
        flat = np.stack([seen @ right, -(seen @ up)], axis=1) * self.scale / (seen @ forward)[:, None]
        return np.asarray(flat + np.array(self.middle))

    def around(self, world: Floats) -> Pane:
        """The part of the pane about these world points, in steps of two pixels; empty where none is seen."""
        seen, pane = self.project(world), self.pane
        left, top = (
            max(int(low) // 2 * 2 - 2, edge) for low, edge in zip(seen.min(0), (pane.left, pane.top), strict=True)
        )
        right = min(int(seen[:, 0].max()) + 3, pane.left + pane.width)
        bottom = min(int(seen[:, 1].max()) + 3, pane.top + pane.height)
        return Pane(left, top, max(right - left, 0), max(bottom - top, 0))

    def direction(self, x: float, y: float) -> Floats:
        """Unit vector in the world from the camera through a pixel, (3,)."""
        right, up, forward = self.orbit.basis
        across, down = (x - self.middle[0]) / self.scale, (y - self.middle[1]) / self.scale
        ray = forward + across * right - down * up
        return np.asarray(ray / np.linalg.norm(ray))


def panes_of(size: Size, slices: bool) -> tuple[Pane, tuple[Pane, ...]]:
    """Where the body is seen and, where there is room, the three flat slices x, y, z in a column on the right."""
    width, height = size
    gap = round(0.03 * min(size)) + 6
    side = min((height - 4 * gap) // 3, round(0.26 * width))
    if not slices or side < 48:
        return Pane(0, 0, width, height), ()
    top = (height - 3 * side - 2 * gap) // 2
    flats = tuple(Pane(width - gap - side, top + i * (side + gap), side, side) for i in range(3))
    return Pane(0, 0, width - side - gap, height), flats
