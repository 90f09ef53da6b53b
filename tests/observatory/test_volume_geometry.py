"""The camera that goes round a volume, the line of sight through it, and the voxel that is found there."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from volumes import manual, volume_frame

from engine.layout import Layout
from observatory.canvas.lettering import word
from observatory.canvas.orbit import BOOKMARKS, FARTHEST, HOME, NEAREST, Body, Lens, Orbit, Pane, panes_of
from observatory.canvas.picking import pick, voxels_along
from observatory.canvas.volume_scene import VolumeView, weights_of
from observatory.view import Exposure
from observatory.volume_view import VolumeSettings

SIZE = (640, 480)
PANE = Pane(0, 0, *SIZE)

orbits = st.builds(Orbit, st.floats(-180, 180), st.floats(-90, 90), st.floats(NEAREST, FARTHEST))
layouts = st.builds(lambda layers, rows, columns: Layout(layers, rows, columns, True), *[st.integers(1, 9)] * 3)
shares = st.tuples(*[st.floats(0, 1)] * 3)


@given(layouts, shares)
def test_space_and_grid_are_the_same_body(layout: Layout, place: tuple[float, float, float]) -> None:
    body = Body(layout)
    grid = np.array([place]) * np.array(body.counts)
    world = body.to_world(grid)
    assert np.abs(world).max() <= 0.5 + 1e-9
    np.testing.assert_allclose(body.to_grid(world), grid, atol=1e-9)


def test_the_body_is_not_mirrored() -> None:
    body = Body(Layout(8, 8, 8, True))
    axes = body.to_world(np.eye(3)) - body.to_world(np.zeros((1, 3)))
    assert np.linalg.det(axes * body.edge) == pytest.approx(1)


@given(orbits, layouts, shares)
def test_the_line_through_a_pixel_meets_the_point_that_is_seen_there(
    orbit: Orbit, layout: Layout, place: tuple[float, float, float]
) -> None:
    body, lens = Body(layout), Lens(orbit, PANE)
    point = body.to_world(np.array([place]) * np.array(body.counts))
    ((x, y),) = lens.project(point)
    toward = point[0] - orbit.eye
    np.testing.assert_allclose(lens.direction(x, y), toward / np.linalg.norm(toward), atol=1e-6)


def test_signals_run_from_left_to_right_and_rows_run_down() -> None:
    body, lens = Body(Layout(8, 8, 8, True)), Lens(BOOKMARKS["Side"], PANE)
    first, last, below = lens.project(body.to_world(np.array([[4.0, 1, 0.5], [4.0, 1, 7.5], [4.0, 7, 0.5]])))
    assert first[0] < last[0]
    assert first[1] == pytest.approx(last[1])
    assert below[1] > first[1]


def test_the_input_is_seen_from_outside_as_it_was_drawn() -> None:
    body, lens = Body(Layout(8, 8, 8, True)), Lens(BOOKMARKS["Input"], PANE)
    left, right = lens.project(body.to_world(np.array([[1.0, 4, 0], [7.0, 4, 0]])))
    assert left[0] < right[0]
    assert BOOKMARKS["Input"].eye[0] < -0.5


def test_the_whole_cube_is_seen_from_every_bookmark() -> None:
    body = Body(Layout(8, 8, 8, True))
    for orbit in BOOKMARKS.values():
        seen = Lens(orbit, PANE).project(body.to_world(body.corners()))
        assert seen.min() > 0
        assert (seen < SIZE).all()


@given(orbits, st.floats(-1000, 1000), st.floats(-1000, 1000), st.floats(0.01, 100))
def test_the_camera_stays_outside_and_upright(orbit: Orbit, azimuth: float, tilt: float, factor: float) -> None:
    moved = orbit.turned(azimuth, tilt).zoomed(factor)
    assert -180 <= moved.azimuth < 180
    assert -90 <= moved.elevation <= 90
    assert NEAREST <= moved.distance <= FARTHEST
    right, up, forward = moved.basis
    np.testing.assert_allclose(np.stack([right, up, forward]) @ np.stack([right, up, forward]).T, np.eye(3), atol=1e-9)
    assert up[1] >= -1e-9


def test_turning_all_the_way_round_comes_back() -> None:
    orbit = HOME
    for _ in range(36):
        orbit = orbit.turned(10)
    assert orbit.azimuth == pytest.approx(HOME.azimuth)


@given(st.tuples(*[st.integers(1, 4000)] * 2), st.booleans())
def test_panes_lie_within_the_canvas_and_apart(size: tuple[int, int], slices: bool) -> None:
    body, flats = panes_of(size, slices)
    assert len(flats) in ((0, 3) if slices else (0,))
    for pane in (body, *flats):
        assert pane.left >= 0
        assert pane.top >= 0
        assert pane.left + pane.width <= size[0]
        assert pane.top + pane.height <= size[1]
    for above, below in pairwise(flats):
        assert above.top + above.height < below.top
    assert all(body.left + body.width <= pane.left for pane in flats)


@given(orbits, layouts, st.floats(0, SIZE[0]), st.floats(0, SIZE[1]))
def test_a_line_meets_the_voxels_that_small_steps_find(orbit: Orbit, layout: Layout, px: float, py: float) -> None:
    body, lens = Body(layout), Lens(orbit, PANE)
    eye = body.to_grid(orbit.eye[None])[0]
    x, y, z = lens.direction(px, py)
    line = np.array([z, -y, x]) * body.edge
    cells, enters, stays = voxels_along(body, eye, line)
    steps = np.linspace(0, orbit.distance + 2, 20_000)
    inside = np.floor(eye + steps[:, None] * line).astype(int)
    inside = inside[((inside >= 0) & (inside < np.array(body.counts))).all(axis=1)]
    assert {tuple(c) for c in inside} <= {tuple(c) for c in cells}
    assert stays.sum() == pytest.approx(len(inside) * steps[1], abs=3 * steps[1])
    assert (np.diff(enters) > 0).all()


def test_the_voxel_that_gives_the_light_is_found() -> None:
    frame = volume_frame(activation={(4, 4, 1): 0.3, (4, 4, 5): 1.0}, density={(4, 4, 3): 9})
    exposure = Exposure()
    exposure.observe(frame)
    pixel = (SIZE[0] / 2 + 3.0, SIZE[1] / 2 + 3.0)
    orbit = Orbit(-90.0, 0.0, 4.0)

    def found(**settings: object) -> tuple[int, int, int] | None:
        view = VolumeView(frame.layout, orbit, VolumeSettings(**settings), SIZE)  # type: ignore[arg-type]
        return pick(frame, manual(), exposure, view, pixel)

    assert found(show="brightest") == (4, 4, 5)
    assert found(opacity=1.0) == (4, 4, 5)
    assert found(show="density") == (4, 4, 3)
    assert found(show="clouds") is None
    assert found(opacity=0.0) is None
    assert pick(frame, manual(), exposure, VolumeView(frame.layout, orbit, VolumeSettings(), SIZE), (5.0, 5.0)) is None


def test_a_slice_before_the_light_is_found_first() -> None:
    frame = volume_frame(activation={(4, 4, 5): 1.0})
    view = VolumeView(frame.layout, Orbit(-90.0, 0.0, 4.0), VolumeSettings(slices=True, z=0.4), SIZE)
    middle = view.lens.pane.width / 2 + 9.0, SIZE[1] / 2 + 9.0
    assert pick(frame, manual(), Exposure(), view, middle) == (4, 4, 3)


def test_the_fuller_a_body_the_clearer_is_its_state() -> None:
    def weight(share: float, light: float, log: bool = False) -> float:
        cube = np.zeros(20**3)
        cube[:: round(1 / share)] = light
        view = manual()
        view.red.log = log
        return weights_of(volume_frame(20, activation=cube.reshape(20, 20, 20)), view, Exposure(), False)[0]

    assert weight(0.01, 1.0) == 1
    assert weight(1.0, 0.1) == 1
    assert 0.03 < weight(1.0, 1.0) < weight(1.0, 0.6) < weight(1.0, 0.3) < 1
    assert weight(1.0, 0.1, log=True) < weight(1.0, 0.1)
    dense = volume_frame(activation={}, density=np.full((8, 8, 8), 26.0))
    assert weights_of(dense, manual(), Exposure(), True) == pytest.approx((weight(1.0, 1.0),) * 2)
    assert weights_of(dense, manual(), Exposure(), False) == (1, 1)
    broken = volume_frame(activation=np.full((8, 8, 8), np.nan))
    assert weights_of(broken, manual(), Exposure(), False) == (1, 1)


def test_slices_stay_within_the_body() -> None:
    settings = VolumeSettings()
    for count in (1, 2, 8, 28, 64):
        for voxel in (-5, 0, count // 2, count - 1, count + 9):
            settings.put_plane("y", voxel, count)
            assert settings.plane("y", count) == min(max(voxel, 0), count - 1)


def test_every_word_on_the_canvas_can_be_written() -> None:
    for text in ("INPUT", "READ-OUT", *(f"{axis} {number}" for axis in "XYZ" for number in range(64))):
        strokes, width = word(text)
        assert np.isfinite(strokes).all()
        assert np.ptp(strokes[..., 0]) == pytest.approx(width, abs=1e-9)
