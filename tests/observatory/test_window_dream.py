"""Dreaming in the window: the key, the picture and its words, another class, the end of it, and who cannot dream."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from engine.frame import Frame
from engine.preset import load_preset
from engine.thread import EngineThread
from observatory.app import make_application
from observatory.panels.input import DREAMT, SHOWN, InputPanel
from observatory.settings import Settings
from observatory.window import Window
from tests.observatory.frames import fake_frame

TIMEOUT = 20_000
SMALL = (
    'title = "Small"\nnetwork = "recursive"\nlayers = 4\nneurons = 16\nticks_per_second = 200\n[knobs]\nadvance = 0\n'
)


@pytest.fixture
def open_window(qtbot: QtBot, qapp: QApplication, tmp_path: Path) -> Iterator[Callable[[str], Window]]:
    made: list[Window] = []

    def make(source: str) -> Window:
        make_application()
        preset = load_preset(source)
        window = Window(EngineThread(preset, "numpy"), preset, Settings(recordings=str(tmp_path / "recordings")))
        made.append(window)
        qtbot.addWidget(window)
        window.show()
        window.activateWindow()
        qtbot.waitUntil(window.isActiveWindow, timeout=TIMEOUT)
        qtbot.waitUntil(lambda: window.controller.frame is not None, timeout=TIMEOUT)
        return window

    yield make
    for window in made:
        window.close()


@pytest.fixture
def window(open_window: Callable[[str], Window], qtbot: QtBot, tmp_path: Path) -> Window:
    (tmp_path / "small.toml").write_text(SMALL)
    window = open_window(str(tmp_path / "small.toml"))
    qtbot.waitUntil(lambda: window.input.caption.text() == "digit 0", timeout=TIMEOUT)
    return window


def frame(window: Window) -> Frame:
    assert window.controller.frame is not None
    return window.controller.frame


def shown(panel: InputPanel) -> bytes:
    """The picture that the panel shows."""
    image = panel.picture._image
    bits = image.constBits()
    assert bits is not None
    bits.setsize(image.sizeInBytes())
    return bytes(bits)


def test_the_key_dreams_and_the_panel_shows_it(window: Window, qtbot: QtBot) -> None:
    action, panel = window.actions_by_name["toggle_dream"], window.input
    sample = shown(panel)
    assert panel.heading.text() == SHOWN
    qtbot.keyClick(window, Qt.Key.Key_Z)
    qtbot.waitUntil(lambda: frame(window).dreaming and action.isChecked(), timeout=TIMEOUT)
    panel.target.buttons[7].click()
    qtbot.waitUntil(lambda: panel.caption.text() == "digit 7", timeout=TIMEOUT)
    assert panel.heading.text() == DREAMT
    qtbot.waitUntil(lambda: frame(window).metrics.phase_ticks > 20, timeout=TIMEOUT)
    first = shown(panel)
    assert first != sample
    qtbot.waitUntil(lambda: shown(panel) != first, timeout=TIMEOUT)
    qtbot.keyClick(window, Qt.Key.Key_Z)
    qtbot.waitUntil(lambda: not frame(window).dreaming and not action.isChecked(), timeout=TIMEOUT)
    assert (panel.heading.text(), panel.caption.text()) == (SHOWN, "dreamt")
    held = shown(panel)
    tick = frame(window).tick
    qtbot.waitUntil(lambda: frame(window).tick > tick + 20, timeout=TIMEOUT)
    assert shown(panel) == held != sample
    qtbot.keyClick(window, Qt.Key.Key_Left)
    qtbot.waitUntil(lambda: frame(window).sample is not None, timeout=TIMEOUT)
    assert panel.caption.text().startswith("digit")


def test_without_the_key_the_picture_stays(window: Window, qtbot: QtBot) -> None:
    """Control: the same time passes on the same sample."""
    sample, tick = shown(window.input), frame(window).tick
    qtbot.waitUntil(lambda: frame(window).tick > tick + 60, timeout=TIMEOUT)
    assert shown(window.input) == sample


def test_a_picture_drawn_or_chosen_in_a_dream_is_where_it_goes_on(window: Window, qtbot: QtBot) -> None:
    qtbot.keyClick(window, Qt.Key.Key_Z)
    qtbot.waitUntil(lambda: frame(window).dreaming, timeout=TIMEOUT)
    window.toggle_play()
    qtbot.waitUntil(lambda: frame(window).paused, timeout=TIMEOUT)
    window.input.choose(11)
    qtbot.waitUntil(lambda: frame(window).label == 1, timeout=TIMEOUT)
    assert window.input.caption.text() == "digit 1"
    assert frame(window).dreaming
    drawn: list[np.ndarray] = []
    window.input.drawn.connect(lambda image, _label: drawn.append(image))
    window.input.pad.stroke((8, 8), (24, 24), 1.0)
    qtbot.waitUntil(lambda: frame(window).label is None, timeout=TIMEOUT)
    assert window.input.caption.text() == "what it sees"
    np.testing.assert_allclose(frame(window).image, drawn[-1], atol=1e-5)


def test_a_network_that_cannot_dream_says_so_and_the_switch_goes_back(
    open_window: Callable[[str], Window], qtbot: QtBot
) -> None:
    window = open_window("tween-chase")
    action = window.actions_by_name["toggle_dream"]
    action.trigger()
    qtbot.waitUntil(window.banner.isVisible, timeout=TIMEOUT)
    assert "cannot dream" in window.banner.message
    qtbot.waitUntil(lambda: not action.isChecked(), timeout=TIMEOUT)


def test_the_panel_tells_dreamt_and_drawn_apart(qtbot: QtBot) -> None:
    panel = InputPanel()
    qtbot.addWidget(panel)
    panel.follow(fake_frame(sample=None))
    assert panel.caption.text() == "drawn"
    panel.follow(fake_frame(sample=None, dreaming=True, label=4))
    assert panel.caption.text() == "digit 4"
    panel.follow(fake_frame(sample=None))
    assert panel.caption.text() == "dreamt"
    panel.pad.stroke((8, 8), (9, 9), 1.0)
    panel.follow(fake_frame(sample=None))
    assert (panel.heading.text(), panel.caption.text()) == (SHOWN, "drawn")
