"""The Outcomes dock: what was predicted of the watched number, what came, calibration, futures and troubles."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PyQt6.QtCore import QPointF
from pytestqt.qtbot import QtBot
from scipy.stats import binom

from engine.frame import Frame
from engine.networks.growing.outlook import AHEAD, BINS, CACHED, GRID, NASCENT, PATHS, OutcomeView, TransientView
from engine.networks.growing.report import Growth
from engine.preset import Preset
from engine.session import Session
from observatory.panels.graph import GraphView
from observatory.panels.outcomes import OutcomesPanel, outcome_words, spread_by_chance, strands, trouble_words
from observatory.view import Exposure, ViewSettings

GROWTH = {"stream": "fhn", "parameters": {"nodes": 6, "steps": 1200}, "cells": 60, "listened": 300, "products": False}


def outcomes(**changes: Any) -> OutcomeView:
    rng = np.random.default_rng(0)
    grid = np.linspace(-2, 2, GRID).astype(np.float32)
    fields: dict[str, Any] = {
        "node": 2, "feature": 1, "components": 2, "evidence": "two modes", "grid": grid,
        "density": np.exp(-(grid**2)).astype(np.float32), "alike": rng.random(GRID).astype(np.float32),
        "plain": 0.25, "came": -0.75, "recent": rng.standard_normal(200).astype(np.float32), "newest": 199,
        "levels": np.arange(10, 10 + BINS, dtype=np.int32), "ks_p": 0.4, "nll": 0.6, "plain_nll": 0.9,
        "futures": rng.standard_normal((PATHS, AHEAD)).astype(np.float32),
    }  # fmt: skip
    return OutcomeView(**{**fields, **changes})


@pytest.fixture(scope="module")
def frame() -> Frame:
    session = Session(Preset.model_validate({"name": "g", "title": "t", "network": "growing", "growth": GROWTH}))
    session.tick()
    frame = session.frame()
    assert frame.growth is not None
    origin = np.array([0, NASCENT, CACHED, 0, 0, 0], np.uint8)
    troubles = TransientView(origin, np.full(6, -1, np.int32), np.zeros(6, np.int32), cached=3, hits=4, spawned=7)
    novelty = np.array([0.1, 4, 5, 0.2, 0.3, 9], np.float32)
    components = np.array([0, 1, 2, 0, 0, 0], np.int32)
    growth = replace(
        frame.growth, outcomes=outcomes(), transients=troubles, novelty=novelty, components=components
    )  # fmt: skip
    return replace(frame, growth=growth)


@pytest.fixture
def growth(frame: Frame) -> Growth:
    assert frame.growth is not None
    return frame.growth


def test_the_distribution_stands_beside_what_came(qtbot: QtBot, frame: Frame, growth: Growth) -> None:
    panel = OutcomesPanel()
    qtbot.addWidget(panel)
    panel.redraw(frame)
    view = growth.outcomes
    assert view is not None
    np.testing.assert_allclose(panel.expected.getData(), [view.grid, view.density])
    edges, heights = panel.alike.getData()
    assert len(edges) == len(heights) + 1
    assert edges[0] < view.grid[0] < view.grid[-1] < edges[-1]
    step = view.grid[1] - view.grid[0]
    assert (np.diff(edges) * heights).sum() == pytest.approx(view.alike.sum() * step, rel=1e-4)
    assert (panel.plain.value(), panel.came.value()) == (0.25, -0.75)
    assert panel.bars.opts["height"].tolist() == view.levels.tolist()
    assert panel.words.text() == outcome_words(growth, view)
    for part in ("w[3]", "2 components (two modes)", "NLL 0.6 nats, plain 0.9", "KS p 0.4: no sign of bias"):
        assert part in panel.words.text()
    assert "not calibrated" in outcome_words(growth, outcomes(ks_p=0.01))
    assert "too few" in outcome_words(growth, outcomes(ks_p=None))
    assert "head Cold" in outcome_words(growth, outcomes(components=0))
    panel.redraw(replace(frame, tick=99, growth=replace(growth, outcomes=None)))
    assert panel.words.text() == "nothing is watched yet"


@pytest.mark.parametrize("count", [50, 200, 1000])
def test_the_band_holds_what_chance_does(count: int) -> None:
    low, high = spread_by_chance(count, BINS)
    held = binom.cdf(np.floor(high), count, 1 / BINS) - binom.cdf(np.ceil(low) - 1, count, 1 / BINS)
    assert held == pytest.approx(0.95, abs=0.03)


def test_futures_are_separate_strands() -> None:
    paths = np.arange(6, dtype=np.float32).reshape(2, 3)
    x, y = strands(paths)
    np.testing.assert_array_equal(x, [1, 2, 3, np.nan] * 2)
    np.testing.assert_array_equal(y, [0, 1, 2, np.nan, 3, 4, 5, np.nan])


def test_troubles_are_told_and_ringed(qtbot: QtBot, frame: Frame, growth: Growth) -> None:
    told = trouble_words(growth)
    assert told == "2 transient modules now, 7 so far, 4 of them from the cache of 3 · novelty up to 9"
    assert trouble_words(replace(growth, transients=None)) == ""
    graph = GraphView(ViewSettings(), Exposure())
    qtbot.addWidget(graph)
    graph.resize(400, 300)
    plain = replace(frame, growth=replace(growth, transients=None, novelty=None))
    graph.show_frame(plain)
    without = graph.capture((400, 300)).astype(int)
    graph.show_frame(frame)
    ringed = np.abs(graph.capture((400, 300)).astype(int) - without).sum(2) > 60
    area = graph.rect().toRectF()
    reach = graph.picture.radius(area) + 8
    found = [
        bool(ringed[int(y - reach) : int(y + reach), int(x - reach) : int(x + reach)].any())
        for x, y in graph.points(area)
    ]
    assert found == [False, True, True, False, False, True]
    tip = graph.tip_at(QPointF(*graph.points(area)[2]))
    assert "distribution of 2 components, novelty 5, transient module, from the cache" in tip
