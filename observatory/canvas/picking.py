"""Which voxel is seen at a pixel: the twin of the ray-caster for a single line of sight, without OpenGL."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.frame import NOT_FINITE, Frame
from observatory.canvas.colours import BLUE, GREEN, RED
from observatory.canvas.orbit import Body, Floats
from observatory.canvas.volume_scene import VolumeView, depth_of, shows_density, weights_of
from observatory.view import Exposure, ViewSettings, lights
from observatory.volume_view import AXES, Axis

Voxel = tuple[int, int, int]
"""Column, row and layer, from 0."""

_FAINT = 0.004
"""What a voxel must give to the picture to be found, as a part of full light."""


def voxels_along(body: Body, eye: Floats, line: Floats) -> tuple[NDArray[np.int64], Floats, Floats]:
    """The voxels that a line meets, nearest first: places (count, 3), where it enters each and how long it stays.

    eye and line in grid coordinates, (3,); lengths in multiples of the line.
    """
    counts = np.array(body.counts)
    line = np.where(np.abs(line) < 1e-9, 1e-9, line)
    low, high = -eye / line, (counts - eye) / line
    first, last = max(np.minimum(low, high).max(), 0.0), np.maximum(low, high).min()
    if first >= last:
        return np.empty((0, 3), np.int64), np.empty(0), np.empty(0)
    walls = np.concatenate([(np.arange(counts[i] + 1) - eye[i]) / line[i] for i in range(3)])
    stops = np.unique(np.concatenate([[first, last], walls[(walls > first) & (walls < last)]]))
    middles = (stops[:-1] + stops[1:]) / 2
    cells = np.floor(eye + middles[:, None] * line).astype(np.int64)
    return np.clip(cells, 0, counts - 1), stops[:-1], np.diff(stops)


def pick(
    frame: Frame, settings: ViewSettings, exposure: Exposure, view: VolumeView, pixel: tuple[float, float]
) -> Voxel | None:
    """The voxel that gives most of the light at a pixel, or the one of the first slice there."""
    body, depth = view.body, depth_of(view.settings)
    eye = body.to_grid(view.lens.orbit.eye[None])[0]
    x, y, z = view.lens.direction(*pixel)
    line = np.array([z, -y, x]) * body.edge
    cells, enters, stays = voxels_along(body, eye, line)
    if not len(cells):
        return None
    slice_at, on_slice = _first_slice(cells, enters, stays, view.planes, eye, line)
    before = enters < slice_at
    synapses = shows_density(frame, view.settings)
    colours, thoughts = _colours(frame, settings, exposure, cells[before], synapses)
    if view.settings.show == "clouds":
        colours = colours * (thoughts > view.settings.threshold)[:, None]
    bright = colours.max(axis=1)
    if view.settings.show == "brightest":
        given = bright * min(depth, 1.0)
    else:
        red, other = weights_of(frame, settings, exposure, synapses)
        density = np.maximum(red * colours[:, 0] ** 2, other * colours[:, 1:].max(axis=1) ** 2)
        hidden = 1 - np.exp(-depth * density * stays[before])
        clear = np.concatenate([[1.0], np.cumprod(1 - hidden)])[: len(hidden)]
        given = clear * hidden * bright
    best = int(given.argmax()) if len(given) else -1
    if best >= 0 and given[best] > (0.25 if on_slice is not None else _FAINT):
        return _voxel(cells[before][best])
    return on_slice


def _voxel(cell: NDArray[np.int64]) -> Voxel:
    return int(cell[0]), int(cell[1]), int(cell[2])


def _first_slice(
    cells: NDArray[np.int64], enters: Floats, stays: Floats, planes: dict[Axis, int], eye: Floats, line: Floats
) -> tuple[float, Voxel | None]:
    """Where the line first meets a slice, and its voxel there."""
    found: tuple[float, Voxel | None] = np.inf, None
    for axis, voxel in planes.items():
        own = AXES.index(axis)
        if abs(line[own]) < 1e-9:
            continue
        at = float((voxel + 0.5 - eye[own]) / line[own])
        within = np.flatnonzero((enters <= at) & (at <= enters + stays))
        if len(within) and at < found[0]:
            found = at, _voxel(cells[within[0]])
    return found


def _colours(
    frame: Frame, settings: ViewSettings, exposure: Exposure, cells: NDArray[np.int64], density: bool
) -> tuple[Floats, Floats]:
    """Colour (count, 3) of voxels, highlights left out, and the light of their nudge (count,)."""
    at = cells[:, 2], cells[:, 1] * frame.layout.width + cells[:, 0]
    values = np.stack([channel[at] for channel in (frame.activation, frame.velocity, frame.nudge)], axis=1)
    light = lights(np.nan_to_num(values), settings, exposure)
    on = np.array([channel.on for channel in settings.channels], float)
    colours = np.minimum((light * on) @ np.array([RED, GREEN, BLUE]), 1.0)
    colours[(frame.flags[at] & NOT_FINITE) > 0] = 1.0
    if density and frame.density is not None:
        most = max(float(frame.density.max()), 1e-30)
        colours = np.repeat((frame.density[at] / most)[:, None], 3, axis=1).astype(float)
    return colours, light[:, 2]
