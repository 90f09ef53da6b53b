"""The Rhythm dock: there with a stream, gone without, drawn when seen, and its spectrum tells a period from none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from frames import fake_frame
from PyQt6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from engine.frame import Frame
from engine.preset import load_preset
from engine.rhythm import RhythmMeter
from engine.thread import EngineThread
from observatory.app import make_application
from observatory.panels.rhythm import FRESH, NOT_KEPT, RhythmPanel, spectrum
from observatory.settings import Settings
from observatory.window import Window

TIMEOUT = 20_000


def frame_of(ticks: int, period: int | None, jitter: float = 0.0) -> Frame:
    rng = np.random.default_rng(0)
    meter = RhythmMeter(3, 16, 0)
    phases = rng.uniform(0, 2 * np.pi, (3, 16))
    for tick in range(ticks):
        swing = np.sin(2 * np.pi * tick / (period or 10) + phases) + jitter * rng.standard_normal((3, 16))
        meter.observe(swing.astype(np.float32), period)
    rhythm = meter.rhythm("bar")
    metrics = {"entrainment": rhythm.entrainment, "settled": True, "t_relax": 21}
    return fake_frame(tick=ticks, rhythm=rhythm, metrics=metrics)


def test_a_periodic_trace_has_lines_at_whole_numbers_only() -> None:
    ticks = np.arange(320)
    trace = np.sin(2 * np.pi * ticks / 16) + 0.1 * np.sin(2 * np.pi * 3 * ticks / 16) + 5
    frequencies, power = spectrum(trace.astype(np.float32), 16)
    lines = np.isclose(frequencies % 1, 0)
    assert frequencies[power.argmax()] == pytest.approx(1)
    assert power[np.isclose(frequencies, 3)] == pytest.approx(power.max() - 2, abs=0.05)
    between = np.abs(frequencies - np.round(frequencies)) > 0.15
    assert lines.any()
    assert power[between].max() < power.max() - 6
    noisy = trace + 0.3 * np.random.default_rng(0).standard_normal(320)
    assert spectrum(noisy.astype(np.float32), 16)[1][between].max() > power.max() - 4


@pytest.mark.parametrize("trace", [np.zeros(2, np.float32), np.full(64, np.nan, np.float32)])
def test_where_there_is_no_spectrum_nothing_is_drawn(trace: np.ndarray) -> None:
    assert not len(spectrum(trace, None)[0])


def test_it_draws_what_was_measured(qtbot: QtBot) -> None:
    panel = RhythmPanel()
    qtbot.addWidget(panel)
    frame = frame_of(200, 20)
    panel.redraw(frame)
    assert [panel.layer.itemText(i) for i in range(panel.layer.count())] == ["layer 1", "layer 2", "layer 3"]
    assert "entrained after 21 ticks" in panel.words.text()
    ticks, apart = panel.apart_curve.getData()
    assert ticks[-1] == 200
    assert np.nanmax(apart[30:]) < -5
    np.testing.assert_allclose(np.stack(panel.section.getData(), 1), frame.rhythm.section[:, 2], atol=1e-6)
    assert panel.tolerance.value() == pytest.approx(-4)
    panel.layer.setCurrentIndex(0)
    panel.redraw(frame)
    np.testing.assert_allclose(np.stack(panel.section.getData(), 1), frame.rhythm.section[:, 0], atol=1e-6)


def test_old_points_of_the_section_are_dim(qtbot: QtBot) -> None:
    panel = RhythmPanel()
    qtbot.addWidget(panel)
    panel.redraw(frame_of(20 * (FRESH + 7), 20, jitter=0.1))
    assert len(panel.section.getData()[0]) == FRESH
    assert len(panel.faded.getData()[0]) == 7


def test_without_a_period_it_says_so(qtbot: QtBot) -> None:
    panel = RhythmPanel()
    qtbot.addWidget(panel)
    panel.redraw(frame_of(60, None))
    assert panel.words.text() == "bar: has no period"
    assert len(panel.path.getData()[0]) == 60
    assert panel.apart.isHidden()


def test_past_frames_are_told_apart(qtbot: QtBot) -> None:
    panel = RhythmPanel()
    qtbot.addWidget(panel)
    panel.redraw(frame_of(60, 20))
    panel.redraw(fake_frame(tick=12))
    assert panel.words.text() == NOT_KEPT
    assert panel.section.getData()[0] is None or not len(panel.section.getData()[0])


@pytest.fixture
def window(qtbot: QtBot, qapp: QApplication, tmp_path: Path) -> Iterator[Window]:
    make_application()
    preset = load_preset("rhythm")
    made = Window(EngineThread(preset, "numpy"), preset, Settings(recordings=str(tmp_path / "recordings")))
    qtbot.addWidget(made)
    made.show()
    qtbot.waitUntil(lambda: made.controller.frame is not None and made.controller.frame.tick > 2, timeout=TIMEOUT)
    yield made
    made.close()


def test_the_dock_comes_and_goes_with_the_stream(window: Window, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: window.docks.visible("Rhythm"), timeout=TIMEOUT)
    qtbot.waitUntil(lambda: "bar, every 32 ticks" in window.rhythm.words.text(), timeout=TIMEOUT)
    assert not window.input.spin.isEnabled()
    assert not window.input.pad.isEnabled()
    assert window.input.caption.text() == "bar"
    window.load("tiny")
    qtbot.waitUntil(lambda: window.preset.name == "tiny", timeout=TIMEOUT)
    assert not window.docks.visible("Rhythm")
    assert not window.docks.by_title["Rhythm"].toggleViewAction().isVisible()
    qtbot.waitUntil(lambda: window.input.spin.isEnabled(), timeout=TIMEOUT)


def test_behind_another_tab_it_is_not_drawn(window: Window, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: window.docks.visible("Rhythm"), timeout=TIMEOUT)
    window.docks.bring_up(("Traces",))
    qtbot.waitUntil(lambda: not window.docks.visible("Rhythm"), timeout=TIMEOUT)
    assert window.controller.frame is not None
    tick = window.controller.frame.tick
    drawn = window.rhythm.apart_curve.getData()[0]
    qtbot.waitUntil(lambda: window.controller.frame.tick > tick + 20, timeout=TIMEOUT)  # type: ignore[union-attr]
    np.testing.assert_array_equal(window.rhythm.apart_curve.getData()[0], drawn)


def test_choosing_a_sample_is_explained_and_it_goes_on(window: Window, qtbot: QtBot) -> None:
    window.actions_by_name["input.next"].trigger()
    qtbot.waitUntil(window.banner.isVisible, timeout=TIMEOUT)
    assert "follows the stream bar" in window.banner.message
    assert window.controller.frame is not None
    tick = window.controller.frame.tick
    qtbot.waitUntil(lambda: window.controller.frame.tick > tick, timeout=TIMEOUT)  # type: ignore[union-attr]
