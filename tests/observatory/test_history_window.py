"""Looking back in the window: what is shown follows the past, commands act on the present, nothing is left behind."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from PyQt6.QtCore import QPoint, Qt
from PyQt6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from engine.commands import Pause, Reset, SelectSample, Step, Throttle
from engine.frame import Frame
from engine.history import Replay
from engine.history.ring import MIB
from engine.preset import load_preset
from engine.thread import EngineThread
from observatory import palette
from observatory.app import make_application
from observatory.panels.timeline import Timeline
from observatory.settings import Settings, load_settings
from observatory.window import Window

TIMEOUT = 20_000
AT = 100
"""Tick at which another sample is chosen."""
LOGGED = AT + 25


@pytest.fixture
def window(qtbot: QtBot, qapp: QApplication, tmp_path: Path) -> Iterator[Window]:
    """A window on `tiny` whose history holds some hundred frames; the engine is paused."""
    make_application()
    preset = load_preset("tiny")
    engine = EngineThread(preset, "numpy")
    made = Window(engine, preset, Settings(recordings=str(tmp_path / "recordings")))
    qtbot.addWidget(made)
    made.show()
    made.activateWindow()
    qtbot.waitUntil(made.isActiveWindow, timeout=TIMEOUT)
    for command in (Pause(True), Reset(), Throttle(75), Step(AT)):
        engine.send(command)
    qtbot.waitUntil(lambda: live(made).paused and live(made).tick >= AT, timeout=TIMEOUT)
    engine.send(SelectSample(3))
    engine.send(Step(LOGGED - AT))
    qtbot.waitUntil(lambda: live(made).paused and live(made).tick >= LOGGED, timeout=TIMEOUT)
    made.history.refresh()
    yield made
    made.close()


def live(window: Window) -> Frame:
    frame = window.controller.frame
    return frame if frame is not None else Replay(window.controller.engine.history).frame(0)


def shown(window: Window) -> Frame:
    frame = window.shown
    assert frame is not None
    return frame


def on_canvas(window: Window) -> Frame:
    frame = window.canvas._frame
    assert isinstance(frame, Frame)
    return frame


def newest(window: Window) -> int:
    return window.controller.engine.history.span[1] - 1


def look(window: Window, back: int) -> None:
    window.history.show(newest(window) - back)


def test_the_picture_and_the_panels_follow_the_past_under_a_mark(window: Window, qtbot: QtBot) -> None:
    assert not window.past_frame.label.isVisible()
    assert window.time_bar.where.text().startswith("live")
    look(window, 60)
    past = Replay(window.history.history).frame(newest(window) - 60)
    assert on_canvas(window).tick == past.tick < live(window).tick
    assert np.array_equal(on_canvas(window).activation, past.activation)
    window._redraw_slowly()
    assert window.status._frame is window.shown
    assert np.allclose(window.classes.bars._values, past.metrics.probabilities)
    assert not np.allclose(window.classes.bars._values, live(window).metrics.probabilities, atol=1e-3)
    xs, _ = window.traces.curves[0].getData()
    assert xs[-1] == past.tick
    assert xs[0] < past.tick
    where = f"tick {past.tick}  ·  {past.metrics.phase} {past.metrics.phase_ticks}"
    assert window.past_frame.label.isVisible()
    assert f"PAST  ·  {where}" in window.past_frame.text
    assert where in window.time_bar.where.text()
    assert "commands act on the live network" in window.time_bar.where.text()
    assert window.time_bar.timeline.value() == window.history.number
    picture = window.grab().toImage()
    edge = window.past_frame.mapTo(window, QPoint(1, window.past_frame.height() // 2))
    assert picture.pixelColor(edge * window.devicePixelRatioF()).name() == palette.ACCENT
    window.history.to_live()
    window._redraw_slowly()
    assert not window.past_frame.label.isVisible()
    qtbot.waitUntil(lambda: on_canvas(window).tick == live(window).tick)
    qtbot.waitUntil(lambda: window.traces.curves[0].getData()[0][-1] > past.tick)


def test_the_engine_runs_on_and_commands_act_on_it(window: Window, qtbot: QtBot) -> None:
    look(window, 50)
    tick, number = shown(window).tick, window.history.number
    before = live(window).tick
    window.knobs.moved.emit("sigma", 0.4)
    qtbot.keyClick(window, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: live(window).tick > before + 20, timeout=TIMEOUT)
    assert live(window).knobs["sigma"].value == 0.4
    assert shown(window).knobs["sigma"].value != 0.4
    assert (on_canvas(window).tick, window.history.number) == (tick, number)
    assert not window._paused
    qtbot.keyClick(window, Qt.Key.Key_End)
    qtbot.waitUntil(lambda: on_canvas(window).tick > before + 20, timeout=TIMEOUT)
    assert on_canvas(window).knobs["sigma"].value == 0.4
    look(window, 40)
    old = shown(window)
    window.load("tween-chase")
    qtbot.waitUntil(lambda: live(window).preset == "tween-chase" and live(window).tick > 40, timeout=TIMEOUT)
    assert on_canvas(window) is old
    window.history.to_live()
    assert on_canvas(window).layout != old.layout
    look(window, 15)
    assert_traces_of_a_world(window)
    window.history.forward()
    assert_traces_of_a_world(window)
    window.history.show(5)
    assert on_canvas(window).preset == "tiny"
    assert on_canvas(window).layout == old.layout
    assert np.ptp(window.canvas.capture((320, 240))) > 50


def assert_traces_of_a_world(window: Window) -> None:
    """Answers and budgets as they were up to the frame that is shown."""
    window._redraw_slowly()
    past = shown(window)
    assert past.scene is not None
    assert past.links is not None
    assert past.scene.accuracy is not None
    change, correct, budget, _ = (curve.getOriginalDataset()[1][-1] for curve in window.traces.curves)
    assert 10**change == pytest.approx(past.metrics.velocity_max)
    assert correct == pytest.approx(100 * past.scene.accuracy)
    assert budget == pytest.approx(100 * past.links.budget.min(), rel=1e-6)
    assert window.traces.curves[2].getOriginalDataset()[0][-1] == past.tick
    assert "budget" in window.traces.plots[2].getPlotItem().titleLabel.text


def test_keys_step_by_one_frame_and_end_in_the_present(window: Window, qtbot: QtBot) -> None:
    alt = Qt.KeyboardModifier.AltModifier
    end = newest(window)
    qtbot.keyClick(window, Qt.Key.Key_Left, alt)
    assert window.history.number == end - 1
    qtbot.keyClick(window, Qt.Key.Key_BracketLeft)
    assert window.history.number == end - 2
    assert shown(window).tick == Replay(window.history.history).frame(end - 2).tick
    qtbot.keyClick(window, Qt.Key.Key_Right, alt)
    qtbot.keyClick(window, Qt.Key.Key_BracketRight)
    assert window.history.number == end
    assert window.history.past
    for _ in range(2):
        qtbot.keyClick(window, Qt.Key.Key_Right, alt)
        assert not window.history.past
    qtbot.keyClick(window, Qt.Key.Key_Up, alt)
    assert window.history.past
    assert AT <= shown(window).tick <= AT + 4, "another sample was chosen then"
    first = window.history.number
    qtbot.keyClick(window, Qt.Key.Key_Up, alt)
    assert window.history.number < first
    qtbot.keyClick(window, Qt.Key.Key_Down, alt)
    assert window.history.number == first
    window.history.show(-5)
    assert window.history.number == window.history.history.span[0]
    window.history.back()
    assert window.history.number == window.history.history.span[0]


def press(window: Window, qtbot: QtBot, x: float) -> None:
    timeline = window.time_bar.timeline
    qtbot.mouseClick(timeline, Qt.MouseButton.LeftButton, pos=QPoint(round(x), timeline.height() // 2))


def test_a_click_on_the_timeline_looks_there_and_its_right_end_is_the_present(window: Window, qtbot: QtBot) -> None:
    timeline = window.time_bar.timeline
    wanted = newest(window) // 2
    press(window, qtbot, timeline.x_of(wanted))
    qtbot.waitUntil(lambda: window.history.past, timeout=TIMEOUT)
    assert abs(window.history.number - wanted) <= 1
    assert timeline.value() == window.history.number
    timeline.setFocus()
    number = window.history.number
    qtbot.keyClick(timeline, Qt.Key.Key_Left)
    qtbot.waitUntil(lambda: window.history.number == number - 1, timeout=TIMEOUT)
    middle = window.history.number
    whole = timeline.x_of(middle + 10) - timeline.x_of(middle)
    timeline.zoom(1.8)
    assert timeline.x_of(middle + 10) - timeline.x_of(middle) > 1.5 * whole
    for x in (20.0, 100.0, timeline.width() - 20.0):
        assert timeline.x_of(timeline.number_at(x)) == pytest.approx(x, abs=timeline.width() / 30)
    assert f"tick {shown(window).tick}  ·" in timeline.tip_at(timeline.x_of(middle))
    timeline.zoom(1e-9)
    assert timeline.x_of(middle + 10) - timeline.x_of(middle) == pytest.approx(whole)
    press(window, qtbot, timeline.width() - 1)
    qtbot.waitUntil(lambda: not window.history.past, timeout=TIMEOUT)


def test_a_replay_runs_through_the_frames_and_is_filmed_by_the_recorder(window: Window, qtbot: QtBot) -> None:
    window.history.record()
    assert window.capture.recorder is None
    assert "slider" in window.banner.message
    look(window, 40)
    first = shown(window)
    seen: list[int] = []
    window.history.changed.connect(lambda: seen.append(window.history.number))
    window.time_bar.speed.setCurrentText("x 1/4")
    qtbot.keyClick(window, Qt.Key.Key_V, Qt.KeyboardModifier.ShiftModifier)
    recorder = window.capture.recorder
    assert recorder is not None
    assert window.history.playing
    qtbot.waitUntil(lambda: window.capture.recorder is None, timeout=TIMEOUT)
    assert not window.history.past
    assert not window.history.playing
    assert seen[-1] == -1
    assert seen[:-1] == sorted(seen[:-1])
    assert len(seen) > 4
    with av.open(str(recorder.path)) as video:
        pictures = [picture.to_ndarray(format="rgb24") for picture in video.decode(video=0)]
    assert len(pictures) > 15
    assert np.abs(pictures[0].astype(int) - pictures[-1]).mean() > 0.5
    told = json.loads(recorder.path.with_suffix(".json").read_text())
    assert told["replay"] is True
    assert told["preset"] == first.preset
    assert str(recorder.path) in window.banner.message


def test_filming_ends_with_the_replay_and_no_other_video_does(window: Window, qtbot: QtBot) -> None:
    look(window, 80)
    window.history.record()
    assert window.capture.recorder is not None
    window.history.record()
    assert window.capture.recorder is None
    assert not window.history.playing
    window.recording.toggle()
    window.history.play()
    assert window.history.playing
    window.history.to_live()
    assert window.capture.recorder is not None, "a video that a person began goes on"
    window.recording.toggle()
    qtbot.keyClick(window, Qt.Key.Key_P)
    assert window.history.playing
    assert shown(window).tick < live(window).tick
    qtbot.keyClick(window, Qt.Key.Key_P)
    assert not window.history.playing
    assert window.history.past


def test_a_history_is_saved_and_opened_and_a_file_that_is_none_is_explained(
    window: Window, qtbot: QtBot, tmp_path: Path
) -> None:
    def finished() -> None:
        qtbot.waitUntil(lambda: not window.history_files.busy, timeout=TIMEOUT)

    path = tmp_path / "tiny.history"
    window.history_files.save_to(path)
    finished()
    assert str(path) in window.banner.message
    count = len(window.history.history)
    window.history_files.open_from(path)
    finished()
    assert window.history.past
    assert window.history.history is not window.controller.engine.history
    assert len(window.history.history) == count
    assert "tiny.history" in window.past_frame.text
    assert shown(window).tick == Replay(window.history.history).frame(0).tick
    window.history.show(count)
    window.history.forward()
    assert window.history.past, "the end of a file is not the present"
    window.history.to_live()
    assert window.history.history is window.controller.engine.history
    assert on_canvas(window).tick == live(window).tick
    for number, content in enumerate((b"", b"not a history at all" * 50, path.read_bytes()[:-9], None)):
        odd = tmp_path / f"odd{number}.history"
        if content is not None:
            odd.write_bytes(content)
        window.history_files.open_from(odd)
        finished()
        assert window.banner.is_error
        assert odd.name in window.banner.message
        assert not window.history.past


def test_memory_and_error_are_shown_and_memory_can_be_given(window: Window, qtbot: QtBot) -> None:
    told = float(window.time_bar.error.text().split()[-1])
    assert 0 < told <= 5.1e-5
    assert "activation" in window.time_bar.error.toolTip()
    history = window.controller.engine.history
    (action,) = [action for action in window.time_bar._caps_group.actions() if action.data() == 64]
    action.trigger()
    assert history.cap == 64 * MIB
    assert "of 64 MiB" in window.time_bar.memory.text()
    assert action.isChecked()
    look(window, 30)
    assert window.history.past
    window.close()
    assert load_settings().history_mib == 64


def test_a_frame_that_has_gone_stays_on_the_screen(window: Window, qtbot: QtBot) -> None:
    history = window.controller.engine.history
    window.history._resize(1)
    assert window.history.history.span[0] == 0
    window.history.show(3)
    kept = shown(window)
    number = 0
    while history.span[0] <= 100:
        number += 1
        history.append(live_noise(kept, number))
    window.history.refresh()
    assert on_canvas(window) is kept
    window.history.forward()
    assert window.history.number == history.span[0]


def live_noise(frame: Frame, number: int) -> Frame:
    rng = np.random.default_rng(number)
    noise = rng.normal(size=frame.activation.shape).astype(np.float32)
    return replace(frame, activation=noise, velocity=noise, nudge=noise, tick=frame.tick + 2 * number)


def test_closing_in_the_middle_of_everything_leaves_nothing_behind(
    window: Window, qtbot: QtBot, tmp_path: Path
) -> None:
    look(window, 60)
    window.history.record()
    window.history_files.save_to(tmp_path / "last.history")
    window.close()
    names = {thread.name for thread in threading.enumerate()}
    assert not names & {"engine", "recorder", "history"}
    assert (tmp_path / "last.history").exists()


def test_an_empty_timeline_can_be_painted_and_asked(qtbot: QtBot) -> None:
    timeline = Timeline()
    qtbot.addWidget(timeline)
    timeline.show()
    assert not timeline.grab().isNull()
    assert timeline.tip_at(10) == "nothing is logged yet"
    timeline.zoom(3)
    assert timeline.number_at(10) == 0
