"""Orbit, zoom, drag slices and point on the volume; hiding, undocking and closing it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PyQt6.QtCore import QEvent, QPoint, QPointF, Qt
from PyQt6.QtGui import QMouseEvent, QWheelEvent
from PyQt6.QtWidgets import QApplication, QDockWidget, QLabel, QMainWindow
from pytestqt.qtbot import QtBot
from volumes import SIDE, manual, volume_frame

from observatory.canvas.colours import PAGE
from observatory.canvas.furniture import rim_of
from observatory.canvas.orbit import HOME, Orbit
from observatory.canvas.pointer import Neuron
from observatory.canvas.volume import VolumeCanvas
from observatory.canvas.volume_scene import VolumeView
from observatory.volume_view import AXES, Axis, VolumeSettings

LIT = (7, 3, 1)


def lit_frame(**changes: Any) -> Any:
    return volume_frame(activation={LIT: 0.9}, **changes)


@pytest.fixture
def window(qtbot: QtBot) -> QMainWindow:
    """A window to put the canvas into; made first, so that the canvas is taken out of it before it goes."""
    frame = QMainWindow()
    qtbot.addWidget(frame)
    return frame


@pytest.fixture
def canvas(window: QMainWindow, qtbot: QtBot) -> Iterator[VolumeCanvas]:
    eye = VolumeCanvas(manual(), VolumeSettings())
    qtbot.addWidget(eye.native)
    eye.native.resize(480, 360)
    eye.native.show()
    qtbot.waitExposed(eye.native)
    with qtbot.waitSignal(eye.native.frameSwapped):
        eye.show_frame(lit_frame())
    yield eye
    eye.native.setParent(None)
    eye.close()


def view_of(canvas: VolumeCanvas) -> VolumeView:
    view = canvas._view()
    assert view is not None
    return view


def at(canvas: VolumeCanvas, voxel: tuple[int, int, int]) -> QPoint:
    x, y = canvas.position_of(voxel)
    return QPoint(round(x), round(y))


def point(canvas: VolumeCanvas, position: QPoint, qtbot: QtBot, held: bool = False) -> None:
    qtbot.wait(15)  # vispy leaves out moves that follow within 10 ms
    buttons = Qt.MouseButton.LeftButton if held else Qt.MouseButton.NoButton
    place, none = QPointF(position), Qt.MouseButton.NoButton
    event = QMouseEvent(
        QEvent.Type.MouseMove, place, canvas.native.mapToGlobal(place), none, buttons, Qt.KeyboardModifier.NoModifier
    )
    QApplication.sendEvent(canvas.native, event)


def drag(canvas: VolumeCanvas, start: QPoint, end: QPoint, qtbot: QtBot) -> None:
    qtbot.mousePress(canvas.native, Qt.MouseButton.LeftButton, pos=start)
    for part in (0.5, 1.0):
        point(canvas, start + (end - start) * part, qtbot, held=True)
    qtbot.mouseRelease(canvas.native, Qt.MouseButton.LeftButton, pos=end)


def wheel(canvas: VolumeCanvas, position: QPoint, steps: int) -> None:
    event = QWheelEvent(
        QPointF(position),
        canvas.native.mapToGlobal(QPointF(position)),
        QPoint(),
        QPoint(0, 120 * steps),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(canvas.native, event)


def middle_of_rim(canvas: VolumeCanvas, axis: Axis, side: int) -> QPoint:
    view = view_of(canvas)
    sides = rim_of(view.body, axis, view.planes[axis])
    ((x, y),) = view.lens.project(view.body.to_world(sides[side].mean(axis=0)[None]))
    return QPoint(round(x), round(y))


def in_flat(canvas: VolumeCanvas, axis: Axis, column: int, row: int) -> QPoint:
    pane = view_of(canvas).flats[axis]
    return QPoint(
        round(pane.left + (column + 0.5) * pane.width / SIDE), round(pane.top + (row + 0.5) * pane.height / SIDE)
    )


def test_the_voxel_under_the_pointer_is_told(canvas: VolumeCanvas, qtbot: QtBot) -> None:
    told: list[Neuron | None] = []
    canvas.hovered.connect(told.append)
    point(canvas, at(canvas, LIT), qtbot)
    neuron = told[-1]
    assert neuron is not None
    assert (neuron.column, neuron.row, neuron.layer) == (LIT[0], LIT[1], LIT[2] + 1)
    assert neuron.activation == pytest.approx(0.9)
    point(canvas, QPoint(2, 2), qtbot)
    assert told[-1] is None


def test_new_values_and_synapses_are_told_while_the_pointer_rests(canvas: VolumeCanvas, qtbot: QtBot) -> None:
    point(canvas, at(canvas, LIT), qtbot)
    told: list[Neuron | None] = []
    canvas.hovered.connect(told.append)
    canvas.show_frame(lit_frame(velocity={LIT: -0.25}, density={LIT: 17}))
    assert [(neuron.velocity, neuron.density) for neuron in told if neuron] == [(-0.25, 17.0)]
    QApplication.sendEvent(canvas.native, QEvent(QEvent.Type.Leave))
    assert told[-1] is None


def test_a_drag_turns_the_volume_with_the_hand(canvas: VolumeCanvas, qtbot: QtBot) -> None:
    before = at(canvas, (4, 4, 0))
    drag(canvas, QPoint(200, 200), QPoint(230, 190), qtbot)
    assert canvas.orbit.azimuth == pytest.approx(HOME.azimuth - 12, abs=0.5)
    assert canvas.orbit.elevation == pytest.approx(HOME.elevation - 4, abs=0.5)
    assert canvas.orbit.distance == HOME.distance
    assert at(canvas, (4, 4, 0)).x() > before.x()  # the input face comes to the front


def test_the_wheel_zooms_and_a_double_click_goes_back(canvas: VolumeCanvas, qtbot: QtBot) -> None:
    wheel(canvas, QPoint(100, 100), 4)
    assert canvas.orbit.distance == pytest.approx(HOME.distance / 1.12**4)
    qtbot.mouseDClick(canvas.native, Qt.MouseButton.LeftButton, pos=QPoint(100, 100))
    assert canvas.orbit == HOME


def test_keys_turn_zoom_and_go_back(canvas: VolumeCanvas, window: QMainWindow, qtbot: QtBot) -> None:
    seen: list[int] = []
    window.keyPressEvent = lambda event: seen.append(event.key())  # type: ignore[method-assign]
    window.setCentralWidget(canvas.native)
    window.show()
    qtbot.waitExposed(window)
    qtbot.keyClick(canvas.native, Qt.Key.Key_Left)
    qtbot.keyClick(canvas.native, Qt.Key.Key_Escape)
    assert seen == [Qt.Key.Key_Left, Qt.Key.Key_Escape]
    qtbot.keyClick(canvas.native, Qt.Key.Key_Left, Qt.KeyboardModifier.ShiftModifier)
    qtbot.keyClick(canvas.native, Qt.Key.Key_Plus)
    assert canvas.orbit.azimuth == HOME.azimuth + 10
    assert canvas.orbit.distance < HOME.distance
    qtbot.keyClick(canvas.native, Qt.Key.Key_Minus)
    qtbot.keyClick(canvas.native, Qt.Key.Key_Home)
    assert canvas.orbit == HOME
    assert seen[2:] == [Qt.Key.Key_Shift]


@pytest.mark.parametrize("axis", AXES)
def test_a_slice_is_dragged_by_its_rim(canvas: VolumeCanvas, qtbot: QtBot, axis: Axis) -> None:
    canvas._volume.slices = True
    own = AXES.index(axis)
    count, start = view_of(canvas).body.counts[own], view_of(canvas).planes[axis]
    start_pixel = middle_of_rim(canvas, axis, 2)
    far = [4.0, 4.0, 4.0]
    far[own] += 2
    (x0, y0), (x1, y1) = (
        view_of(canvas).lens.project(view_of(canvas).body.to_world(np.array([place])))[0]
        for place in ([4.0, 4.0, 4.0], far)
    )
    drag(canvas, start_pixel, start_pixel + QPoint(round(x1 - x0), round(y1 - y0)), qtbot)
    assert view_of(canvas).planes[axis] in (start + 1, start + 2, start + 3)
    assert canvas.orbit == HOME
    others = [other for other in AXES if other != axis]
    assert all(view_of(canvas).planes[other] == SIDE // 2 for other in others)
    drag(canvas, middle_of_rim(canvas, axis, 2), QPoint(round(x1 - x0), round(y1 - y0)) * 20, qtbot)
    assert view_of(canvas).planes[axis] in (0, count - 1)


def test_pointing_at_a_rim_is_shown(canvas: VolumeCanvas, qtbot: QtBot) -> None:
    canvas._volume.slices = True
    point(canvas, middle_of_rim(canvas, "z", 2), qtbot)
    assert canvas._held == "z"
    assert canvas.native.cursor().shape() == Qt.CursorShape.SizeAllCursor
    point(canvas, QPoint(3, 3), qtbot)
    assert canvas._held is None
    assert canvas.native.cursor().shape() == Qt.CursorShape.CrossCursor


def test_a_drag_in_a_flat_picture_moves_the_other_slices(canvas: VolumeCanvas, qtbot: QtBot) -> None:
    canvas._volume.slices = True
    drag(canvas, in_flat(canvas, "z", 2, 6), in_flat(canvas, "z", 1, 5), qtbot)
    assert view_of(canvas).planes == {"x": 1, "y": 5, "z": 4}
    drag(canvas, in_flat(canvas, "x", 2, 6), in_flat(canvas, "x", 30, 30), qtbot)
    assert view_of(canvas).planes == {"x": 1, "y": 7, "z": 7}
    assert canvas.orbit == HOME


def test_a_flat_picture_tells_its_voxel_and_the_wheel_moves_its_slice(canvas: VolumeCanvas, qtbot: QtBot) -> None:
    canvas._volume.slices = True
    place = in_flat(canvas, "y", 6, 1)
    neuron = canvas.neuron_at(place.x(), place.y())
    assert neuron is not None
    assert (neuron.column, neuron.row, neuron.layer) == (1, 4, 7)
    wheel(canvas, place, 1)
    assert view_of(canvas).planes["y"] == 5
    wheel(canvas, place, -1)
    wheel(canvas, place, -1)
    assert view_of(canvas).planes["y"] == 3
    assert canvas.orbit == HOME


def test_turning_moves_the_picture_by_itself_and_stops(canvas: VolumeCanvas, qtbot: QtBot) -> None:
    canvas._volume.turning = True
    qtbot.waitUntil(lambda: canvas.orbit.azimuth > HOME.azimuth + 1)
    canvas._volume.turning = False
    here = canvas.orbit
    qtbot.wait(80)
    assert canvas.orbit == here
    canvas.native.hide()
    canvas._volume.turning = True
    qtbot.wait(80)
    assert canvas.orbit == here


def test_a_hidden_canvas_uploads_nothing(canvas: VolumeCanvas, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Any] = []
    draw = canvas._renderer.draw
    monkeypatch.setattr(canvas._renderer, "draw", lambda frame, *rest: (drawn.append(frame), draw(frame, *rest)))
    canvas.native.hide()
    for tick in range(20):
        canvas.show_frame(volume_frame(activation={LIT: tick / 32}))
        QApplication.processEvents()
    assert drawn == []
    with qtbot.waitSignal(canvas.native.frameSwapped):
        canvas.native.show()
    assert {float(frame.activation.max()) for frame in drawn} == {19 / 32}


def test_a_failing_draw_is_not_swallowed(canvas: VolumeCanvas, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("the driver is gone")

    monkeypatch.setattr(canvas._renderer, "draw", fail)
    with qtbot.captureExceptions() as raised:
        canvas.show_frame(lit_frame())
        qtbot.waitUntil(lambda: bool(raised), timeout=5000)
    monkeypatch.undo()
    assert "the driver is gone" in str(raised[0][1])


def test_a_capture_has_the_exact_size_and_leaves_the_window_as_it_is(canvas: VolumeCanvas, qtbot: QtBot) -> None:
    canvas._volume.slices = True
    with qtbot.waitSignal(canvas.native.frameSwapped):
        canvas.update()
    before = canvas.native.grabFramebuffer()
    for size in ((640, 360), (322, 501), (1280, 720)):
        picture = canvas.capture(size)
        assert picture.shape == (size[1], size[0], 3)
        assert picture.flags.c_contiguous
        assert (picture[..., 0] > 120).any()
    with qtbot.waitSignal(canvas.native.frameSwapped):
        canvas.update()
    assert canvas.native.grabFramebuffer() == before


def test_without_a_frame_the_page_is_empty(qtbot: QtBot) -> None:
    eye = VolumeCanvas(manual(), VolumeSettings())
    qtbot.addWidget(eye.native)
    with pytest.raises(RuntimeError, match="before it is shown"):
        eye.capture((64, 64))
    with pytest.raises(LookupError):
        eye.position_of((0, 0, 0))
    eye.native.show()
    qtbot.waitExposed(eye.native)
    page = np.rint(255 * np.array(PAGE))
    assert (eye.capture((64, 32)) == page).all()
    assert eye.neuron_at(20, 20) is None
    point(eye, QPoint(20, 20), qtbot)
    wheel(eye, QPoint(20, 20), 1)
    eye.close()


def gl_objects(canvas: VolumeCanvas) -> int:
    return sum(hasattr(thing, "handle") for thing in canvas.context.shared.parser._objects.values())


def test_what_is_drawn_is_made_once(canvas: VolumeCanvas, qtbot: QtBot) -> None:
    def look_about(size: int) -> None:
        for show, slices in (("light", True), ("clouds", False), ("density", True), ("brightest", False)):
            canvas._volume.show, canvas._volume.slices = show, slices  # type: ignore[assignment]
            canvas.look(Orbit(size, 20, 4))
            canvas.native.resize(480 + size % 3, 360)
            with qtbot.waitSignal(canvas.native.frameSwapped):
                canvas.show_frame(lit_frame(density={LIT: 3}))
            canvas.capture((200, 700))

    look_about(1)
    look_about(2)
    objects = canvas._renderer._objects
    assert objects is not None
    made = objects.shading.lights, objects.cast_target.texture, objects.front._buffer
    before = gl_objects(canvas)
    for size in range(3, 7):
        look_about(size)
    assert gl_objects(canvas) == before
    now = objects.shading.lights, objects.cast_target.texture, objects.front._buffer
    assert all(one is other for one, other in zip(made, now, strict=True))


def test_another_layout_is_drawn_anew_and_gives_the_old_one_back(canvas: VolumeCanvas, qtbot: QtBot) -> None:
    counts = []
    for side in (4, 8, 5, 8):
        with qtbot.waitSignal(canvas.native.frameSwapped):
            canvas.show_frame(volume_frame(side, activation={(0, 0, 0): 1.0}))
        counts.append(gl_objects(canvas))
    assert counts[1] == counts[3]


def test_undocking_and_docking_keep_the_picture(canvas: VolumeCanvas, window: QMainWindow, qtbot: QtBot) -> None:
    dock = QDockWidget("eye", window)
    dock.setWidget(canvas.native)
    window.addDockWidget(Qt.DockWidgetArea.LeftDockWidgetArea, dock)
    window.setCentralWidget(QLabel("centre"))
    window.resize(900, 600)
    window.show()
    qtbot.waitExposed(window)
    for floating in (True, False, True):
        dock.setFloating(floating)
        qtbot.wait(100)
        with qtbot.waitSignal(canvas.native.frameSwapped):
            canvas.show_frame(volume_frame(nudge=np.ones((SIDE, SIDE, SIDE))))
        picture = canvas.capture((320, 240))
        assert (picture[..., 2] > 150).mean() > 0.15


def test_gl_objects_go_with_their_context(canvas: VolumeCanvas, window: QMainWindow, qtbot: QtBot) -> None:
    counts = []
    for _ in range(5):
        window.setCentralWidget(canvas.native)
        window.show()
        qtbot.waitExposed(window)
        canvas.native.setParent(None)
        canvas.native.show()
        with qtbot.waitSignal(canvas.native.frameSwapped):
            canvas.show_frame(lit_frame())
        counts.append(gl_objects(canvas))
    assert counts[-1] == counts[1]
