"""Heat of the cores and found equations of a growing graph, and the node that is chosen in all of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PyQt6.QtCore import QPoint, Qt
from PyQt6.QtGui import QGuiApplication
from PyQt6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from engine.frame import Frame
from engine.history import History, Replay
from engine.networks.growing.core import Heat
from engine.networks.growing.report import Growth
from engine.preset import Preset
from engine.session import Session
from observatory import palette
from observatory.panels import graph_picture
from observatory.panels.cores import COLD, FLASH, FULL, GROUND, Cores, CoresPanel, Tiling
from observatory.panels.equations import EquationsPanel, as_html, whole
from observatory.panels.graph import GraphView
from observatory.panels.graph_picture import GraphPicture
from observatory.panels.growth_bars import GrowthBars
from observatory.panels.traces import FIGURES, TracesPanel, kind_of
from observatory.recording.headless import Shot, ViewError, eye_for
from observatory.view import Exposure, ViewSettings

SIZE = (280, 240)
GROWTH = {
    "stream": "fhn", "parameters": {"nodes": 6, "steps": 1200, "noise": 0.02}, "cells": 80, "taps": 12,
    "products": False, "knots": 3, "batch": 32, "evidence": 128, "cycle": 10, "listened": 300, "window": 1000,
}  # fmt: skip


@pytest.fixture(scope="module")
def frame() -> Frame:
    session = Session(Preset.model_validate({"name": "g", "title": "t", "network": "growing", "growth": GROWTH}))
    for _ in range(120):
        session.tick()
    return session.frame()


@pytest.fixture
def growth(frame: Frame) -> Growth:
    assert frame.growth is not None
    assert len(frame.growth.edges) > 2
    return frame.growth


def test_every_cell_has_a_place_of_its_own_in_the_tile_of_its_node(growth: Growth) -> None:
    cores = Cores.of(growth)
    assert growth.warm is not None
    assert growth.wiring is not None
    assert len(cores.rows) == len(growth.cells) + len(growth.warm.rows)
    places = set(zip(cores.rows.tolist(), cores.columns.tolist(), strict=True))
    assert len(places) == len(cores.rows)
    assert cores.columns.min() == 0
    assert cores.width == cores.columns.max() + 1
    own = cores.rows // growth.features
    for node in range(growth.nodes):
        mine = cores.columns[own == node]
        assert set(mine.tolist()) == set(range(len(set(mine.tolist()))))
    for at, (row, column) in enumerate(growth.cells):
        assert cores.at(int(row), int(cores.columns[at])) == at
        words = growth.wiring.words(int(growth.wiring.kinds[column]), cores.sources[at], float(cores.knots[at]))
        assert words in cores.words(int(row), int(cores.columns[at]))


def test_heat_has_its_colour_and_new_cells_flash(growth: Growth) -> None:
    heat = growth.heat.copy()
    heat[0] = Heat.COOLING
    old = replace(growth, heat=heat, steps=growth.steps + FLASH)
    cores = Cores.of(old)
    colours = cores.colours.reshape(-1, cores.width, 3).astype(int)
    for at, (row, column) in enumerate(zip(cores.rows, cores.columns, strict=True)):
        found = Heat(int(cores.heat[at]))
        assert found is (Heat.WARM if at >= len(growth.heat) else Heat(int(heat[at])))
        assert colours[row, column].argmax() == np.argmax(FULL[found])
        assert not (colours[row, column] == COLD).all()
    hot = heat == Heat.HOT
    light = colours[cores.rows, cores.columns].sum(1)[: len(heat)][hot]
    order = np.argsort(np.abs(growth.values)[hot])
    assert (np.diff(light[order]) >= -3).all()
    there = np.zeros(colours.shape[:2], bool)
    there[cores.rows, cores.columns] = True
    assert (colours[~there] == COLD).all()
    newest = int(np.argmax(growth.born))
    flashed = Cores.of(replace(growth, steps=int(growth.born[newest]))).colours.reshape(-1, cores.width, 3)
    assert flashed[cores.rows[newest], cores.columns[newest]].min() > 200


@pytest.mark.parametrize(("tiles", "features", "width"), [(1, 1, 7), (40, 1, 12), (50, 2, 20), (9, 4, 30), (500, 1, 9)])
def test_tiles_fill_the_picture_and_each_pixel_knows_its_cell(tiles: int, features: int, width: int) -> None:
    tiling = Tiling.best(tiles, features, width, SIZE)
    assert tiling.size[0] - 3 <= SIZE[0]
    assert tiling.size[1] - 3 <= SIZE[1]
    colours = np.random.default_rng(0).integers(30, 255, (tiles, features, width, 3)).astype(np.uint8)
    picture = tiling.picture(colours)
    assert picture.shape == (tiling.size[1], tiling.size[0], 3)
    for y in range(0, picture.shape[0], 3):
        for x in range(0, picture.shape[1], 5):
            place = tiling.place(x, y)
            expected = GROUND if place is None else colours[place]
            assert (picture[y, x] == expected).all()


def test_the_panel_tells_the_cell_under_the_pointer_and_a_click_chooses_its_node(
    qtbot: QtBot, frame: Frame, growth: Growth
) -> None:
    panel = CoresPanel()
    qtbot.addWidget(panel)
    panel.resize(*SIZE)
    panel.redraw(frame)
    panel.grab()
    assert f"{(growth.heat == Heat.HOT).sum()} Hot" in panel.words.text()
    cores, tiling = panel.view.cores, panel.view.tiling
    assert cores is not None
    assert tiling is not None
    node, row = divmod(int(cores.rows[0]), growth.features)
    left, top = panel.view._margin(tiling)
    x, y = tiling.corner(node)
    spot = QPoint(left + x + int(cores.columns[0]) * tiling.cell[0] + 1, top + y + row * tiling.cell[1] + 1)
    panel.view.hovered.emit(panel.view.tip_at(spot))
    assert panel.words.text() == cores.words(int(cores.rows[0]), int(cores.columns[0]))
    assert f"w {growth.values[0]:.3g}" in panel.words.text()
    chosen: list[int] = []
    panel.view.chosen.connect(chosen.append)
    qtbot.mouseClick(panel.view, Qt.MouseButton.LeftButton, pos=spot)
    assert chosen == [node]


def test_equations_stand_beside_the_true_ones_and_can_be_copied(
    qtbot: QtBot, qapp: QApplication, frame: Frame, growth: Growth
) -> None:
    panel = EquationsPanel()
    qtbot.addWidget(panel)
    panel.resize(680, 150)
    panel.show()
    panel.redraw(frame)
    assert growth.wiring is not None
    text = panel.text.toPlainText().replace("\N{NO-BREAK SPACE}", " ").replace("\N{MINUS SIGN}", "-")
    assert len(panel.found) == 12
    for equation, true in zip(panel.found, growth.wiring.true, strict=True):
        assert equation.text.partition("= ")[2] in text
        assert true in text
    panel.copy()
    board = QGuiApplication.clipboard()
    assert board is not None
    assert board.text() == panel.plain()
    assert f"{panel.found[3].text}\n    true: {growth.wiring.true[3]}\n" in panel.plain()
    bar = panel.text.verticalScrollBar()
    assert bar is not None
    panel.choose(5)
    assert bar.value() > 0
    panel.choose(0)
    assert bar.value() < 40


def test_a_term_is_green_if_the_node_really_reads_its_source(qtbot: QtBot, frame: Frame, growth: Growth) -> None:
    panel = EquationsPanel()
    qtbot.addWidget(panel)
    panel.redraw(frame)
    assert growth.truth is not None
    found, reader, source = next(
        (equation, reader, source)
        for reader, source in growth.edges.tolist()
        for equation in panel.found[reader * 2 : reader * 2 + 2]
        if any(number // 2 == source for part in equation.told for number in part.reads())
    )
    for known, colour in ((True, palette.GREEN), (False, palette.RED)):
        truth = np.full_like(growth.truth, not known)
        truth[reader, source] = known
        html = as_html(found, replace(growth, truth=truth))
        part = next(p for p in found.told if any(number // 2 == source for number in p.reads()))
        before, _, _ = html.partition(f"{whole(part.what)}</span>")
        assert before.rpartition("color: ")[2].startswith(colour)
    assert palette.GREEN not in as_html(found, replace(growth, truth=None))


def test_equations_are_left_alone_while_they_are_held(qtbot: QtBot, frame: Frame, growth: Growth) -> None:
    panel = EquationsPanel()
    qtbot.addWidget(panel)
    panel.redraw(frame)
    panel.still.setChecked(True)
    later = replace(
        frame, tick=frame.tick + 9, growth=replace(growth, steps=growth.steps + 9, values=growth.values * 2)
    )
    before = panel.plain()
    panel.redraw(later)
    assert panel.plain() == before
    panel.still.setChecked(False)
    panel._when = -1e9
    panel.redraw(later)
    assert panel.plain() != before


def test_traces_of_a_growing_graph_tell_its_loss_budget_and_edges(qtbot: QtBot, frame: Frame, growth: Growth) -> None:
    panel = TracesPanel()
    qtbot.addWidget(panel)
    panel.observe(replace(frame, tick=frame.tick - 1, growth=replace(growth, mean_loss=0.1, edge_f1=None)))
    panel.observe(frame)
    panel.redraw()
    titles = [plot.getPlotItem().titleLabel.text for plot in panel.plots]
    assert titles == ["loss", "cells and taps", "gamma", "edge F1"]
    drawn = np.array([curve.getData()[1] for curve in panel.curves])
    assert drawn[:, 0] == pytest.approx([-1, growth.struct, growth.gamma, np.nan], nan_ok=True)
    assert drawn[:, 1] == pytest.approx([np.log10(growth.mean_loss), growth.struct, growth.gamma, growth.edge_f1])
    history = History()
    for tick in (1, 2, 3):
        history.append(replace(frame, tick=tick, growth=replace(growth, struct=tick)))
    panel.redraw_past(Replay(history).series(FIGURES, 0, 3), np.full(3, np.nan), kind_of(frame))
    past = np.array([curve.getData()[1] for curve in panel.curves])
    assert past[1].tolist() == [1, 2, 3]
    assert past[:, 0] == pytest.approx([np.log10(growth.mean_loss), 1, growth.gamma, growth.edge_f1], rel=1e-3)
    panel.redraw_past(np.zeros((1, len(FIGURES))), np.zeros(1), "settles")
    assert panel.plots[1].getPlotItem().titleLabel.text == "T relax"


def test_gains_have_columns_of_their_own(qtbot: QtBot, growth: Growth) -> None:
    bars = GrowthBars()
    qtbot.addWidget(bars)
    bars.resize(204, 130)
    gains = np.array([0, 0.5, -0.25, 0, 1, 0], np.float32)
    bars.show_growth(replace(growth, cgpt=gains))
    picture = bars.grab().toImage()
    low, step = bars.height() - 5, (bars.width() - 8) / 6
    spots = [picture.pixelColor(round(4 + (node + 0.4) * step), low) for node in range(6)]
    green = [spot.green() > spot.red() + 40 for spot in spots]
    red = [spot.red() > spot.green() + 40 for spot in spots]
    assert green == [False, True, False, False, True, False]
    assert red == [False, False, True, False, False, False]


def test_a_video_films_the_graph_as_the_window_shows_it(qtbot: QtBot, frame: Frame) -> None:
    graph = GraphView(ViewSettings(), Exposure())
    qtbot.addWidget(graph)
    graph.resize(500, 400)
    with eye_for(frame, "growing", 30, Shot()) as eye:
        for _ in range(3):
            graph.show_frame(frame)
            picture = eye.render(frame, (500, 400))
        assert (picture == graph.capture((500, 400))).all()
        assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 50
        assert eye.render(frame, (1500, 1200)).shape == (1200, 1500, 3)
    with pytest.raises(ViewError, match="as its graph or the mosaic only, not as clouds"):
        eye_for(frame, "growing", 30, Shot("clouds"))
    with pytest.raises(ViewError, match="does not grow"):
        eye_for(replace(frame, growth=None), "recursive", 30, Shot("graph"))


def test_hundreds_of_nodes_and_thousands_of_edges_are_drawn_without_a_loop_over_them(
    qtbot: QtBot, frame: Frame, growth: Growth, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Calls of Qt do not grow with the edges."""
    counts = []
    draw = graph_picture.draw_lines
    monkeypatch.setattr(graph_picture, "draw_lines", lambda *them: (counts.append(len(them[1])), draw(*them)))
    rng = np.random.default_rng(0)
    nodes = growth.nodes
    pairs = np.array([(a, b) for a in range(nodes) for b in range(nodes) if a != b], np.int32)
    for repeats in (1, 100):
        counts.clear()
        many = np.repeat(pairs, repeats, 0)
        grown = replace(
            growth, edges=many, strengths=rng.random(len(many)).astype(np.float32),
            edge_heat=np.full(len(many), Heat.HOT, np.uint8), edge_born=np.full(len(many), -FLASH * 9, np.int32),
        )  # fmt: skip
        picture = GraphPicture(ViewSettings(), Exposure())
        picture.follow(replace(frame, growth=grown))
        picture.capture(SIZE)
        assert len(counts) <= graph_picture.LEVELS
        assert sum(counts) == 3 * len(many)


def test_a_click_on_a_node_chooses_it(qtbot: QtBot, frame: Frame) -> None:
    graph = GraphView(ViewSettings(), Exposure())
    qtbot.addWidget(graph)
    graph.resize(500, 400)
    graph.show_frame(frame)
    chosen: list[int | None] = []
    graph.chosen.connect(chosen.append)
    spot = graph.points(graph.rect().toRectF())[4].round().astype(int)
    qtbot.mouseClick(graph, Qt.MouseButton.LeftButton, pos=QPoint(*map(int, spot)))
    assert chosen == [4]
    assert graph.picture.chosen == 4
    qtbot.mouseClick(graph, Qt.MouseButton.LeftButton, pos=QPoint(1, 1))
    assert chosen == [4, None]
    assert graph.picture.chosen is None
