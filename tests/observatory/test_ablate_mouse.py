"""Cutting neurons out with the mouse, what a lesion looks like, and the actions beside it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from frames import fake_frame
from numpy.typing import NDArray
from PyQt6.QtCore import QEvent, QPoint, QPointF, Qt
from PyQt6.QtGui import QImage, QMouseEvent
from PyQt6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from engine.frame import ABLATED, NOT_FINITE, SATURATED
from engine.layout import Layout
from engine.preset import load_preset
from engine.thread import EngineThread
from observatory.canvas.colours import ACCENT, CROSS, DEAD
from observatory.canvas.geometry import Grid
from observatory.canvas.mosaic import MosaicCanvas
from observatory.settings import Settings
from observatory.view import ViewSettings
from observatory.window import Window

LAYERS, SIDE = 12, 8
SHIFT, LEFT = Qt.KeyboardModifier.ShiftModifier, Qt.MouseButton.LeftButton


@pytest.fixture
def canvas(qtbot: QtBot) -> Iterator[MosaicCanvas]:
    eye = MosaicCanvas(ViewSettings())
    qtbot.addWidget(eye.native)
    eye.native.resize(640, 480)
    eye.native.show()
    qtbot.waitExposed(eye.native)
    with qtbot.waitSignal(eye.native.frameSwapped):
        eye.show_frame(fake_frame(LAYERS, SIDE))
    yield eye
    eye.close()


def cell(canvas: MosaicCanvas) -> float:
    return float((canvas.position_of(2)[0] - canvas.position_of(1)[0]) / 1.1 / SIDE)


def middle(canvas: MosaicCanvas, layer: int, row: int, column: int) -> QPoint:
    """The pixel in the middle of a neuron."""
    x, y = canvas.position_of(layer)
    size = cell(canvas)
    return QPoint(round(x + (column + 0.5 - SIDE / 2) * size), round(y + (row + 0.5 - SIDE / 2) * size))


def move(canvas: MosaicCanvas, place: QPoint, qtbot: QtBot, modifiers: Qt.KeyboardModifier = SHIFT) -> None:
    qtbot.wait(15)  # vispy leaves out moves that follow within 10 ms
    there, none = QPointF(place), Qt.MouseButton.NoButton
    event = QMouseEvent(QEvent.Type.MouseMove, there, canvas.native.mapToGlobal(there), none, LEFT, modifiers)
    QApplication.sendEvent(canvas.native, event)


def draw(canvas: MosaicCanvas, start: QPoint, end: QPoint, qtbot: QtBot) -> None:
    qtbot.mousePress(canvas.native, LEFT, SHIFT, start)
    move(canvas, (start + end) / 2, qtbot)
    move(canvas, end, qtbot)
    qtbot.mouseRelease(canvas.native, LEFT, SHIFT, end)


def picture_of(canvas: MosaicCanvas) -> NDArray[np.uint8]:
    image = canvas.native.grabFramebuffer().convertToFormat(QImage.Format.Format_RGB888)
    bits = image.constBits()
    assert bits is not None
    rows = np.frombuffer(bits.asstring(image.sizeInBytes()), np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3)


@pytest.fixture
def drawn(canvas: MosaicCanvas) -> list[NDArray[np.bool_]]:
    told: list[NDArray[np.bool_]] = []
    canvas.region_drawn.connect(told.append)
    return told


@pytest.mark.parametrize("backwards", [False, True])
def test_a_rectangle_in_a_layer_names_its_neurons(
    canvas: MosaicCanvas, drawn: list[Any], qtbot: QtBot, backwards: bool
) -> None:
    corners = [middle(canvas, 6, 2, 1), middle(canvas, 6, 4, 5)]
    draw(canvas, *(corners[::-1] if backwards else corners), qtbot)
    expected = np.zeros((LAYERS, SIDE, SIDE), bool)
    expected[5, 2:5, 1:6] = True
    (found,) = drawn
    np.testing.assert_array_equal(found.reshape(LAYERS, SIDE, SIDE), expected)
    assert canvas.fitted


def test_a_rectangle_may_reach_over_several_layers(canvas: MosaicCanvas, drawn: list[Any], qtbot: QtBot) -> None:
    draw(canvas, middle(canvas, 1, 3, 6), middle(canvas, 2, 3, 1), qtbot)
    (found,) = drawn
    assert np.argwhere(found).tolist() == [[0, 3 * SIDE + 6], [0, 3 * SIDE + 7], [1, 3 * SIDE], [1, 3 * SIDE + 1]]


def test_shift_and_a_click_name_one_neuron_and_do_not_zoom(
    canvas: MosaicCanvas, drawn: list[Any], qtbot: QtBot
) -> None:
    qtbot.mouseClick(canvas.native, LEFT, SHIFT, middle(canvas, 4, 7, 0))
    assert [np.argwhere(found).tolist() for found in drawn] == [[[3, 56]]]
    assert canvas.fitted


def test_a_rectangle_beside_the_tiles_is_none(canvas: MosaicCanvas, drawn: list[Any], qtbot: QtBot) -> None:
    draw(canvas, QPoint(1, 1), QPoint(4, 3), qtbot)
    assert drawn == []


def test_escape_drops_a_rectangle(canvas: MosaicCanvas, drawn: list[Any], qtbot: QtBot) -> None:
    qtbot.mousePress(canvas.native, LEFT, SHIFT, middle(canvas, 1, 1, 1))
    move(canvas, middle(canvas, 1, 5, 5), qtbot)
    qtbot.keyClick(canvas.native, Qt.Key.Key_Escape)
    qtbot.mouseRelease(canvas.native, LEFT, SHIFT, middle(canvas, 1, 5, 5))
    assert drawn == []


def test_without_shift_a_drag_cuts_nothing(canvas: MosaicCanvas, drawn: list[Any], qtbot: QtBot) -> None:
    start, end = middle(canvas, 6, 2, 1), middle(canvas, 6, 4, 5)
    qtbot.mousePress(canvas.native, LEFT, pos=start)
    move(canvas, end, qtbot, Qt.KeyboardModifier.NoModifier)
    qtbot.mouseRelease(canvas.native, LEFT, pos=end)
    qtbot.mouseClick(canvas.native, LEFT, pos=start)
    assert drawn == []


def test_the_rectangle_is_seen_while_it_is_drawn(canvas: MosaicCanvas, qtbot: QtBot) -> None:
    before = picture_of(canvas)
    start, end = middle(canvas, 6, 1, 1), middle(canvas, 6, 5, 5)
    qtbot.mousePress(canvas.native, LEFT, SHIFT, start)
    with qtbot.waitSignal(canvas.native.frameSwapped):
        move(canvas, end, qtbot)
    now = picture_of(canvas).astype(int) - before
    assert now[(start.y() + end.y()) // 2, start.x()].min() > 0.5 * 255 * min(ACCENT)
    assert 10 < now[(start.y() + end.y()) // 2, (start.x() + end.x()) // 2].min() < 0.3 * 255
    assert not now[: start.y() - round(5 * cell(canvas))].any()
    with qtbot.waitSignal(canvas.native.frameSwapped):
        qtbot.mouseRelease(canvas.native, LEFT, SHIFT, end)
    move(canvas, QPoint(1, 1), qtbot)
    canvas.update()
    qtbot.waitUntil(lambda: bool((picture_of(canvas) == before).all()))


def test_every_neuron_lies_in_its_own_rectangle() -> None:
    grid = Grid(Layout(7, 3, 3), 3)
    for layer in range(1, 8):
        left, top = grid.tile(layer)
        for row in range(3):
            for column in range(3):
                x, y = left + column + 0.5, top + row + 0.5
                assert np.argwhere(grid.neurons_in((x, y, x, y))).tolist() == [[layer - 1, 3 * row + column]]
    assert grid.neurons_in((0, 0, *grid.extent)).all()


def test_ablated_neurons_are_grey_and_crossed_out(canvas: MosaicCanvas, qtbot: QtBot) -> None:
    flags = np.zeros((LAYERS, SIDE * SIDE), np.uint8)
    flags[4, 9] = ABLATED | SATURATED
    full = np.ones((LAYERS, SIDE * SIDE), np.float32)
    with qtbot.waitSignal(canvas.native.frameSwapped):
        canvas.show_frame(fake_frame(LAYERS, SIDE, activation=0.9 * full, nudge=full, flags=flags))
    picture, place = picture_of(canvas), middle(canvas, 5, 1, 1)
    np.testing.assert_allclose(picture[place.y(), place.x()], 255 * np.array(CROSS), atol=3)
    beside = picture[place.y(), place.x() + round(0.35 * cell(canvas))]
    np.testing.assert_allclose(beside, 255 * np.array(DEAD), atol=3)
    neighbour = picture[place.y(), place.x() + round(cell(canvas))].astype(int)
    assert neighbour.max() - neighbour.min() > 60


def test_a_broken_neuron_is_magenta_even_if_ablated(canvas: MosaicCanvas, qtbot: QtBot) -> None:
    flags = np.full((LAYERS, SIDE * SIDE), ABLATED | NOT_FINITE, np.uint8)
    with qtbot.waitSignal(canvas.native.frameSwapped):
        canvas.show_frame(fake_frame(LAYERS, SIDE, flags=flags))
    place = middle(canvas, 5, 1, 1)
    beside = picture_of(canvas)[place.y(), place.x() + round(0.35 * cell(canvas))]
    np.testing.assert_allclose(beside, [255, 0, 0.85 * 255], atol=3)


@pytest.fixture
def window(qtbot: QtBot) -> Iterator[Window]:
    preset = load_preset("tiny")
    made = Window(EngineThread(preset), preset, Settings())
    qtbot.addWidget(made)
    made.show()
    qtbot.waitUntil(lambda: made.controller.frame is not None)
    yield made
    made.close()


def test_actions_and_mouse_cut_out_and_heal(window: Window, qtbot: QtBot) -> None:
    def dead() -> NDArray[np.bool_]:
        frame = window.controller.frame
        assert frame is not None
        return frame.flags & ABLATED > 0

    window.actions_by_name["ablate"].trigger()
    qtbot.waitUntil(lambda: bool((dead().sum(1) == 2).all()))
    window.actions_by_name["heal"].trigger()
    qtbot.waitUntil(lambda: not dead().any())
    chosen = np.zeros((6, 16), bool)
    chosen[2, 5] = True
    window.canvas.region_drawn.emit(chosen)
    qtbot.waitUntil(lambda: bool((dead() == chosen).all()))
