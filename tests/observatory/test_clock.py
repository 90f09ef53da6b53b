"""The settling clock beside the class bars says how long the answer took, and whether that was long."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from frames import fake_frame
from pytestqt.qtbot import QtBot

from engine.commands import LoadPreset, SelectSample, Throttle
from engine.data.dataset import Summary
from engine.oracle.readout import Decision
from engine.preset import load_preset
from engine.thread import EngineThread
from observatory import palette
from observatory.panels.classes import ClassesPanel
from observatory.panels.clock import words_of
from observatory.settings import Settings
from observatory.window import Window

DIGITS = Summary("digits", 1797, 10)


def decision(**changes: Any) -> Decision:
    fields: dict[str, Any] = {
        "race": np.linspace(-1, 0.5, 10).astype(np.float32), "waited": 120, "opens": 100, "slow": 144.0,
        "ticks": None, "choice": None,
    }  # fmt: skip
    return Decision(**{**fields, **changes})


@pytest.fixture
def panel(qtbot: QtBot) -> ClassesPanel:
    made = ClassesPanel()
    qtbot.addWidget(made)
    made.resize(320, 170)
    made.set_trained(True)
    made.show()
    return made


def colours(panel: ClassesPanel, widget: Any) -> dict[str, int]:
    """How many pixels of a widget have which colour."""
    image = widget.grab().toImage()
    found: dict[str, int] = {}
    for x in range(image.width()):
        for y in range(image.height()):
            name = image.pixelColor(x, y).name()
            found[name] = found.get(name, 0) + 1
    return found


@pytest.mark.parametrize(
    ("now", "told"),
    [
        (decision(waited=63), "on its way up, 63 of 100 ticks"),
        (decision(), "undecided after 120 ticks"),
        (decision(waited=150), "slow, undecided after 150 ticks"),
        (decision(ticks=121.6, choice=7), "decided after 122 ticks: 7"),
        (decision(waited=400, ticks=121.6, choice=7), "decided after 122 ticks: 7"),
        (decision(waited=400, ticks=160.0, choice=7), "slow, decided after 160 ticks: 7"),
    ],
)
def test_words(now: Decision, told: str) -> None:
    assert words_of(now, DIGITS) == told


def test_classes_go_by_their_names() -> None:
    clothes = Summary("fashion", 9, 2, ("shirt", "boot"))
    assert words_of(decision(ticks=130.0, choice=1), clothes).endswith(": boot")


@pytest.mark.parametrize(
    ("now", "colour"),
    [
        (decision(), palette.ACCENT),
        (decision(ticks=121.0, choice=9), palette.GREEN),
        (decision(waited=300, ticks=170.0, choice=9), palette.RED),
        (decision(waited=300), palette.RED),
    ],
)
def test_the_dial_shows_at_a_glance_whether_it_was_slow(panel: ClassesPanel, now: Decision, colour: str) -> None:
    panel.redraw(fake_frame(decision=now))
    found = colours(panel, panel.clock.dial)
    assert found.get(colour, 0) > 40
    others = {palette.ACCENT, palette.GREEN, palette.RED} - {colour}
    assert not others & set(found)


def test_the_dial_grows_with_the_ticks(panel: ClassesPanel) -> None:
    lengths = []
    for waited in (101, 110, 120, 140):
        panel.redraw(fake_frame(decision=decision(waited=waited)))
        lengths.append(colours(panel, panel.clock.dial).get(palette.ACCENT, 0))
    assert lengths == sorted(set(lengths))
    panel.redraw(fake_frame(decision=decision(waited=60)))
    assert palette.ACCENT not in colours(panel, panel.clock.dial)


def test_columns_are_as_high_as_the_accumulators_and_the_winner_is_green(panel: ClassesPanel) -> None:
    flat = {"probabilities": np.zeros(10, np.float32)}

    def lit(colour: str, **changes: Any) -> int:
        panel.redraw(fake_frame(label=None, metrics=flat, decision=decision(**changes)))
        return colours(panel, panel.bars).get(colour, 0)

    nobody = lit(palette.TEXT, race=np.full(10, -1, np.float32))
    half, full = (lit(palette.TEXT, race=np.eye(10, dtype=np.float32)[3] * far) - nobody for far in (0.5, 1.0))
    assert full == pytest.approx(2 * half, rel=0.1)
    assert half > 50
    won = lit(palette.GREEN, race=np.eye(10, dtype=np.float32)[3], ticks=120.0, choice=3)
    assert won == pytest.approx(full, rel=0.1)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_race_can_be_painted_whatever_comes(panel: ClassesPanel, value: float) -> None:
    panel.redraw(fake_frame(decision=decision(race=np.full(10, value, np.float32))))
    assert not panel.grab().isNull()


def test_without_a_race_there_is_no_clock(panel: ClassesPanel) -> None:
    panel.redraw(fake_frame(decision=decision()))
    assert panel.clock.isVisible()
    panel.redraw(fake_frame(tick=2))
    assert not panel.clock.isVisible()
    panel.redraw(fake_frame(tick=3, decision=decision()))
    assert panel.clock.isVisible()


@pytest.fixture
def window(qtbot: QtBot) -> Iterator[Window]:
    preset = load_preset("deep-100")
    made = Window(EngineThread(preset), preset, Settings())
    qtbot.addWidget(made)
    made.show()
    made.controller.send(Throttle(0))
    yield made
    made.close()


def test_the_window_shows_the_clock_of_each_sample(window: Window, qtbot: QtBot) -> None:
    words = window.classes.clock.words
    qtbot.waitUntil(lambda: "decided after" in words.text(), timeout=30000)
    frame = window.controller.frame
    assert frame is not None
    window.controller.send(Throttle(20))
    window.controller.send(SelectSample(frame.sample + 1 if frame.sample is not None else 1))
    qtbot.waitUntil(lambda: "on its way up" in words.text(), timeout=10000)
    assert window.classes.clock.isVisible()
    assert "doubt" in window.classes.clock.toolTip()
    window.controller.send(LoadPreset(load_preset("tween-chase")))
    qtbot.waitUntil(lambda: not window.classes.clock.isVisible(), timeout=10000)
