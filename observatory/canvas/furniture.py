"""The lines and words about a volume: its frame, which face is which, the rims of the slices, the flat pictures."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from observatory.canvas.colours import ACCENT, FRAME, LABEL, RIMS
from observatory.canvas.lettering import HEIGHT, word
from observatory.canvas.orbit import Body, Lens, Pane
from observatory.canvas.strokes import Strokes
from observatory.volume_view import AXES, Axis

FLAT_AXES: dict[Axis, tuple[int, int]] = {"x": (2, 1), "y": (2, 0), "z": (0, 1)}
"""Which grid axes run across and down a flat slice, as numbers in `AXES`."""

_EDGES = [(n, n | 1 << i) for n in range(8) for i in range(3) if not n >> i & 1]
_LETTER = 10.0
"""Height of the names of the faces, in thin lines."""
_BEHIND = 0.38
"""How much of a line is left that lies behind the body."""


def _toward(body: Body, lens: Lens) -> NDArray[np.bool_]:
    """Whether each face is turned to the camera, (axis, low or high end)."""
    eye = body.to_grid(lens.orbit.eye[None])[0]
    return np.stack([eye < 0, eye > np.array(body.counts)], axis=1)


def _edge_faces(edge: tuple[int, int]) -> list[tuple[int, int]]:
    """The two faces at an edge, as (axis, end)."""
    low, high = edge
    return [(i, low >> i & 1) for i in range(3) if not (low ^ high) >> i & 1]


def draw_frame(body: Body, lens: Lens, unit: float, back: Strokes, front: Strokes) -> None:
    """The twelve edges: those behind the body into `back`, the others into `front`; the input face stands out."""
    seen, toward = lens.project(body.to_world(body.corners())), _toward(body, lens)
    for edge in _EDGES:
        faces = _edge_faces(edge)
        near = any(toward[face] for face in faces)
        marked = (2, 0) in faces or (2, 1) in faces
        colour, alpha = (LABEL, 0.85) if marked else (FRAME, 0.6)
        (front if near else back).add(
            seen[list(edge)][None], colour, alpha if near else alpha * _BEHIND, (1.3 if marked else 1.0) * unit
        )


def draw_rims(
    body: Body, lens: Lens, planes: dict[Axis, int], held: Axis | None, unit: float, back: Strokes, front: Strokes
) -> None:
    """The outlines of the slices, the one under the pointer thicker."""
    toward = _toward(body, lens)
    for axis, voxel in planes.items():
        own = AXES.index(axis)
        rim = rim_of(body, axis, voxel)
        seen = lens.project(body.to_world(rim.reshape(-1, 3))).reshape(4, 2, 2)
        for segment, face in zip(seen, _rim_faces(own), strict=True):
            alpha = 1.0 if axis == held else 0.75
            near = toward[face]
            width = (2.6 if axis == held else 1.4) * unit
            (front if near else back).add(segment[None], RIMS[axis], alpha if near else alpha * _BEHIND, width)


def _rim_faces(own: int) -> list[tuple[int, int]]:
    first, second = (i for i in range(3) if i != own)
    return [(second, 0), (first, 1), (second, 1), (first, 0)]


def rim_of(body: Body, axis: Axis, voxel: int) -> NDArray[np.float64]:
    """The four sides of a slice in grid coordinates, (4, 2, 3), in the order of `_rim_faces`."""
    own = AXES.index(axis)
    first, second = (i for i in range(3) if i != own)
    corners = np.zeros((4, 3))
    corners[:, own] = voxel + 0.5
    corners[1:3, first] = body.counts[first]
    corners[2:4, second] = body.counts[second]
    return np.stack([corners, np.roll(corners, -1, axis=0)], axis=1)


def draw_labels(body: Body, lens: Lens, axes: bool, unit: float, front: Strokes) -> None:
    """INPUT and READ-OUT below their faces and, if wanted, the letters of the axes, all outside the body's outline."""
    corners = lens.project(body.to_world(body.corners()))
    forward = lens.orbit.basis[2]
    for text, end in (("INPUT", 0), ("READ-OUT", 1)):
        turned_away = forward[0] if end else -forward[0]
        alpha = 0.8 * float(np.clip((0.97 - turned_away) / 0.15, 0, 1))
        if alpha > 0:
            foot = lens.project(body.to_world(np.array([[0.5, 1.0, end]]) * np.array(body.counts)))[0]
            at = _outside(foot, corners, lens, text, _LETTER * unit)
            front.write(text, at, _LETTER * unit, ACCENT, alpha, 1.2 * unit)
    toward = _toward(body, lens)
    for axis in AXES if axes else ():
        edge = _highest_outline(corners, toward, AXES.index(axis))
        if edge is not None:
            middle = corners[list(edge)].mean(axis=0)
            at = middle + 12.0 * unit * _away(middle, lens)
            front.write(axis.upper(), at, 8.0 * unit, RIMS[axis], 1.0, 1.1 * unit)


