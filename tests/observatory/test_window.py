"""The window with a real engine and a real OpenGL canvas."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from PyQt6.QtCore import QEvent, QMimeData, QPoint, QPointF, Qt, QUrl
from PyQt6.QtGui import QDropEvent, QMouseEvent
from PyQt6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from engine.frame import Frame
from engine.preset import load_preset
from engine.thread import EngineThread
from observatory.app import make_application
from observatory.panels.command_palette import CommandPalette
from observatory.panels.shortcuts import ShortcutsPage
from observatory.settings import Settings, load_settings
from observatory.window import Window

TIMEOUT = 20_000


@pytest.fixture
def window(qtbot: QtBot, qapp: QApplication, tmp_path: Path) -> Iterator[Window]:
    make_application()
    preset = load_preset("tiny")
    made = Window(EngineThread(preset, "numpy"), preset, Settings(recordings=str(tmp_path / "recordings")))
    qtbot.addWidget(made)
    made.show()
    made.activateWindow()
    qtbot.waitUntil(made.isActiveWindow, timeout=TIMEOUT)
    qtbot.waitUntil(lambda: made.controller.frame is not None and "sigma" in made.knobs.rows, timeout=TIMEOUT)
    yield made
    made.close()


def frame(window: Window) -> Frame:
    assert window.controller.frame is not None
    return window.controller.frame


def drag(widget: QWidget, start: QPoint, end: QPoint) -> None:
    """Press, move and release by events of our own: QTest's moves depend on the real pointer."""
    left, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
    for kind, at, button, buttons in (
        (QEvent.Type.MouseButtonPress, start, left, left),
        (QEvent.Type.MouseMove, end, none, left),
        (QEvent.Type.MouseButtonRelease, end, left, none),
    ):
        event = QMouseEvent(
            kind, QPointF(at), QPointF(widget.mapToGlobal(at)), button, buttons, Qt.KeyboardModifier.NoModifier
        )
        QApplication.sendEvent(widget, event)


def pause(window: Window, qtbot: QtBot) -> None:
    if not frame(window).paused:
        qtbot.keyClick(window, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: frame(window).paused, timeout=TIMEOUT)


def test_dragging_sigma_reaches_the_engine(window: Window, qtbot: QtBot) -> None:
    slider = window.knobs.rows["sigma"].slider
    assert slider is not None
    middle = slider.sizeHint().height() // 4
    start = QPoint(round(slider.x_of(slider.value() / slider.maximum())), middle)
    end = QPoint(round(slider.x_of(0.6)), middle)
    drag(slider, start, end)
    knob = frame(window).knobs["sigma"]
    wanted = knob.low + 0.6 * (knob.high - knob.low)
    qtbot.waitUntil(lambda: abs(frame(window).knobs["sigma"].value - wanted) < 0.02, timeout=TIMEOUT)
    assert float(window.knobs.rows["sigma"].edit.text()) == frame(window).knobs["sigma"].value


def test_double_click_brings_the_preset_value_back(window: Window, qtbot: QtBot) -> None:
    row = window.knobs.rows["sigma"]
    assert row.slider is not None
    row.slider.setValue(0)
    qtbot.waitUntil(lambda: frame(window).knobs["sigma"].value == 0, timeout=TIMEOUT)
    qtbot.mouseDClick(row.slider, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: frame(window).knobs["sigma"].value == window.preset.knobs["sigma"], timeout=TIMEOUT)


def test_steps_tick_exactly(window: Window, qtbot: QtBot) -> None:
    pause(window, qtbot)
    before = frame(window).tick
    qtbot.keyClick(window, Qt.Key.Key_Period)
    qtbot.waitUntil(lambda: frame(window).tick != before, timeout=TIMEOUT)
    assert frame(window).tick == before + 1
    qtbot.keyClick(window, Qt.Key.Key_K)
    qtbot.waitUntil(lambda: frame(window).tick >= before + 11, timeout=TIMEOUT)
    assert frame(window).tick <= before + 12, "the numerical floor, measured where a nudge begins, takes a tick"
    assert frame(window).paused
    qtbot.keyClick(window, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: frame(window).tick > before + 11, timeout=TIMEOUT)
    assert not frame(window).paused


def test_nudge_reset_and_speed_reach_the_engine(window: Window, qtbot: QtBot) -> None:
    qtbot.keyClick(window, Qt.Key.Key_N)
    qtbot.waitUntil(lambda: not frame(window).nudging, timeout=TIMEOUT)
    epoch = frame(window).epoch
    qtbot.keyClick(window, Qt.Key.Key_R)
    qtbot.waitUntil(lambda: frame(window).epoch == epoch + 1, timeout=TIMEOUT)
    window.throttle.slider.setValue(0)
    assert window.settings.ticks_per_second == 1


