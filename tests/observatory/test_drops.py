"""Files dropped onto the window: presets and streams of one's own; what cannot be used is told and changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PyQt6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PyQt6.QtGui import QDragEnterEvent, QDropEvent
from PyQt6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from engine.preset import PresetError, load_preset
from engine.thread import EngineThread
from observatory.app import make_application
from observatory.settings import Settings
from observatory.window import Window

TIMEOUT = 20_000


def swings(ticks: int = 400) -> np.ndarray:
    time = 0.1 * np.arange(ticks)
    return np.column_stack([time, np.sin(time), np.cos(time), np.sin(0.37 * time)])


@pytest.fixture
def window(qtbot: QtBot, qapp: QApplication) -> Iterator[Window]:
    make_application()
    preset = load_preset("tiny")
    made = Window(EngineThread(preset), preset, Settings())
    qtbot.addWidget(made)
    made.show()
    qtbot.waitUntil(lambda: made.controller.frame is not None and made.controller.frame.tick > 2, timeout=TIMEOUT)
    yield made
    made.close()


def drop(window: Window, path: Path) -> bool:
    """Drag a file in and let it go; whether the window would have it."""
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path))])
    button, key = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(QPoint(300, 300), Qt.DropAction.CopyAction, mime, button, key)
    enter.ignore()
    window.dragEnterEvent(enter)
    if enter.isAccepted():
        window.dropEvent(QDropEvent(QPointF(300, 300), Qt.DropAction.CopyAction, mime, button, key))
    return enter.isAccepted()


@pytest.mark.parametrize("suffix", [".csv", ".npz"])
def test_a_graph_grows_on_a_stream_that_is_dropped(window: Window, qtbot: QtBot, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"pond{suffix}"
    if suffix == ".csv":
        np.savetxt(path, swings(), delimiter=",", header="time,North,East,Deep", comments="")
    else:
        np.savez(path, states=swings()[:, 1:], dt=0.1)
    assert drop(window, path)
    qtbot.waitUntil(lambda: window.preset.name == "pond", timeout=TIMEOUT)
    qtbot.waitUntil(lambda: window.stage.canvas is window.stage.graph, timeout=TIMEOUT)
    frame = window.controller.frame
    assert frame is not None
    assert frame.growth is not None
    assert frame.growth.nodes == 3
    assert frame.growth.wiring is not None
    assert frame.growth.wiring.dt == pytest.approx(0.1)
    assert frame.growth.wiring.names == (("North", "East", "Deep") if suffix == ".csv" else ("x[1]", "x[2]", "x[3]"))
    assert window.settings.recent == [str(path)]
    assert window.settings.preset == str(path)


def test_a_bad_file_is_told_in_one_message_and_the_network_runs_on(
    window: Window, qtbot: QtBot, tmp_path: Path
) -> None:
    path = tmp_path / "bad.csv"
    path.write_text("a,b\n" + "1,2\n" * 30 + "1,oops\n")
    assert drop(window, path)
    qtbot.waitUntil(lambda: not window.banner.isHidden(), timeout=TIMEOUT)
    assert "line 32 holds 'oops', expected a number" in window.banner.text.text()
    assert window.preset.name == "tiny"
    assert window.settings.recent == []
    frame = window.controller.frame
    assert frame is not None
    qtbot.waitUntil(lambda: window.controller.frame.tick > frame.tick, timeout=TIMEOUT)  # type: ignore[union-attr]
    assert window.controller.frame.preset == "tiny"  # type: ignore[union-attr]
    assert set(window.controller.frame.knobs) == set(frame.knobs)  # type: ignore[union-attr]


def test_other_files_are_not_taken(window: Window, tmp_path: Path) -> None:
    assert not drop(window, tmp_path / "picture.png")
    assert window.preset.name == "tiny"


def test_a_stream_that_is_gone_is_told_by_its_path(tmp_path: Path) -> None:
    with pytest.raises(PresetError, match=r"gone\.csv: no such file"):
        load_preset(tmp_path / "gone.csv")
