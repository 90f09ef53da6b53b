"""A growing graph in the window: the graph in the middle, the Growth dock, and what makes no sense gone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PyQt6.QtCore import QPointF
from PyQt6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from engine.frame import Frame
from engine.networks.growing.core import Heat
from engine.preset import load_preset
from engine.session import Session
from engine.thread import EngineThread
from observatory.app import make_application
from observatory.docks import FOREIGN_TO_GROWTH
from observatory.panels.graph import GraphView
from observatory.panels.graph_picture import node_values
from observatory.panels.graph_places import Places
from observatory.panels.growth import GrowthPanel, evidence, found
from observatory.recording.hud import Hud, _figures
from observatory.settings import Settings
from observatory.view import Exposure, ViewSettings
from observatory.window import Window

TIMEOUT = 20_000
SIZE = (400, 300)


@pytest.fixture(scope="module")
def frame() -> Frame:
    session = Session(load_preset("grow-fhn"))
    for _ in range(400):
        session.tick()
        if len(session.network.growth().edges) >= 5:  # type: ignore[union-attr]
            break
    return session.frame()


@pytest.fixture
def graph(qtbot: QtBot, frame: Frame) -> Iterator[GraphView]:
    view = GraphView(ViewSettings(), Exposure())
    qtbot.addWidget(view)
    view.resize(*SIZE)
    view.show_frame(frame)
    yield view
    view.close_links()


def test_places_are_the_same_each_time_and_stay_when_edges_go() -> None:
    edges = np.array([(i, (i * 7 + 1) % 30) for i in range(30)], np.int32)
    one, other = Places(), Places()
    for places in (one, other):
        while places.follow(30, edges):
            pass
    np.testing.assert_array_equal(one.points, other.points)
    gaps = np.linalg.norm(one.points[:, None] - one.points[None], axis=2)[~np.eye(30, dtype=bool)].reshape(30, 29)
    linked = np.linalg.norm(one.points[edges[:, 0]] - one.points[edges[:, 1]], axis=1)
    assert linked.mean() < 0.7 * gaps.mean()
    assert gaps.min() > 0.02
    before = one.points.copy()
    one.follow(30, edges[:-1])
    assert np.abs(one.points - before).max() < 0.1


def test_the_report_tells_heat_and_birth_of_every_edge(frame: Frame) -> None:
    growth = frame.growth
    assert growth is not None
    assert len(growth.edges) > 2
    assert set(growth.edge_heat) <= {Heat.WARM, Heat.HOT, Heat.COOLING}
    assert ((growth.edge_born >= 0) & (growth.edge_born <= growth.steps)).all()
    commits = {(d.node, d.sources[0] // growth.features): d.tick for d in growth.decisions if d.kind == "edge"}
    born = dict(zip(map(tuple, growth.edges.tolist()), growth.edge_born.tolist(), strict=True))
    ages = [(born[pair], tick) for pair, tick in commits.items() if pair in born]
    assert ages
    assert all(abs(first - tick) <= 2 for first, tick in ages)


def test_an_edge_under_the_pointer_tells_its_numbers(graph: GraphView, frame: Frame) -> None:
    growth = frame.growth
    assert growth is not None
    points = graph.points(graph.rect().toRectF())
    tips = [graph.tip_at(QPointF(*points[list(edge)].mean(0))) for edge in growth.edges]
    assert any(f"{reader + 1} reads {read + 1}:" in tip for (reader, read), tip in zip(growth.edges, tips, strict=True))
    assert "node 1: reads" in graph.tip_at(QPointF(*points[0]))
    graph.picture.places.points[:] = 0.5
    assert graph.tip_at(QPointF(3, 3)) == ""


def test_nodes_have_the_channels_colours(graph: GraphView, frame: Frame) -> None:
    silent = np.zeros_like(frame.activation)
    lit = silent.copy()
    lit[0, 7] = 0.9
    for channel, field in enumerate(("activation", "velocity", "nudge")):
        fields = {"activation": silent, "velocity": silent, "nudge": silent, field: lit}
        shown = replace(frame, **fields)
        assert node_values(shown)[7, channel] == pytest.approx(0.9 / np.sqrt(2))
        graph.show_frame(shown)
        picture = graph.capture(SIZE).astype(int)
        graph.picture._exposure.forget()
        point = graph.points(graph.rect().toRectF())[7]
        x, y = point.round().astype(int)
        spot = picture[y - 2 : y + 3, x - 2 : x + 3].reshape(-1, 3).mean(0)
        assert spot.argmax() == channel


def test_the_dock_shows_evidence_of_the_decision_that_is_chosen(qtbot: QtBot, frame: Frame) -> None:
    panel = GrowthPanel()
    qtbot.addWidget(panel)
    panel.redraw(frame)
    growth = frame.growth
    assert growth is not None
    assert len(panel.dots.getData()[0]) == len(growth.decisions)
    assert panel.evidence.text() == evidence(growth.decisions[-1])
    panel.choose(growth.decisions[1].number)
    assert panel.evidence.text() == evidence(growth.decisions[1])
    assert f"SNR {growth.decisions[1].snr:.3g}" in panel.evidence.text()
    assert panel.ring.getData()[0][0] == growth.decisions[1].tick
    assert growth.truth is not None
    missing = replace(growth, edges=growth.edges[:0], strengths=growth.strengths[:0])
    true = int((growth.truth & ~np.eye(growth.nodes, dtype=bool)).sum())
    assert found(missing).startswith(f"true edges: 0 found, {true} missed, 0 false")
    assert f"{growth.struct} of {growth.limit}" in panel.bars.tip_at(20, 5)
    assert f"{growth.tokens[0]} tokens" in panel.bars.tip_at(5, 60)


def test_a_video_tells_the_growth_and_nothing_of_classes(qapp: QApplication, frame: Frame) -> None:
    growth = frame.growth
    assert growth is not None
    figures = dict(_figures(frame))
    assert figures["edges"] == str(len(growth.edges))
    assert figures["cells and taps"] == f"{growth.struct} / {growth.limit}"
    assert "T_relax" not in figures
    strip = Hud("Graph", 1280, 90)
    assert (strip.paint(frame)[20:70, 16:60] != strip.paint(replace(frame, growth=None))[20:70, 16:60]).any()


@pytest.fixture
def window(qtbot: QtBot, qapp: QApplication, tmp_path: Path) -> Iterator[Window]:
    make_application()
    preset = load_preset("grow-fhn")
    made = Window(EngineThread(preset), preset, Settings(recordings=str(tmp_path / "recordings")))
    qtbot.addWidget(made)
    made.show()
    qtbot.waitUntil(lambda: made.controller.frame is not None and made.controller.frame.tick > 2, timeout=TIMEOUT)
    yield made
    made.close()


def watched(window: Window) -> int | None:
    frame = window.controller.frame
    outcomes = None if frame is None or frame.growth is None else frame.growth.outcomes
    return None if outcomes is None else outcomes.node


def test_graph_and_dock_come_and_go_with_the_growing_network(window: Window, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: window.docks.visible("Growth"), timeout=TIMEOUT)
    assert window.stage.canvas is window.stage.graph
    assert not any(window.docks.by_title[title].isVisible() for title in FOREIGN_TO_GROWTH)
    assert window.stage.capture(SIZE).shape == (SIZE[1], SIZE[0], 3)
    for title in ("Cores", "Outcomes", "Equations"):
        window.docks.by_title[title].raise_()
        qtbot.waitUntil(lambda name=title: window.docks.visible(name), timeout=TIMEOUT)
    qtbot.waitUntil(lambda: len(window.growth.equations.found) == 100, timeout=TIMEOUT)
    window.stage.graph.chosen.emit(7)
    assert window.growth.equations.chosen == window.growth.cores.view.node == window.stage.graph.picture.chosen == 7
    qtbot.waitUntil(lambda: watched(window) == 7, timeout=TIMEOUT)
    window.actions_by_name["volume.toggle"].trigger()
    assert window.stage.canvas is window.stage.mosaic
    window.actions_by_name["volume.toggle"].trigger()
    assert window.stage.canvas is window.stage.graph
    window.load("tiny")
    qtbot.waitUntil(lambda: window.stage.canvas is window.stage.mosaic, timeout=TIMEOUT)
    assert not window.docks.by_title["Growth"].isVisible()
    qtbot.waitUntil(lambda: window.docks.by_title["Classes"].isVisible(), timeout=TIMEOUT)
    assert window.docks.visible("Input")