def test_a_preset_from_the_list_runs(window: Window, qtbot: QtBot) -> None:
    window.presets.chosen.emit("hopfield-100")
    qtbot.waitUntil(lambda: frame(window).preset == "hopfield-100", timeout=TIMEOUT)
    qtbot.waitUntil(lambda: "red-black" in window.knobs.rows["dynamics"].knob.choices, timeout=TIMEOUT)
    assert window.view.blue.log
    assert "Hopfield 100" in window.windowTitle()
    assert window.settings.preset == "hopfield-100"


def test_a_dropped_file_runs(window: Window, qtbot: QtBot, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('title = "Mine"\nnetwork = "recursive"\nlayers = 3\nneurons = 9\n')
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path))])
    window.dropEvent(
        QDropEvent(
            QPointF(10, 10),
            Qt.DropAction.CopyAction,
            mime,
            Qt.MouseButton.LeftButton,
            Qt.KeyboardModifier.NoModifier,
        )
    )
    qtbot.waitUntil(lambda: frame(window).preset == "mine", timeout=TIMEOUT)
    assert frame(window).layout.layers == 3
    assert window.settings.recent == [str(path)]


def test_a_wrong_file_is_explained_and_nothing_changes(window: Window, qtbot: QtBot, tmp_path: Path) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text('title = "Wrong"\nnetwork = "recursive"\nlayers = 0\nneurons = 9\n')
    window.load(str(path))
    assert window.banner.isVisible()
    assert "layers" in window.banner.message
    assert window.settings.recent == []
    assert frame(window).preset == "tiny"


def test_what_the_engine_refuses_is_shown(window: Window, qtbot: QtBot, tmp_path: Path) -> None:
    path = tmp_path / "odd.toml"
    path.write_text('title = "Odd"\nnetwork = "recursive"\nlayers = 3\nneurons = 9\n[knobs]\nwarp = 9\n')
    window.load(str(path))
    qtbot.waitUntil(window.banner.isVisible, timeout=TIMEOUT)
    assert "warp" in window.banner.message
    tick = frame(window).tick
    qtbot.waitUntil(lambda: frame(window).tick != tick, timeout=TIMEOUT)
    assert frame(window).preset == "tiny"


def test_a_drawing_reaches_the_engine(window: Window, qtbot: QtBot) -> None:
    pad = window.input.pad
    square = pad.place()
    top = QPoint(round(square.center().x()), round(square.top() + 0.2 * square.height()))
    bottom = QPoint(top.x(), round(square.top() + 0.8 * square.height()))
    drag(pad, top, bottom)
    qtbot.waitUntil(lambda: frame(window).sample is None and frame(window).image[4, 3:5].max() > 0, timeout=TIMEOUT)
    image = frame(window).image
    assert image.shape == (8, 8)
    assert image[:, [0, 7]].max() == 0
    assert image[4, 3:5].sum() > 0.5


def test_samples_and_targets_reach_the_engine(window: Window, qtbot: QtBot) -> None:
    window.knobs.rows["advance"].switch.click()
    window.input.choose(7)
    qtbot.waitUntil(lambda: frame(window).sample == 7 and not frame(window).knobs["advance"].value, timeout=TIMEOUT)
    qtbot.keyClick(window, Qt.Key.Key_Right)
    qtbot.waitUntil(lambda: frame(window).sample == 8, timeout=TIMEOUT)
    label = frame(window).label
    assert label is not None
    other = (label + 1) % 10
    window.input.target.buttons[other].click()
    qtbot.waitUntil(lambda: frame(window).label == other, timeout=TIMEOUT)


@pytest.mark.parametrize("what", ["canvas", "window"])
def test_a_recording_decodes(window: Window, qtbot: QtBot, what: str) -> None:
    window.recording.choose(what)  # type: ignore[arg-type]
    size = window.capture.size_of(what)  # type: ignore[arg-type]
    qtbot.keyClick(window, Qt.Key.Key_V)
    recorder = window.capture.recorder
    assert recorder is not None
    qtbot.waitUntil(lambda: recorder.frames >= 5, timeout=TIMEOUT)
    qtbot.keyClick(window, Qt.Key.Key_V)
    assert window.capture.recorder is None
    assert str(recorder.path) in window.banner.message
    with av.open(str(recorder.path)) as video:
        pictures = [picture.to_ndarray(format="rgb24") for picture in video.decode(video=0)]
    assert len(pictures) == recorder.frames
    assert pictures[0].shape == (size[1], size[0], 3)
    assert pictures[-1].max() > 100
    assert recorder.path.with_suffix(".json").exists()


