"""Pictures taken of the canvas, and PNG files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from frames import fake_frame
from PyQt6.QtGui import QImage
from pytestqt.qtbot import QtBot

from observatory.canvas.colours import PAGE, RED
from observatory.canvas.mosaic import MosaicCanvas
from observatory.recording.screenshot import save_png
from observatory.recording.sidecar import RecordingError
from observatory.view import ChannelSettings, ViewSettings

LAYERS, SIDE = 6, 8


@pytest.fixture
def canvas(qtbot: QtBot) -> Iterator[MosaicCanvas]:
    eye = MosaicCanvas(ViewSettings(red=ChannelSettings(auto=False)))
    qtbot.addWidget(eye.native)
    eye.native.resize(600, 400)
    yield eye
    eye.close()


def show(canvas: MosaicCanvas, qtbot: QtBot) -> None:
    canvas.native.show()
    qtbot.waitExposed(canvas.native)
    lit = np.ones((LAYERS, SIDE * SIDE), np.float32)
    with qtbot.waitSignal(canvas.native.frameSwapped):
        canvas.show_frame(fake_frame(LAYERS, SIDE, activation=lit))


@pytest.mark.parametrize("size", [(640, 360), (1280, 720), (322, 1001)])
def test_a_capture_has_the_exact_size_and_the_whole_mosaic(
    canvas: MosaicCanvas, qtbot: QtBot, size: tuple[int, int]
) -> None:
    show(canvas, qtbot)
    picture = canvas.capture(size)
    assert picture.shape == (size[1], size[0], 3)
    assert picture.dtype == np.uint8
    assert picture.flags.c_contiguous
    lit = np.abs(picture - 255 * np.array(RED)).max(axis=2) <= 2
    assert lit.mean() > 0.3


def test_a_capture_leaves_the_window_as_it_is(canvas: MosaicCanvas, qtbot: QtBot) -> None:
    show(canvas, qtbot)
    before = canvas.native.grabFramebuffer()
    canvas.capture((320, 200))
    with qtbot.waitSignal(canvas.native.frameSwapped):
        canvas.update()
    assert canvas.native.grabFramebuffer() == before


def test_a_capture_follows_the_zoom(canvas: MosaicCanvas, qtbot: QtBot) -> None:
    show(canvas, qtbot)
    whole = canvas.capture((600, 400))
    canvas.zoom_to(1)
    close = canvas.capture((600, 400))
    assert np.array_equal(close[185, 330], np.rint(255 * np.array(RED)).astype(np.uint8))
    assert not np.array_equal(whole, close)


def test_a_capture_without_a_frame_is_an_empty_page(canvas: MosaicCanvas, qtbot: QtBot) -> None:
    canvas.native.show()
    qtbot.waitExposed(canvas.native)
    assert np.array_equal(np.unique(canvas.capture((64, 32)).reshape(-1, 3), axis=0)[0], np.rint(255 * np.array(PAGE)))


def test_a_canvas_that_was_never_shown_says_so(canvas: MosaicCanvas) -> None:
    with pytest.raises(RuntimeError, match="before it is shown"):
        canvas.capture((64, 64))


def test_a_png_holds_the_given_pixels(tmp_path: Path, rng: np.random.Generator) -> None:
    picture = rng.integers(0, 256, (33, 47, 3), np.uint8)
    path = tmp_path / "picture.png"
    save_png(picture, path)
    read = QImage(str(path)).convertToFormat(QImage.Format.Format_RGB888)
    bits = read.constBits()
    assert bits is not None
    rows = np.frombuffer(bits.asstring(read.sizeInBytes()), np.uint8).reshape(33, -1)
    assert np.array_equal(rows[:, : 3 * 47].reshape(33, 47, 3), picture)
    assert list(tmp_path.iterdir()) == [path]


def test_a_png_that_cannot_be_written_says_where(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"nowhere.picture\.png: cannot be written"):
        save_png(np.zeros((4, 4, 3), np.uint8), tmp_path / "nowhere" / "picture.png")
