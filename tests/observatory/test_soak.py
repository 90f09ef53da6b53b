"""A minute of everything at once: memory does not grow, and the end is quick."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from PyQt6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from engine.commands import Throttle
from engine.history import History
from engine.history.ring import MIB
from engine.preset import load_preset
from engine.thread import EngineThread
from observatory.app import make_application
from observatory.panels.traces import LENGTH
from observatory.settings import Settings
from observatory.window import Window

WARM_UP = 10.0
"""Seconds after the traces have filled their ring buffer; until then the plots' paths grow, up to a fixed length."""
SOAK = 60.0
SLOPE = 8.0
"""MB a minute. Python's own memory stays level, but allocators and the graphics driver grow by steps of 1 to 3 MB, now
and then one in a minute. Frames of 81 kB that were kept, ten a second, would be 48 MB a minute."""
SHUTDOWN = 2.0
CAP = 2 * MIB
"""Of the history, so that its ring is full before anything is measured."""


@pytest.mark.slow
@pytest.mark.timeout(450)
def test_a_minute_at_full_speed_leaks_nothing_and_ends_within_two_seconds(
    qtbot: QtBot, qapp: QApplication, tmp_path: Path
) -> None:
    make_application()
    preset = load_preset("deep-100")
    engine = EngineThread(preset, history=History(CAP))
    window = Window(engine, preset, Settings(recordings=str(tmp_path)))
    qtbot.addWidget(window)
    window.show()
    engine.send(Throttle(0))
    process = psutil.Process()
    qtbot.waitUntil(lambda: len(window.traces.ring) == LENGTH and engine.history.span[0] > 0, timeout=240_000)
    started = time.monotonic()
    samples: list[tuple[float, float]] = []
    ticks: set[int] = set()
    while (elapsed := time.monotonic() - started) < WARM_UP + SOAK:
        qtbot.wait(250)
        if window.controller.frame is not None:
            ticks.add(window.controller.frame.tick)
        if elapsed > WARM_UP:
            samples.append((elapsed / 60, process.memory_info().rss / 2**20))
    minutes, megabytes = np.array(samples).T
    slope = float(np.polyfit(minutes, megabytes, 1)[0])
    closing = time.monotonic()
    window.close()
    took = time.monotonic() - closing
    trail = " ".join(f"{value:.0f}" for value in megabytes[::8])
    print(f"{trail}\nRSS {megabytes[0]:.1f} to {megabytes[-1]:.1f} MB, slope {slope:.2f} MB/min, shutdown {took:.2f} s")
    assert len(ticks) > 100, "the window must have followed a running engine"
    assert slope < SLOPE
    assert took < SHUTDOWN