def test_a_recording_that_cannot_begin_is_explained(window: Window, qtbot: QtBot, tmp_path: Path) -> None:
    blocker = tmp_path / "blocker"
    blocker.write_text("a file, not a folder")
    window.settings.recordings = str(blocker / "below")
    window.actions_by_name["recording.toggle"].trigger()
    assert window.capture.recorder is None
    assert window.banner.is_error
    assert not window.actions_by_name["recording.toggle"].isChecked()


@pytest.mark.parametrize("what", ["canvas", "window"])
def test_a_screenshot_is_saved(window: Window, qtbot: QtBot, tmp_path: Path, what: str) -> None:
    window.recording.choose(what)  # type: ignore[arg-type]
    window.actions_by_name["recording.screenshot"].trigger()
    (path,) = (tmp_path / "recordings").glob("*.png")
    assert str(path) in window.banner.message


def test_undock_and_redock(window: Window, qtbot: QtBot) -> None:
    dock = window.docks.by_title["Nudge profile"]
    dock.setFloating(True)
    qtbot.waitUntil(lambda: dock.isFloating() and dock.isVisible(), timeout=TIMEOUT)
    before = frame(window).tick
    qtbot.waitUntil(lambda: frame(window).tick != before, timeout=TIMEOUT)
    dock.setFloating(False)
    qtbot.waitUntil(lambda: not dock.isFloating(), timeout=TIMEOUT)
    picture = window.canvas.capture((320, 240))
    assert np.ptp(picture) > 50


def test_a_closed_dock_comes_back_with_the_default_layout(window: Window, qtbot: QtBot) -> None:
    dock = window.docks.by_title["Traces"]
    dock.close()
    assert not window.docks.visible("Traces")
    window.actions_by_name["docks.arrange"].trigger()
    qtbot.waitUntil(lambda: window.docks.visible("Traces"), timeout=TIMEOUT)


def test_the_palette_runs_an_action(window: Window, qtbot: QtBot) -> None:
    epoch = frame(window).epoch
    window.actions_by_name["command_palette"].trigger()
    (dialog,) = window.findChildren(CommandPalette)
    qtbot.keyClicks(dialog.line, "back to rest")
    qtbot.keyClick(dialog.line, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: frame(window).epoch == epoch + 1, timeout=TIMEOUT)
    qtbot.waitUntil(lambda: not window.findChildren(CommandPalette), timeout=TIMEOUT)


def test_the_page_of_keys_opens(window: Window, qtbot: QtBot) -> None:
    window.actions_by_name["shortcuts"].trigger()
    (page,) = window.findChildren(ShortcutsPage)
    assert page.isVisible()
    page.close()
    qtbot.waitUntil(lambda: not window.findChildren(ShortcutsPage), timeout=TIMEOUT)


def test_everything_fits_at_1440_by_900(window: Window, qtbot: QtBot) -> None:
    window.resize(1440, 900)
    window.actions_by_name["docks.arrange"].trigger()
    qtbot.waitUntil(lambda: window.docks.visible("Channels"), timeout=TIMEOUT)
    assert (window.width(), window.height()) == (1440, 900)
    offered = {title: dock for title, dock in window.docks.by_title.items() if not dock.isHidden()}
    growing = {"Cores", "Equations", "Foresight", "Growth", "Outcomes"}
    assert set(window.docks.by_title) - set(offered) == growing | {"Rhythm", "Volume"}
    for title, dock in offered.items():
        dock.raise_()  # a panel behind another tab has no size yet
        qtbot.waitUntil(lambda name=title: window.docks.visible(name), timeout=TIMEOUT)
        panel = dock.widget()
        assert panel.height() >= panel.minimumSizeHint().height(), title
        assert panel.width() >= panel.minimumSizeHint().width(), title
    qtbot.waitUntil(lambda: window.knobs.verticalScrollBar().maximum() == 0, timeout=TIMEOUT)  # docks glide
    assert window.canvas.native.width() * window.canvas.native.height() > 0.35 * 1440 * 900


def test_closing_ends_the_engine_and_remembers(window: Window, qtbot: QtBot) -> None:
    window.view.red.gain = 2.0
    qtbot.keyClick(window, Qt.Key.Key_V)
    window.close()
    assert not [thread.name for thread in threading.enumerate() if thread.name in ("engine", "recorder")]
    settings = load_settings()
    assert settings.view["red"]["gain"] == 2.0
    assert settings.geometry
    assert settings.docks


def test_focused_widgets_keep_their_keys(window: Window, qtbot: QtBot) -> None:
    window.activateWindow()
    slider = window.knobs.rows["sigma"].slider
    assert slider is not None
    sample, value = frame(window).sample, slider.value()
    slider.setFocus()
    qtbot.keyClick(slider, Qt.Key.Key_Right)
    assert slider.value() > value
    assert frame(window).sample == sample
