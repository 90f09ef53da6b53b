"""Learning in the window: the switch, its refusals, the accuracy trace, the note and saving the weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QApplication, QFileDialog
from pytestqt.qtbot import QtBot

from engine.frame import Frame
from engine.learning.live import Progress
from engine.preset import load_preset
from engine.thread import EngineThread
from engine.weights import read_weights
from observatory.app import make_application
from observatory.panels.accuracy import AccuracyTrace
from observatory.panels.classes import UNTRAINED, ClassesPanel
from observatory.settings import Settings
from observatory.window import Window
from tests.observatory.frames import fake_frame

TIMEOUT = 20_000
SMALL = 'title = "Small"\nnetwork = "recursive"\nlayers = 4\nneurons = 16\nticks_per_second = 0\n'


@pytest.fixture
def open_window(qtbot: QtBot, qapp: QApplication, tmp_path: Path) -> Iterator[Callable[[str], Window]]:
    made: list[Window] = []

    def make(text: str) -> Window:
        make_application()
        path = tmp_path / "small.toml"
        path.write_text(text)
        preset = load_preset(path)
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


def frame(window: Window) -> Frame:
    assert window.controller.frame is not None
    return window.controller.frame


def samples(window: Window) -> int:
    learning = frame(window).learning
    return -1 if learning is None else learning.samples


def test_the_key_learns_and_the_switch_the_trace_and_the_note_follow(
    open_window: Callable[[str], Window], qtbot: QtBot
) -> None:
    window = open_window(SMALL)
    action = window.actions_by_name["learning.toggle"]
    assert not action.isChecked()
    assert window.classes.note.text() == UNTRAINED
    assert not window.traces.accuracy.isVisible()
    qtbot.keyClick(window, Qt.Key.Key_L)
    qtbot.waitUntil(lambda: samples(window) >= 60, timeout=TIMEOUT)
    assert action.isChecked()
    qtbot.waitUntil(window.traces.accuracy.isVisible, timeout=TIMEOUT)
    qtbot.waitUntil(lambda: "learning:" in window.classes.note.text(), timeout=TIMEOUT)
    assert "held out" in window.traces.accuracy.words.text()
    x, held_out = window.traces.accuracy.held_out.getOriginalDataset()
    assert (np.diff(x) > 0).all()
    assert 0 <= held_out.min() <= held_out.max() <= 100
    qtbot.keyClick(window, Qt.Key.Key_L)
    qtbot.waitUntil(lambda: frame(window).learning is None and not action.isChecked(), timeout=TIMEOUT)
    qtbot.waitUntil(lambda: "learned from" in window.classes.note.text(), timeout=TIMEOUT)


def test_without_the_switch_nothing_is_learned(open_window: Callable[[str], Window], qtbot: QtBot) -> None:
    """Control: the same time passes, and there is no progress, no trace, and the note stays."""
    window = open_window(SMALL)
    qtbot.waitUntil(lambda: frame(window).tick > 3000, timeout=TIMEOUT)
    assert frame(window).learning is None
    assert len(window.traces.accuracy.ring) == 0
    assert not window.traces.accuracy.isVisible()
    assert window.classes.note.text() == UNTRAINED


def test_a_refusal_is_told_and_the_switch_goes_back(open_window: Callable[[str], Window], qtbot: QtBot) -> None:
    window = open_window(SMALL + 'weights = "float16"\n')
    action = window.actions_by_name["learning.toggle"]
    action.trigger()
    qtbot.waitUntil(window.banner.isVisible, timeout=TIMEOUT)
    assert "half precision" in window.banner.message
    assert "\n" not in window.banner.message
    qtbot.waitUntil(lambda: not action.isChecked(), timeout=TIMEOUT)


def test_a_refusal_takes_the_switch_back_while_paused(open_window: Callable[[str], Window], qtbot: QtBot) -> None:
    window = open_window(SMALL + 'weights = "float16"\n')
    window.toggle_play()
    qtbot.waitUntil(lambda: frame(window).paused, timeout=TIMEOUT)
    window.actions_by_name["learning.toggle"].trigger()
    qtbot.waitUntil(window.banner.isVisible, timeout=TIMEOUT)
    qtbot.waitUntil(lambda: not window.actions_by_name["learning.toggle"].isChecked(), timeout=TIMEOUT)


def test_saved_weights_are_the_learned_ones(
    open_window: Callable[[str], Window], qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    window = open_window(SMALL)
    suggested: list[str] = []

    def choose(*words: object) -> tuple[str, str]:
        suggested.append(str(words[2]))
        return str(tmp_path / f"w{len(suggested)}"), ""

    monkeypatch.setattr(QFileDialog, "getSaveFileName", choose)
    window.actions_by_name["learning.save_weights"].trigger()
    qtbot.waitUntil((tmp_path / "w1.safetensors").exists, timeout=TIMEOUT)
    qtbot.waitUntil(lambda: window.banner.isVisible() and not window.banner.is_error, timeout=TIMEOUT)
    assert window.banner.message == f"Weights saved: {tmp_path / 'w1.safetensors'}"
    assert suggested == [str(tmp_path / "recordings" / "small.safetensors")]
    window.actions_by_name["learning.toggle"].trigger()
    qtbot.waitUntil(lambda: samples(window) > 3, timeout=TIMEOUT)
    window.actions_by_name["learning.save_weights"].trigger()
    qtbot.waitUntil(lambda: "w2" in window.banner.message, timeout=TIMEOUT)
    before, after = read_weights(tmp_path / "w1.safetensors"), read_weights(tmp_path / "w2.safetensors")
    assert before["W"].shape == (4, 16, 16)
    assert not np.array_equal(before["W"], after["W"])


def test_where_nothing_can_be_written_the_banner_says_why(
    open_window: Callable[[str], Window], qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    window = open_window(SMALL)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "none" / "w.safetensors"), ""))
    window.actions_by_name["learning.save_weights"].trigger()
    qtbot.waitUntil(lambda: window.banner.is_error, timeout=TIMEOUT)
    assert "cannot be written" in window.banner.message
    (tmp_path / "recordings").rmdir()
    (tmp_path / "recordings").write_text("in the way")
    window.actions_by_name["learning.save_weights"].trigger()
    assert "cannot be made" in window.banner.message


def learned(count: int, running: float | None, test: float, **changes: object) -> Frame:
    return fake_frame(learning=Progress(count, running, test), **changes)


def test_the_trace_starts_anew_with_new_learning_and_hides_with_another_network(qtbot: QtBot) -> None:
    trace = AccuracyTrace()
    qtbot.addWidget(trace)
    for count, running in ((0, None), (1, 0.0), (1, 0.0), (2, 0.5)):
        trace.observe(learned(count, running, 0.1 + count / 10))
    trace.redraw()
    assert trace.isVisible()
    x, running_curve = trace.running.getOriginalDataset()
    assert x.tolist() == [0, 1, 2]
    assert np.isnan(running_curve[0])
    assert running_curve[1:].tolist() == [0, 50]
    assert trace.held_out.getOriginalDataset()[1] == pytest.approx([10, 20, 30])
    assert "50 %" in trace.words.text()
    assert "30 %" in trace.words.text()
    trace.observe(fake_frame())
    assert trace.isVisible()
    trace.observe(learned(0, None, 0.9))
    trace.redraw()
    assert len(trace.ring) == 1
    trace.observe(fake_frame(epoch=1))
    assert not trace.isVisible()


def test_the_note_tells_how_learning_goes(qtbot: QtBot) -> None:
    panel = ClassesPanel()
    qtbot.addWidget(panel)
    panel.show()
    panel.set_trained(True)
    panel.redraw(learned(240, 0.8, 0.91))
    assert panel.note.isVisible()
    assert panel.note.text() == "learning: 240 samples, held-out 91%"
    panel.redraw(fake_frame(tick=2))
    assert panel.note.text() == "learned from 240 samples, held-out 91%"
    panel.set_trained(False)
    assert panel.note.text() == UNTRAINED
