"""`observatory` without a command: a window where there is a screen, a rendered video where there is none."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import av
import pytest
from PyQt6.QtGui import QGuiApplication
from pytestqt.qtbot import QtBot

from observatory.commands.screen import why_no_window

on_a_virtual_screen = pytest.mark.skipif(
    not sys.platform.startswith("linux") or not os.environ.get("DISPLAY"), reason="needs an X display"
)


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@on_a_virtual_screen
def test_a_display_that_answers_will_do() -> None:
    assert why_no_window() is None


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only there may a display be missing")
class TestWithoutAScreen:
    def test_no_display(self, bare: pytest.MonkeyPatch) -> None:
        assert why_no_window() == "there is no display (DISPLAY and WAYLAND_DISPLAY are not set)"

    def test_a_display_that_does_not_answer(self, bare: pytest.MonkeyPatch) -> None:
        bare.setenv("DISPLAY", ":987")
        assert why_no_window() == "the display :987 does not answer"

    def test_a_wayland_name_without_a_socket(self, bare: pytest.MonkeyPatch, tmp_path: Path) -> None:
        bare.setenv("WAYLAND_DISPLAY", "wayland-0")
        bare.setenv("XDG_RUNTIME_DIR", str(tmp_path))
        assert why_no_window() is not None

    def test_a_qt_platform_without_opengl(self, bare: pytest.MonkeyPatch) -> None:
        bare.setenv("QT_QPA_PLATFORM", "offscreen:enable_fonts")
        assert why_no_window() == "QT_QPA_PLATFORM is offscreen"


@on_a_virtual_screen
def test_the_window_opens_and_ctrl_c_closes_it(qtbot: QtBot, tmp_path: Path) -> None:
    screen = QGuiApplication.primaryScreen()
    assert screen is not None

    def lit() -> bool:
        picture = screen.grabWindow(0).toImage()
        middle = picture.width() // 2, picture.height() // 2
        return picture.pixelColor(*middle).lightness() > 0 or picture.pixelColor(40, 40).lightness() > 0

    assert not lit()
    process = subprocess.Popen([sys.executable, "-m", "observatory", "tiny"], cwd=tmp_path, stderr=subprocess.PIPE)
    try:
        qtbot.waitUntil(lambda: lit() or process.poll() is not None, timeout=60_000)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    finally:
        process.kill()
    assert (process.returncode, errors) == (0, b"")
    assert not (tmp_path / "recordings").exists()


@pytest.mark.slow
def test_without_a_display_it_measures_renders_and_says_why(
    cli: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    done = cli("tiny")
    assert done.returncode == 0, done.stderr
    first, *table = done.stdout.splitlines()
    assert first.startswith("No window: there is no display")
    assert {line.split("  ")[0] for line in table} >= {"settled", "nudge reaches", "credit ratio", "video"}
    with av.open(tmp_path / "recordings" / "tiny.mp4") as video:
        pictures = [(picture.width, picture.height) for picture in video.decode(video=0)]
        assert video.streams.video[0].average_rate == 30
    assert pictures == [(1280, 720)] * 360
