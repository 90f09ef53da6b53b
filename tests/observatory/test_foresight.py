"""Promised and realised gains: what was misled is red, and a click tells why it was done."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from engine.frame import Frame
from engine.networks.growing.ledger import Commit
from engine.preset import Preset
from engine.session import Session
from observatory import palette
from observatory.panels.foresight import DECADES, ForesightPanel
from tests.observatory.test_growth_views import GROWTH

GAINS = [(0.1, 0.2), (0.01, 0.012), (0.02, 0.001), (0.03, -0.5), (0.04, 0.041), (0.05, 0.06), (0.06, 0.05), (0.07, 0.1)]
"""Promised, realised: the third and the fourth misled."""


@pytest.fixture
def frame() -> Frame:
    session = Session(Preset.model_validate({"name": "g", "title": "t", "network": "growing", "growth": GROWTH}))
    session.tick()
    frame = session.frame()
    assert frame.growth is not None
    commits = [
        Commit(i, i, "edge", 0, 0, f"edge {i}", predicted=p, realised=r, frozen=p / 2) for i, (p, r) in enumerate(GAINS)
    ]
    others = [Commit(8, 8, "prune", 0, 0, "gone", realised=-1.0), Commit(9, 9, "edge", 0, 0, "young", predicted=0.3)]
    return replace(frame, growth=replace(frame.growth, decisions=(*commits, *others)))


@pytest.fixture
def panel(qtbot: QtBot, frame: Frame) -> ForesightPanel:
    panel = ForesightPanel()
    qtbot.addWidget(panel)
    panel.redraw(frame)
    return panel


def test_every_measured_commit_is_a_dot_and_misled_ones_are_red(panel: ForesightPanel) -> None:
    x, y = panel.dots.getData()
    assert x == pytest.approx(np.log10([p for p, _ in GAINS]))
    assert y[:3] == pytest.approx(np.log10([r for _, r in GAINS[:3]]))
    assert y[3] == pytest.approx(np.log10(0.2) - DECADES)
    red = [spot.brush().color().name() == palette.RED for spot in panel.dots.points()]
    assert red == [False, False, True, True, False, False, False, False]
    assert panel.rings.getData()[0] == pytest.approx(x - np.log10(2))
    assert "8 new commits measured, 2 misled" in panel.words.text()
    assert "rank correlation" in panel.words.text()


def test_a_click_tells_about_a_commit_and_another_one_leaves_it(panel: ForesightPanel) -> None:
    for words in ("edge 3", "click a dot"):
        panel.dots.sigClicked.emit(panel.dots, [panel.dots.points()[3]], None)
        assert words in panel.evidence.text()


def test_a_graph_without_commits_is_drawn_too(panel: ForesightPanel, frame: Frame) -> None:
    assert frame.growth is not None
    panel.redraw(replace(frame, tick=frame.tick + 1, growth=replace(frame.growth, decisions=())))
    assert len(panel.dots.points()) == 0
    assert "0 new commits" in panel.words.text()
