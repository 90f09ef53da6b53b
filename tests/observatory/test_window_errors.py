"""Nothing that goes wrong inside the program ends it; Ctrl-C and a missing display end it politely."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from observatory.app import ErrorRelay, display_available, exceptions_to

TIMEOUT = 20_000

WINDOW = """
import sys, threading
from PyQt6.QtCore import QTimer
from engine.preset import load_preset
from observatory import window as module
from observatory.app import run_window

def fail():
    raise ValueError("a slot broke")

def fail_in_thread():
    raise ValueError("a thread broke")

class Watched(module.Window):
    def report(self, message):
        super().report(message)
        print("shown:", self.banner.isVisible(), message, flush=True)

    def showEvent(self, event):
        super().showEvent(event)
        {plan}

import observatory.app
observatory.app.Window = Watched
sys.exit(run_window(load_preset("tiny"), "numpy"))
"""


def run_program(plan: str, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WINDOW.replace("{plan}", plan)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OBSERVATORY_CONFIG_DIR": str(folder)},
    )


def test_broken_slots_and_threads_are_shown_and_survived(tmp_path: Path) -> None:
    plan = """QTimer.singleShot(300, fail)
        QTimer.singleShot(600, lambda: threading.Thread(target=fail_in_thread).start())
        QTimer.singleShot(1500, self.close)"""
    process = run_program(plan, tmp_path)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert "shown: True Something went wrong: ValueError: a slot broke" in out
    assert "shown: True Something went wrong: ValueError: a thread broke" in out
    assert "a slot broke" in (tmp_path / "observatory.log").read_text("utf-8")


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT for a child on Windows")
def test_ctrl_c_closes_the_window_and_saves(tmp_path: Path) -> None:
    process = run_program('QTimer.singleShot(500, lambda: print("ready", flush=True))', tmp_path)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert (tmp_path / "settings.json").exists()


def test_the_hooks_come_back(qtbot: QtBot) -> None:
    before = sys.excepthook, threading.excepthook
    relay = ErrorRelay()
    with exceptions_to(relay):
        assert sys.excepthook == relay.caught
        with qtbot.waitSignal(relay.raised, timeout=TIMEOUT) as caught:
            thread = threading.Thread(target=lambda: 1 / 0)
            thread.start()
            thread.join()
    assert "ZeroDivisionError" in caught.args[0]
    assert (sys.excepthook, threading.excepthook) == before


def test_a_display_is_there_in_the_tests() -> None:
    assert display_available() == (True, "")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only X11 needs a display server")
@pytest.mark.parametrize("display", ["", ":98765"])
def test_without_a_display_qt_is_never_started(display: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", display)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    available, reason = display_available()
    assert not available
    assert "display" in reason
