"""What a person sees of a network that lives in a world: arena, link strip, traces, words, switches."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtGui import QColor
from PyQt6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from engine.frame import Frame
from engine.knobs import Knob
from engine.networks.tween.links import Links
from engine.preset import load_preset
from engine.thread import EngineThread
from engine.worlds.world import Scene
from observatory import palette
from observatory.app import make_application
from observatory.panels.channels import ChannelsPanel
from observatory.panels.classes import FROZEN, STREAMING, ClassesPanel
from observatory.panels.knobs import KnobsPanel
from observatory.panels.links import LENGTH, LinksPanel, Strip, budget_colour, budget_text
from observatory.panels.status import StatusBar
from observatory.panels.traces import TracesPanel
from observatory.panels.world import TRAIL, Arena, WorldPanel
from observatory.recording.hud import Hud
from observatory.settings import Settings
from observatory.view import ViewSettings
from observatory.window import Window
from observatory.words import channel_names
from tests.observatory.frames import fake_frame

TIMEOUT = 20_000
FREEZE = Knob(0, 0, 1, "", "Stop learning.", "switch")
TASK = Knob(0, 0, 1, "", "What to do.", "choice", ("chase", "avoid"), "World")


def scene(**changes: Any) -> Scene:
    fields: dict[str, Any] = {
        "kind": "chase",
        "picture": np.zeros((1, 8), np.float32),
        "points": {"agent": (0.25, 0.75), "target": (0.8, 0.2)},
        "task": "chase",
        "answers": ("right", "left", "up", "down"),
        "due": 2,
        "wanted": "left",
        "action": "up",
        "right": False,
        "accuracy": 0.5,
    }
    return Scene(**{**fields, **changes})


def links(*budgets: float) -> Links:
    budget = np.array(budgets, np.float32)
    names = tuple(("conv2d", "lstm", "dense")[i % 3] for i in range(len(budget)))
    return Links(names, budget, np.geomspace(1e-3, 1e-1, len(budget)).astype(np.float32), budget.cumprod(),
                 int(budget.argmin()) + 1)  # fmt: skip


def living(tick: int = 1, **changes: Any) -> Frame:
    fields: dict[str, Any] = {"scene": scene(), "links": links(0.9, 0.4, 1.0), "knobs": {"freeze": FREEZE}}
    metrics = {"probabilities": np.array([0.1, 0.2, 0.6, 0.1], np.float32)}
    return fake_frame(3, tick=tick, metrics=metrics, **{**fields, **changes})


def colour_at(widget: Arena | Strip, x: float, y: float) -> QColor:
    return widget.grab().toImage().pixelColor(round(x), round(y))


@pytest.mark.parametrize(("budget", "hue"), [(1.0, 0.33), (0.5, 0.165), (0.0, 0.0)])
def test_budgets_go_from_red_over_yellow_to_green(budget: float, hue: float) -> None:
    assert budget_colour(budget).hueF() == pytest.approx(hue, abs=0.01)


def test_budgets_near_one_can_be_told_apart_and_nan_is_grey() -> None:
    assert budget_colour(0.999).hueF() < budget_colour(1.0).hueF() - 0.005
    assert budget_text(0.99947, 200) == "0.9995"
    assert budget_text(0.99947, 28) == "1.00"
    assert budget_colour(float("nan")).name() == QColor(palette.EDGE).name()


def test_the_strip_has_a_cell_a_layer_in_its_colour_and_frames_the_bottleneck(qtbot: QtBot) -> None:
    strip = Strip()
    qtbot.addWidget(strip)
    strip.resize(300, 46)
    strip.show_links(links(1.0, 0.2, 0.6))
    for layer, budget in enumerate((1.0, 0.2, 0.6)):
        assert colour_at(strip, 100 * layer + 8, 10).name() == budget_colour(budget).name()
    assert colour_at(strip, 150, 3).name() == QColor(palette.TEXT).name()
    assert colour_at(strip, 50, 3).name() != QColor(palette.TEXT).name()
    assert strip.tip_at(150).splitlines() == ["layer 2, lstm", "link budget 0.200", "gap 1.00e-02", "depth barrier 0.2"]
    strip.show_links(links(*[0.9] * 200))
    assert colour_at(strip, 150, 20).name() == budget_colour(0.9).name()
    strip.show_links(None)
    assert strip.tip_at(3) == ""
    strip.grab()


def test_links_trace_three_gaps_and_name_the_bottleneck(qtbot: QtBot) -> None:
    panel = LinksPanel()
    qtbot.addWidget(panel)
    for tick in range(LENGTH + 5):
        panel.observe(living(tick))
    panel.redraw(living(LENGTH + 5))
    assert [round(curve.getOriginalDataset()[1][-1], 3) for curve in panel.curves] == [-3, -2, -1]
    assert len(panel.curves[0].getOriginalDataset()[0]) == LENGTH
    assert panel.title.startswith("bottleneck: 2 lstm 0.400")
    panel.observe(fake_frame(epoch=1))
    panel.redraw(fake_frame(epoch=1))
    assert panel.title == "only tween chains have links"
    assert panel.curves[0].getOriginalDataset()[0] is None or not len(panel.curves[0].getOriginalDataset()[0])


def test_the_arena_shows_things_where_they_are_with_bounded_trails(qtbot: QtBot) -> None:
    arena = Arena()
    qtbot.addWidget(arena)
    arena.resize(220, 320)
    for step in range(TRAIL + 30):
        arena.follow(scene(points={"agent": (0.25, 0.75), "target": (0.8, 0.2 + step / 1000)}))
    arena.follow(scene())
    square = arena.square()
    assert len(arena.trails["target"]) == TRAIL
    for name, colour in (("agent", palette.ACCENT), ("target", palette.TEXT)):
        x, y = scene().points[name]
        shown = colour_at(arena, square.left() + x * square.width(), square.bottom() - y * square.height())
        assert shown.name() == QColor(colour).name()
    arena.follow(scene(kind="still", points={}, picture=np.full((2, 2), 0.5, np.float32)))
    assert arena.trails == {}
    assert colour_at(arena, square.center().x(), square.center().y()).name() == "#7f7f7f"
    arena.follow(None)
    arena.grab()


def test_the_world_says_what_was_wanted_and_what_came(qtbot: QtBot) -> None:
    panel = WorldPanel()
    qtbot.addWidget(panel)
    panel.follow(living())
    told = re.sub("<[^>]*>", " ", panel.words.text())
    assert told.split() == ["50%", "correct", "task:", "chase", "wanted", "left", ",", "answered", "up"]
    assert palette.RED in panel.words.text()
    panel.follow(living(scene=scene(right=True, accuracy=None)))
    assert palette.GREEN in panel.words.text()
    assert "%" not in re.sub("<[^>]*>", "", panel.words.text())
    panel.follow(fake_frame())
    assert panel.words.text() == ""


def test_traces_of_a_living_network_are_of_answers_and_budgets(qtbot: QtBot) -> None:
    panel = TracesPanel()
    qtbot.addWidget(panel)
    panel.observe(living())
    panel.redraw()
    titles = [plot.getPlotItem().titleLabel.text for plot in panel.plots]
    assert titles[1:3] == ["correct, %", "lowest link budget, %"]
    assert [curve.getOriginalDataset()[1][-1] for curve in panel.curves[1:3]] == [50, pytest.approx(40)]
    panel.observe(fake_frame(epoch=1, metrics={"t_relax": 7, "d_nudge": 3}))
    panel.redraw()
    assert [plot.getPlotItem().titleLabel.text for plot in panel.plots][1:3] == ["T relax", "D nudge"]
    assert [curve.getOriginalDataset()[1][-1] for curve in panel.curves[1:3]] == [7, 3]


def test_classes_are_the_worlds_answers_and_the_one_that_is_due_is_marked(qtbot: QtBot) -> None:
    panel = ClassesPanel()
    qtbot.addWidget(panel)
    panel.resize(300, 160)
    panel.redraw(living())
    assert "most likely: up" in panel.bars.toolTip()
    assert panel.note.text() == STREAMING
    image = panel.bars.grab().toImage()
    assert image.pixelColor(round(2.5 * image.width() / 4), image.height() - 30).name() == palette.ACCENT
    panel.redraw(living(knobs={"freeze": replace(FREEZE, value=1.0)}))
    assert panel.note.text() == FROZEN


def test_channels_and_status_speak_of_change_and_gap(qtbot: QtBot) -> None:
    panel = ChannelsPanel(ViewSettings())
    qtbot.addWidget(panel)
    panel.call(channel_names("tween"))
    assert [row.on.text() for row in panel.rows.values()] == ["activation", "change", "gap"]
    assert "target" in panel.rows["blue"].on.toolTip()
    panel.call(channel_names("hopfield"))
    assert [row.on.text() for row in panel.rows.values()] == ["activation", "velocity", "nudge"]
    panel.close_links()
    bar = StatusBar("numpy")
    qtbot.addWidget(bar)
    bar.follow(living())
    bar.refresh()
    assert bar.settling.text() == "correct 50%   bottleneck layer 2"


def test_the_worlds_knobs_stand_under_a_heading_of_their_own_first(qtbot: QtBot) -> None:
    panel = KnobsPanel()
    qtbot.addWidget(panel)
    panel.follow(living(knobs={"freeze": FREEZE, "task": TASK}))
    assert list(panel.rows) == ["task", "freeze"]


def test_the_strip_of_a_video_tells_of_the_world(qtbot: QtBot) -> None:
    hud = Hud("Tween", 900, 90)
    one, other = hud.paint(living()), hud.paint(living(scene=scene(accuracy=0.9, points={"agent": (0.9, 0.1)})))
    assert one.shape == other.shape == (90, 900, 3)
    assert (one[:, :90] != other[:, :90]).any()
    assert (one[:, 200:700] != other[:, 200:700]).any()


@pytest.fixture
def window(qtbot: QtBot, qapp: QApplication, tmp_path: Path) -> Iterator[Window]:
    make_application()
    preset = load_preset("tween-chase")
    made = Window(EngineThread(preset, "numpy"), preset, Settings(recordings=str(tmp_path)))
    qtbot.addWidget(made)
    made.show()
    made.activateWindow()
    qtbot.waitUntil(made.isActiveWindow, timeout=TIMEOUT)
    qtbot.waitUntil(lambda: made.controller.frame is not None and made.controller.frame.tick > 3, timeout=TIMEOUT)
    yield made
    made.close()


def frame(window: Window) -> Frame:
    assert window.controller.frame is not None
    return window.controller.frame


def test_a_living_network_brings_its_panels_up_and_its_switches_act(window: Window, qtbot: QtBot) -> None:
    def waited(what: Callable[[], bool]) -> None:
        qtbot.waitUntil(what, timeout=TIMEOUT)

    waited(lambda: window.docks.visible("World") and window.docks.visible("Links"))
    waited(lambda: window.links.strip.links is not None and window.world.arena.scene is not None)
    learn = window.actions_by_name["learning.toggle"]
    waited(learn.isChecked)
    qtbot.keyClick(window, Qt.Key.Key_L)
    waited(lambda: frame(window).knobs["freeze"].value == 1 and not learn.isChecked())
    waited(lambda: window.classes.note.text() == FROZEN)
    qtbot.keyClick(window, Qt.Key.Key_L)
    waited(lambda: frame(window).knobs["freeze"].value == 0 and learn.isChecked())
    box = window.knobs.rows["task"].box
    assert box is not None
    box.setCurrentIndex(1)
    box.activated.emit(1)
    waited(lambda: window.world.arena.scene is not None and window.world.arena.scene.task == "avoid")
    assert window.channels.rows["blue"].on.text() == "gap"
    window.load("tiny")
    waited(lambda: frame(window).preset == "tiny" and window.docks.visible("Input"))
    assert window.channels.rows["blue"].on.text() == "nudge"
