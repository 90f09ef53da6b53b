"""The colours of planted volumes, in a real OpenGL window."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pytestqt.qtbot import QtBot
from volumes import SIDE, Voxel, manual, pixels, volume_frame

from engine.frame import ABLATED, NOT_FINITE, OSCILLATING, SATURATED, SKIPPED, Frame
from observatory.canvas.colours import AMBER, BLUE, DEAD, GREEN, PAGE, RED
from observatory.canvas.mosaic import MosaicCanvas
from observatory.canvas.orbit import BOOKMARKS, Body, Lens, Orbit
from observatory.canvas.picking import voxels_along
from observatory.canvas.volume import VolumeCanvas
from observatory.canvas.volume_scene import depth_of
from observatory.volume_view import VolumeSettings

SIZE = (480, 360)
TOLERANCE = 3.0
FACE = Orbit(-90.0, 0.0, 6.0)
SIDE_ON = Orbit(0.0, 0.0, 6.0)
"""Straight at the input face and at the side, from so far that lines of sight hardly spread."""


@pytest.fixture
def canvas(qtbot: QtBot) -> Iterator[VolumeCanvas]:
    eye = VolumeCanvas(manual(), VolumeSettings(opacity=1.0, smooth=False))
    qtbot.addWidget(eye.native)
    eye.native.resize(*SIZE)
    eye.native.show()
    qtbot.waitExposed(eye.native)
    yield eye
    eye.close()


def shown(canvas: VolumeCanvas, frame: Frame, qtbot: QtBot) -> NDArray[np.uint8]:
    """What the window shows of a frame after its next swap."""
    with qtbot.waitSignal(canvas.native.frameSwapped):
        canvas.show_frame(frame)
    return pixels(canvas.native.grabFramebuffer())


def at(canvas: VolumeCanvas, picture: NDArray[np.uint8], voxel: Voxel, reach: int = 2) -> NDArray[np.float64]:
    """Mean colour about the middle of a voxel, 0..255."""
    x, y = (round(part) for part in canvas.position_of(voxel))
    part = picture[y - reach : y + reach + 1, x - reach : x + reach + 1]
    return part.reshape(-1, 3).astype(float).mean(axis=0)


def colour(tint: tuple[float, float, float], light: float = 1.0) -> NDArray[np.float64]:
    return 255 * light * np.array(tint)


def over_page(colour: NDArray[np.float64], hidden: float) -> NDArray[np.float64]:
    return hidden * colour + (1 - hidden) * 255 * np.array(PAGE)


def chord(canvas: VolumeCanvas, voxel: Voxel) -> float:
    """How far the line of sight through the middle of a voxel runs inside it, in edges."""
    frame = canvas._frame
    assert frame is not None
    body = Body(frame.layout)
    view = canvas._view()
    assert view is not None
    lens: Lens = view.lens
    x, y, z = lens.direction(*lens.project(body.to_world(np.array([voxel]) + 0.5))[0])
    cells, _, stays = voxels_along(body, body.to_grid(lens.orbit.eye[None])[0], np.array([z, -y, x]) * body.edge)
    return float(stays[(cells == voxel).all(axis=1)].sum())


@pytest.mark.parametrize(
    ("orbit", "voxel"),
    [
        (BOOKMARKS["Corner"], (7, 2, 5)),
        (BOOKMARKS["Top"], (0, 0, 0)),
        (Orbit(120, -35, 2.5), (3, 4, 4)),
        (Orbit(20, 60, 8), (1, 7, 6)),
    ],
)
def test_a_single_voxel_is_lit_where_the_camera_says(
    canvas: VolumeCanvas, qtbot: QtBot, orbit: Orbit, voxel: Voxel
) -> None:
    canvas.look(orbit)
    dark = shown(canvas, volume_frame(), qtbot)
    picture = shown(canvas, volume_frame(activation={voxel: 1.0}), qtbot)
    np.testing.assert_allclose(at(canvas, picture, voxel), colour(RED), atol=TOLERANCE)
    rows, columns = np.nonzero(np.abs(picture.astype(int) - dark).max(axis=2) > 40)
    x, y = canvas.position_of(voxel)
    cell = canvas._view().lens.scale / SIDE / (orbit.distance - 0.87)  # type: ignore[union-attr]
    assert abs(columns - x).max() < cell * 0.9 + 2
    assert abs(rows - y).max() < cell * 0.9 + 2


@pytest.mark.parametrize(
    ("channel", "tint", "value"), [("activation", RED, -0.6), ("velocity", GREEN, 1.0), ("nudge", BLUE, -0.8)]
)
def test_each_channel_has_its_colour(
    canvas: VolumeCanvas, qtbot: QtBot, channel: str, tint: tuple[float, float, float], value: float
) -> None:
    voxel = (7, 0, 1)
    picture = shown(canvas, volume_frame(**{channel: {voxel: value}}), qtbot)
    hidden = 1 - np.exp(-70 * (abs(value) * max(tint)) ** 2 * chord(canvas, voxel))
    expected = over_page(colour(tint, abs(value)), hidden)
    np.testing.assert_allclose(at(canvas, picture, voxel), expected, atol=TOLERANCE)


@pytest.mark.parametrize(
    "values",
    [
        {"activation": 0.7, "nudge": 0.9},
        {"activation": 0.9, "flags": SATURATED},
        {"activation": 0.9, "velocity": 0.5, "flags": OSCILLATING},
        {"activation": 0.9, "nudge": 0.8, "flags": SKIPPED},
        {"velocity": np.nan, "flags": NOT_FINITE},
        {"activation": 0.9, "flags": ABLATED},
    ],
)
def test_an_opaque_voxel_has_the_colour_of_its_neuron_in_the_mosaic(
    canvas: VolumeCanvas, qtbot: QtBot, values: dict[str, Any]
) -> None:
    canvas._settings.blue.log = True
    canvas._settings.green.gain = 0.8
    mosaic = MosaicCanvas(canvas._settings)
    qtbot.addWidget(mosaic.native)
    mosaic.native.resize(*SIZE)
    mosaic.native.show()
    qtbot.waitExposed(mosaic.native)
    voxel = (7, 4, 0)
    frame = volume_frame(**{name: {voxel: value} for name, value in values.items()})
    with qtbot.waitSignal(mosaic.native.frameSwapped):
        mosaic.show_frame(frame)
    tile_x, tile_y = mosaic.position_of(1)
    cell = (mosaic.position_of(2)[0] - tile_x) / 1.1 / SIDE
    if values.get("flags") == ABLATED:
        told = colour(DEAD)
    else:
        grabbed = pixels(mosaic.native.grabFramebuffer())
        told = grabbed[round(tile_y + cell / 2), round(tile_x + 3.5 * cell)].astype(float)
    canvas._volume.slices, canvas._volume.z = True, 0.0  # a slice is opaque whatever it shows
    picture = shown(canvas, frame, qtbot)
    np.testing.assert_allclose(at(canvas, picture, voxel, reach=1), told, atol=TOLERANCE)
    mosaic.close()


@pytest.mark.parametrize("opacity", [0.2, 0.5])
def test_light_follows_the_law_of_emission_and_absorption(canvas: VolumeCanvas, qtbot: QtBot, opacity: float) -> None:
    canvas._volume.opacity = opacity
    canvas.look(FACE)
    voxel = (4, 4, 4)
    picture = shown(canvas, volume_frame(activation={voxel: 0.8}), qtbot)
    light = 0.8 * np.array(RED)
    hidden = 1 - np.exp(-depth_of(canvas._volume) * light.max() ** 2 * chord(canvas, voxel))
    assert 0.05 < hidden <= 1
    np.testing.assert_allclose(at(canvas, picture, voxel), over_page(255 * light, hidden), atol=TOLERANCE)


def test_a_full_volume_never_outshines_its_colours(canvas: VolumeCanvas, qtbot: QtBot) -> None:
    lit = np.full((SIDE, SIDE, SIDE), 0.5)
    picture = shown(canvas, volume_frame(activation=lit, nudge=lit), qtbot)
    expected = 255 * np.minimum(0.5 * np.array(RED) + 0.5 * np.array(BLUE), 1)
    np.testing.assert_allclose(at(canvas, picture, (4, 4, 4), reach=20), expected, atol=TOLERANCE)


def test_a_full_state_does_not_hide_what_happens_inside(canvas: VolumeCanvas, qtbot: QtBot) -> None:
    canvas._volume.opacity = 0.5
    inside = (4, 4, 4)
    full, sparse = np.ones((SIDE, SIDE, SIDE)), np.zeros((SIDE, SIDE, SIDE))
    calm = at(canvas, shown(canvas, volume_frame(activation=full), qtbot), inside)
    nudged = at(canvas, shown(canvas, volume_frame(activation=full, nudge={inside: 1.0}), qtbot), inside)
    assert nudged[2] - calm[2] > 50
    assert calm[0] > 60
    sparse[inside] = 1.0
    alone = at(canvas, shown(canvas, volume_frame(activation=sparse), qtbot), inside)
    hidden = 1 - np.exp(-depth_of(canvas._volume) * RED[0] ** 2 * chord(canvas, inside))
    np.testing.assert_allclose(alone, over_page(colour(RED), hidden), atol=TOLERANCE)


def test_a_volume_at_rest_is_clear(canvas: VolumeCanvas, qtbot: QtBot) -> None:
    for smooth in (False, True):
        canvas._volume.smooth = smooth
        picture = shown(canvas, volume_frame(), qtbot)
        shares = np.abs(picture - 255 * np.array(PAGE)).max(axis=2) <= 1
        assert shares[90:270, 150:330].mean() > 0.94  # but for the edges
        assert picture.max() > 60


def test_light_is_hidden_by_what_lies_before_it_and_brightest_keeps_the_strongest(
    canvas: VolumeCanvas, qtbot: QtBot
) -> None:
    canvas.look(FACE)
    near, far = (4, 4, 1), (4, 4, 6)
    frame = volume_frame(activation={near: 0.9}, nudge={far: 0.7})
    picture = shown(canvas, frame, qtbot)
    np.testing.assert_allclose(at(canvas, picture, near), colour(RED, 0.9), atol=TOLERANCE)
    canvas._volume.show = "brightest"
    picture = shown(canvas, frame, qtbot)
    expected = 255 * np.maximum(0.9 * np.array(RED), 0.7 * np.array(BLUE))
    found = at(canvas, picture, near)
    np.testing.assert_allclose(found, over_page(expected, 0) * (1 - expected.max() / 255) + expected, atol=TOLERANCE)
    assert found[2] > 0.6 * 255


@pytest.mark.parametrize("smooth", [False, True])
@pytest.mark.parametrize(("axis", "orbit"), [(0, FACE), (1, FACE), (2, SIDE_ON)])
def test_sharp_voxels_have_sides_and_smooth_ones_blend(
    canvas: VolumeCanvas, qtbot: QtBot, axis: int, orbit: Orbit, smooth: bool
) -> None:
    canvas.look(orbit)
    canvas._volume.show, canvas._volume.smooth = "brightest", smooth
    lit = np.zeros((SIDE, SIDE, SIDE))
    np.moveaxis(lit, 2 - axis, 0)[4:] = 1.0
    picture = shown(canvas, volume_frame(activation=lit), qtbot)
    body, lens = Body(canvas._frame.layout), canvas._view().lens  # type: ignore[union-attr]

    def red(place: float) -> float:
        point = np.array([[4.2, 4.2, 4.2]])
        point[0, axis] = place
        ((px, py),) = lens.project(body.to_world(point))
        return float(picture[round(py), round(px), 0]) / (255 * RED[0])

    dark = PAGE[0] / RED[0]
    for place in (7.5, 6.0, 4.7):
        assert red(place) == pytest.approx(1, abs=0.05), place
    assert red(3.2) == pytest.approx(dark, abs=0.05)
    for place in (3.7, 4.3):
        expected = float(np.clip(place - 3.5, 0, 1)) if smooth else float(place > 4)
        assert red(place) == pytest.approx(expected + (1 - expected) * dark, abs=0.1), place


def test_nothing_of_a_layer_is_seen_at_the_edge_of_the_next(canvas: VolumeCanvas, qtbot: QtBot) -> None:
    canvas.look(SIDE_ON)
    canvas._volume.smooth, canvas._volume.show = True, "brightest"
    lit = np.zeros((SIDE, SIDE, SIDE))
    lit[2, 7], lit[5, 0] = 1.0, 1.0  # they lie next to layers 3 and 4 in memory
    picture = shown(canvas, volume_frame(activation=lit), qtbot)
    body, lens = Body(canvas._frame.layout), canvas._view().lens  # type: ignore[union-attr]
    for y, z, seen in ((7.8, 2.5, True), (0.2, 5.5, True), (0.2, 3.5, False), (7.8, 4.5, False)):
        ((px, py),) = lens.project(body.to_world(np.array([[4.2, y, z]])))
        assert (picture[round(py), round(px), 0] > 40) == seen, (y, z)


@pytest.mark.parametrize("smooth", [False, True])
def test_voxels_at_the_faces_are_whole(canvas: VolumeCanvas, qtbot: QtBot, smooth: bool) -> None:
    canvas.look(FACE)
    canvas._volume.smooth = smooth
    picture = shown(canvas, volume_frame(activation={(0, 0, 0): 1.0}), qtbot)
    body, lens = Body(canvas._frame.layout), canvas._view().lens  # type: ignore[union-attr]
    for x, y in ((0.12, 0.4), (0.4, 0.12)):
        ((px, py),) = lens.project(body.to_world(np.array([[x, y, 0.2]])))
        np.testing.assert_allclose(picture[round(py), round(px)], colour(RED), atol=8)


def test_slices_show_their_voxels_in_space_and_flat(canvas: VolumeCanvas, qtbot: QtBot, rng: Any) -> None:
    canvas._volume.opacity, canvas._volume.slices = 0.0, True
    planes = {"x": 6, "y": 1, "z": 2}
    for axis, voxel in planes.items():
        canvas._volume.put_plane(axis, voxel, SIDE)  # type: ignore[arg-type]
    cube = rng.uniform(0.3, 1.0, (SIDE, SIDE, SIDE))
    picture = shown(canvas, volume_frame(activation=cube), qtbot)
    for voxel in ((6, 6, 1), (6, 5, 0), (7, 1, 6), (6, 0, 0), (7, 6, 2)):
        x, y, z = voxel
        np.testing.assert_allclose(at(canvas, picture, voxel, 1), colour(RED, cube[z, y, x]), atol=TOLERANCE)
    view = canvas._view()
    assert view is not None
    flat = {axis: view.flats[axis] for axis in view.flats}
    assert len(flat) == 3
    for column, row in ((1, 3), (4, 7), (7, 0)):
        for axis, value in (
            ("x", cube[column, row, planes["x"]]),
            ("y", cube[column, planes["y"], row]),
            ("z", cube[planes["z"], row, column]),
        ):
            pane = flat[axis]  # type: ignore[index]
            px = round(pane.left + (column + 0.3) * pane.width / SIDE)
            py = round(pane.top + (row + 0.3) * pane.height / SIDE)
            np.testing.assert_allclose(picture[py, px], colour(RED, value), atol=TOLERANCE, err_msg=f"{axis} {pane}")


def test_without_slices_nothing_is_seen_at_opacity_0(canvas: VolumeCanvas, qtbot: QtBot) -> None:
    canvas._volume.opacity = 0.0
    for show in ("light", "brightest"):
        canvas._volume.show = show
        picture = shown(canvas, volume_frame(activation={(4, 4, 4): 1.0}), qtbot)
        np.testing.assert_allclose(at(canvas, picture, (4, 4, 4)), colour(PAGE), atol=1)


@pytest.mark.parametrize("smooth", [False, True])
def test_clouds_hide_what_lies_below_the_threshold(canvas: VolumeCanvas, qtbot: QtBot, smooth: bool) -> None:
    canvas._volume.show, canvas._volume.threshold, canvas._volume.smooth = "clouds", 0.4, smooth
    strong, weak, still = (7, 4, 1), (7, 4, 4), (7, 4, 7)
    frame = volume_frame(activation={strong: 0.9, weak: 0.9, still: 0.9}, nudge={strong: 0.6, weak: 0.3})
    picture = shown(canvas, frame, qtbot)
    lit = at(canvas, picture, strong)
    assert lit[0] > 0.6 * 255
    for hidden in (weak, still):
        np.testing.assert_allclose(at(canvas, picture, hidden, reach=1), colour(PAGE), atol=TOLERANCE)
    canvas._volume.threshold = 0.2
    picture = shown(canvas, frame, qtbot)
    assert at(canvas, picture, weak)[0] > 0.5 * 255
    canvas._settings.blue.on = False
    picture = shown(canvas, frame, qtbot)
    assert at(canvas, picture, weak)[0] > 0.4 * 255
    assert at(canvas, picture, still)[0] < 20


def test_synapses_are_amber_and_the_light_returns_without_them(canvas: VolumeCanvas, qtbot: QtBot) -> None:
    canvas._volume.show = "density"
    most, half, lit = (7, 4, 1), (7, 4, 4), (7, 1, 7)
    frame = volume_frame(activation={lit: 1.0}, density={most: 26, half: 20}, flags={most: SKIPPED | SATURATED})
    picture = shown(canvas, frame, qtbot)
    np.testing.assert_allclose(at(canvas, picture, most), colour(AMBER), atol=TOLERANCE)
    hidden = 1 - np.exp(-70 * (20 / 26) ** 2 * chord(canvas, half))
    np.testing.assert_allclose(at(canvas, picture, half), over_page(colour(AMBER, 20 / 26), hidden), atol=TOLERANCE)
    np.testing.assert_allclose(at(canvas, picture, lit), colour(PAGE), atol=TOLERANCE)
    picture = shown(canvas, volume_frame(activation={lit: 1.0}), qtbot)
    np.testing.assert_allclose(at(canvas, picture, lit), colour(RED), atol=TOLERANCE)


def test_switching_between_light_and_synapses_uploads_anew(canvas: VolumeCanvas, qtbot: QtBot) -> None:
    voxel = (7, 4, 1)
    frame = volume_frame(activation={voxel: 1.0}, density={(7, 4, 6): 5.0})
    shown(canvas, frame, qtbot)
    for show, expected in (("density", PAGE), ("light", RED)):
        with qtbot.waitSignal(canvas.native.frameSwapped):
            canvas._volume.show = show
        np.testing.assert_allclose(
            at(canvas, pixels(canvas.native.grabFramebuffer()), voxel), colour(expected), atol=TOLERANCE
        )


@pytest.mark.parametrize(("side", "smooth"), [(1, False), (2, True), (28, False), (48, True)])
def test_every_size_is_shown_whole(canvas: VolumeCanvas, qtbot: QtBot, side: int, smooth: bool) -> None:
    canvas._volume.smooth = smooth
    picture = shown(canvas, volume_frame(side, nudge=np.ones((side, side, side))), qtbot)
    lit = (picture[..., 2] > 120) & (picture[..., 0] < 60)
    body = Body(canvas._frame.layout)  # type: ignore[union-attr]
    corners = canvas._view().lens.project(body.to_world(body.corners()))  # type: ignore[union-attr]
    (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
    rows, columns = np.nonzero(lit)
    assert abs(columns.min() - left) < 5
    assert abs(columns.max() - right) < 5
    assert abs(rows.min() - top) < 5
    assert abs(rows.max() - bottom) < 5


def test_the_frame_names_the_input_and_the_readout(canvas: VolumeCanvas, qtbot: QtBot) -> None:
    canvas.look(BOOKMARKS["Side"])
    picture = shown(canvas, volume_frame(), qtbot)
    body = Body(canvas._frame.layout)  # type: ignore[union-attr]
    corners = canvas._view().lens.project(body.to_world(body.corners()))  # type: ignore[union-attr]
    written = picture.max(axis=2) > 100
    left, right = int(corners[:, 0].min()) - 4, int(corners[:, 0].max()) + 4
    assert written[:, :left].sum() > 30
    assert written[:, right:].sum() > 50
    assert written[:, :left].sum() < written[:, right:].sum()  # READ-OUT is the longer word
