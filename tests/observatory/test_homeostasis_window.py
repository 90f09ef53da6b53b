"""The sigma slider follows homeostasis, and a person may still grab it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytestqt.qtbot import QtBot

from engine.commands import SetParameter, Throttle
from engine.preset import load_preset
from engine.thread import EngineThread
from observatory.settings import Settings
from observatory.window import Window


@pytest.fixture
def window(qtbot: QtBot) -> Iterator[Window]:
    preset = load_preset("tiny").model_copy(update={"knobs": {"sigma": 2.0}})
    made = Window(EngineThread(preset, "numba"), preset, Settings())
    qtbot.addWidget(made)
    made.show()
    qtbot.waitUntil(lambda: "sigma" in made.knobs.rows)
    made.controller.send(Throttle(0))
    yield made
    made.close()


def test_the_slider_follows_and_can_be_moved(window: Window, qtbot: QtBot) -> None:
    row = window.knobs.rows["sigma"]
    assert row.shown == 2.0
    switch = window.knobs.rows["homeostasis"].switch
    assert switch is not None
    switch.click()
    qtbot.waitUntil(lambda: row.shown < 1.4, timeout=20000)
    assert row.edit is not None
    row.edit.setText("3")
    row.edit.editingFinished.emit()
    assert row.shown == 3.0
    qtbot.waitUntil(lambda: row.shown < 1.4, timeout=20000)
    window.controller.send(SetParameter("homeostasis", 0))
    window.controller.send(SetParameter("sigma", 0.5))
    qtbot.waitUntil(lambda: row.shown == 0.5, timeout=5000)
    qtbot.wait(200)
    assert row.shown == 0.5
