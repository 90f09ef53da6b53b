"""Pan, zoom, hover and click on the canvas; hiding, undocking and closing it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from frames import fake_frame
from PyQt6.QtCore import QEvent, QPoint, QPointF, Qt
from PyQt6.QtGui import QMouseEvent, QWheelEvent
from PyQt6.QtWidgets import QApplication, QDockWidget, QLabel, QMainWindow
from pytestqt.qtbot import QtBot

from observatory.canvas.mosaic import MosaicCanvas, Neuron
from observatory.view import ViewSettings

LAYERS, SIDE = 12, 8


def numbered_frame(**changes: Any) -> Any:
    """Activation of a neuron = layer + index / 1000."""
    layers, neurons = np.meshgrid(np.arange(1, LAYERS + 1), np.arange(SIDE * SIDE), indexing="ij")
    activation = (layers + neurons / 1000).astype(np.float32)
    return fake_frame(LAYERS, SIDE, activation=activation, **changes)


@pytest.fixture
def window(qtbot: QtBot) -> QMainWindow:
    """A window to put the canvas into; made first, so that the canvas is taken out of it before it goes."""
    frame = QMainWindow()
    qtbot.addWidget(frame)
    return frame


@pytest.fixture
def canvas(window: QMainWindow, qtbot: QtBot) -> Iterator[MosaicCanvas]:
    eye = MosaicCanvas(ViewSettings())
    qtbot.addWidget(eye.native)
    eye.native.resize(640, 480)
    eye.native.show()
    qtbot.waitExposed(eye.native)
    with qtbot.waitSignal(eye.native.frameSwapped):
        eye.show_frame(numbered_frame())
    yield eye
    eye.native.setParent(None)
    eye.close()


def at(canvas: MosaicCanvas, layer: int) -> QPoint:
    x, y = canvas.position_of(layer)
    return QPoint(round(x), round(y))


def point(canvas: MosaicCanvas, position: QPoint, qtbot: QtBot, held: bool = False) -> None:
    qtbot.wait(15)  # vispy leaves out moves that follow within 10 ms
    buttons = Qt.MouseButton.LeftButton if held else Qt.MouseButton.NoButton
    place, none = QPointF(position), Qt.MouseButton.NoButton
    event = QMouseEvent(
        QEvent.Type.MouseMove, place, canvas.native.mapToGlobal(place), none, buttons, Qt.KeyboardModifier.NoModifier
    )
    QApplication.sendEvent(canvas.native, event)


def click(canvas: MosaicCanvas, position: QPoint, qtbot: QtBot) -> None:
    qtbot.mouseClick(canvas.native, Qt.MouseButton.LeftButton, pos=position)


def drag(canvas: MosaicCanvas, start: QPoint, end: QPoint, qtbot: QtBot) -> None:
    qtbot.mousePress(canvas.native, Qt.MouseButton.LeftButton, pos=start)
    for part in (0.5, 1.0):
        point(canvas, start + (end - start) * part, qtbot, held=True)
    qtbot.mouseRelease(canvas.native, Qt.MouseButton.LeftButton, pos=end)


def wheel(canvas: MosaicCanvas, position: QPoint, steps: int) -> None:
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


def test_the_neuron_under_the_pointer_is_told(canvas: MosaicCanvas, qtbot: QtBot) -> None:
    told: list[Neuron | None] = []
    canvas.hovered.connect(told.append)
    point(canvas, at(canvas, 5) + QPoint(2, 2), qtbot)
    neuron = told[-1]
    assert neuron is not None
    assert (neuron.layer, neuron.row, neuron.column) == (5, 4, 4)
    assert neuron.activation == pytest.approx(5.036)
    point(canvas, QPoint(1, 1), qtbot)
    assert told[-1] is None


def test_new_values_are_told_while_the_pointer_rests(canvas: MosaicCanvas, qtbot: QtBot) -> None:
    point(canvas, at(canvas, 5) + QPoint(2, 2), qtbot)
    told: list[Neuron | None] = []
    canvas.hovered.connect(told.append)
    canvas.show_frame(numbered_frame(velocity=np.full((LAYERS, SIDE * SIDE), -0.25, np.float32)))
    assert [neuron.velocity for neuron in told if neuron] == [-0.25]


def test_a_pointer_that_leaves_is_over_nothing(canvas: MosaicCanvas, qtbot: QtBot) -> None:
    point(canvas, at(canvas, 5) + QPoint(2, 2), qtbot)
    told: list[Neuron | None] = []
    canvas.hovered.connect(told.append)
    QApplication.sendEvent(canvas.native, QEvent(QEvent.Type.Leave))
    assert told == [None]


def test_a_click_zooms_on_a_layer_and_another_shows_all(canvas: MosaicCanvas, qtbot: QtBot) -> None:
    layers: list[int] = []
    canvas.layer_clicked.connect(layers.append)
    click(canvas, at(canvas, 7), qtbot)
    assert layers == [7]
    middle = QPoint(canvas.native.width() // 2, canvas.native.height() // 2)
    assert (at(canvas, 7) - middle).manhattanLength() < 40
    neuron = canvas.neuron_at(middle.x(), middle.y())
    assert neuron is not None
    assert neuron.layer == 7
    click(canvas, at(canvas, 7), qtbot)
    assert canvas.fitted
    assert layers == [7]


def test_a_double_click_and_escape_show_all(canvas: MosaicCanvas, qtbot: QtBot) -> None:
    canvas.zoom_to(3)
    qtbot.mouseDClick(canvas.native, Qt.MouseButton.LeftButton, pos=at(canvas, 3))
    assert canvas.fitted
    canvas.zoom_to(3)
    qtbot.keyClick(canvas.native, Qt.Key.Key_Escape)
    assert canvas.fitted


def test_escape_is_the_windows_when_all_is_shown(canvas: MosaicCanvas, window: QMainWindow, qtbot: QtBot) -> None:
    seen: list[int] = []
    window.keyPressEvent = lambda event: seen.append(event.key())  # type: ignore[method-assign]
    window.setCentralWidget(canvas.native)
    window.show()
    qtbot.waitExposed(window)
    qtbot.keyClick(canvas.native, Qt.Key.Key_Escape)
    assert seen == [Qt.Key.Key_Escape]
    canvas.zoom_to(2)
    qtbot.keyClick(canvas.native, Qt.Key.Key_Escape)
    assert len(seen) == 1


def test_the_wheel_zooms_about_the_pointer(canvas: MosaicCanvas) -> None:
    place = at(canvas, 6) + QPoint(3, 3)
    before = canvas.neuron_at(place.x(), place.y())
    wheel(canvas, place, 5)
    assert not canvas.fitted
    assert canvas.neuron_at(place.x(), place.y()) == before
    wheel(canvas, place, -9)
    assert canvas.fitted


def test_a_drag_moves_the_picture_and_is_no_click(canvas: MosaicCanvas, qtbot: QtBot) -> None:
    layers: list[int] = []
    canvas.layer_clicked.connect(layers.append)
    place = at(canvas, 6)
    wheel(canvas, place, 6)
    before = at(canvas, 6)
    drag(canvas, QPoint(300, 200), QPoint(260, 230), qtbot)
    assert (at(canvas, 6) - before - QPoint(-40, 30)).manhattanLength() <= 2
    assert layers == []


def test_arrows_and_plus_work_from_the_keyboard(canvas: MosaicCanvas, qtbot: QtBot) -> None:
    for _ in range(5):
        qtbot.keyClick(canvas.native, Qt.Key.Key_Plus)
    assert not canvas.fitted
    before = at(canvas, 6)
    qtbot.keyClick(canvas.native, Qt.Key.Key_Right)
    assert at(canvas, 6).x() < before.x()
    for _ in range(8):
        qtbot.keyClick(canvas.native, Qt.Key.Key_Minus)
    assert canvas.fitted


def test_layers_that_do_not_exist_are_not_zoomed_on(canvas: MosaicCanvas) -> None:
    for layer in (0, LAYERS + 1):
        canvas.zoom_to(layer)
        assert canvas.fitted


def test_another_layout_shows_all_again(canvas: MosaicCanvas, qtbot: QtBot) -> None:
    canvas.zoom_to(LAYERS)
    with qtbot.waitSignal(canvas.native.frameSwapped):
        canvas.show_frame(fake_frame(3, 4))
    assert canvas.fitted
    x, y = canvas.position_of(3)
    neuron = canvas.neuron_at(x + 1, y + 1)
    assert neuron is not None
    assert neuron.layer == 3


def test_columns_can_be_chosen(canvas: MosaicCanvas) -> None:
    canvas._settings.columns = 2
    assert at(canvas, 3).x() == at(canvas, 1).x()
    assert at(canvas, 3).y() > at(canvas, 1).y()


def test_a_hidden_canvas_uploads_nothing(canvas: MosaicCanvas, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Any] = []
    draw = canvas._renderer.draw
    monkeypatch.setattr(canvas._renderer, "draw", lambda frame, *rest: (drawn.append(frame), draw(frame, *rest)))
    canvas.native.hide()
    for tick in range(20):
        canvas.show_frame(numbered_frame(tick=tick))
        QApplication.processEvents()
    assert drawn == []
    with qtbot.waitSignal(canvas.native.frameSwapped):
        canvas.native.show()
    assert {frame.tick for frame in drawn} == {19}


def test_a_failing_draw_is_not_swallowed(canvas: MosaicCanvas, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("the driver is gone")

    monkeypatch.setattr(canvas._renderer, "draw", fail)
    with qtbot.captureExceptions() as raised:
        canvas.show_frame(numbered_frame())
        qtbot.waitUntil(lambda: bool(raised), timeout=5000)
    monkeypatch.undo()
    assert "the driver is gone" in str(raised[0][1])


def test_undocking_and_docking_keep_the_picture(canvas: MosaicCanvas, window: QMainWindow, qtbot: QtBot) -> None:
    dock = QDockWidget("eye", window)
    dock.setWidget(canvas.native)
    window.addDockWidget(Qt.DockWidgetArea.LeftDockWidgetArea, dock)
    window.setCentralWidget(QLabel("centre"))
    window.resize(1000, 700)
    window.show()
    qtbot.waitExposed(window)
    for floating in (True, False, True):
        dock.setFloating(floating)
        qtbot.wait(100)
        with qtbot.waitSignal(canvas.native.frameSwapped):
            canvas.show_frame(numbered_frame())
        picture = canvas.capture((320, 240))
        assert (picture[..., 0] > 150).mean() > 0.3


def test_gl_objects_go_with_their_context(canvas: MosaicCanvas, window: QMainWindow, qtbot: QtBot) -> None:
    parser = canvas.context.shared.parser
    counts = []
    for _ in range(6):
        window.setCentralWidget(canvas.native)
        window.show()
        qtbot.waitExposed(window)
        canvas.native.setParent(None)
        canvas.native.show()
        with qtbot.waitSignal(canvas.native.frameSwapped):
            canvas.show_frame(numbered_frame())
        counts.append(sum(hasattr(thing, "handle") for thing in parser._objects.values()))
    assert counts[-1] == counts[1]