def _away(point: NDArray[np.float64], lens: Lens) -> NDArray[np.float64]:
    """Unit vector on the screen from the middle of the body to a pixel."""
    away = point - np.array(lens.middle)
    return np.asarray(away / max(float(np.hypot(*away)), 1e-6))


def _outside(
    point: NDArray[np.float64], corners: NDArray[np.float64], lens: Lens, text: str, height: float
) -> NDArray[np.float64]:
    """Where to write a word: in the direction of a pixel, beyond the body's outline."""
    middle, away = np.array(lens.middle), _away(point, lens)
    half = np.array([word(text)[1] * height / HEIGHT, height]) / 2
    space = float(np.abs(away) @ half) + 0.8 * height
    return np.asarray(middle + away * (float(((corners - middle) @ away).max()) + space))


def _highest_outline(corners: NDArray[np.float64], toward: NDArray[np.bool_], axis: int) -> tuple[int, int] | None:
    """The highest edge along an axis that has the body on one side of it only."""
    outline = [
        edge for edge in _EDGES if (edge[0] ^ edge[1]) == 1 << axis and sum(toward[f] for f in _edge_faces(edge)) == 1
    ]
    return min(outline, key=lambda edge: float(corners[list(edge), 1].sum()), default=None)


def draw_flats(
    body: Body, flats: dict[Axis, Pane], planes: dict[Axis, int], held: Axis | None, unit: float, front: Strokes
) -> None:
    """Round each flat slice its rim and name, across it the lines at which the other two slices lie."""
    for axis, pane in flats.items():
        place = flat_place(body, axis, pane)
        left, top = float(place.left), float(place.top)
        right, bottom = left + place.width, top + place.height
        corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
        width = (2.4 if axis == held else 1.3) * unit
        front.add(np.stack([corners, np.roll(corners, -1, axis=0)], axis=1), RIMS[axis], 0.9, width)
        across, down = FLAT_AXES[axis]
        x = left + (planes[AXES[across]] + 0.5) / body.counts[across] * place.width
        y = top + (planes[AXES[down]] + 0.5) / body.counts[down] * place.height
        front.add(np.array([[[x, top], [x, bottom]]]), RIMS[AXES[across]], 0.45, unit)
        front.add(np.array([[[left, y], [right, y]]]), RIMS[AXES[down]], 0.45, unit)
        name = f"{axis.upper()} {planes[axis]}"
        front.write(
            name, np.array([left + 5.0 * unit * len(name), top - 9.0 * unit]), 8.0 * unit, RIMS[axis], 1.0, 1.1 * unit
        )


def flat_place(body: Body, axis: Axis, pane: Pane) -> Pane:
    """The part of a pane that a flat slice fills: its voxels are square."""
    across, down = (body.counts[i] for i in FLAT_AXES[axis])
    cell = min(pane.width / across, pane.height / down)
    width, height = round(cell * across), round(cell * down)
    return Pane(pane.left + (pane.width - width) // 2, pane.top + (pane.height - height) // 2, width, height)
