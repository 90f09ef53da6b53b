"""A growing graph in a session: it learns and grows while it ticks, its knobs act, its frames say what it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engine.commands import Ablate, Learn, Reset, SelectSample, SetParameter
from engine.frame import UNUSED
from engine.networks.growing.network import GrowingNetwork
from engine.preset import Preset, PresetError, load_preset, parse_preset
from engine.session import Session

GROW = ("grow-black-hole", "grow-doublewell", "grow-fhn", "grow-heat", "grow-lorenz96")
SMALL = {
    "stream": "fhn", "parameters": {"nodes": 6, "steps": 1200, "noise": 0.02}, "cells": 80, "taps": 12,
    "products": False, "knots": 3, "batch": 32, "evidence": 128, "cycle": 10, "listened": 300, "window": 1000,
}  # fmt: skip


def small(**changes: Any) -> Preset:
    growth = {**SMALL, **changes.pop("growth", {})}
    return Preset.model_validate({"name": "g", "title": "t", "network": "growing", "growth": growth, **changes})


def run(session: Session, ticks: int) -> GrowingNetwork:
    for _ in range(ticks):
        session.tick()
    assert isinstance(session.network, GrowingNetwork)
    return session.network


def test_it_learns_and_grows_while_it_ticks_and_the_frame_tells() -> None:
    session = Session(small())
    begun = session.frame()
    assert begun.growth is not None
    assert begun.growth.struct == 0
    run(session, 150)
    frame = session.frame()
    assert frame.growth is not None
    growth = frame.growth
    assert frame.metrics.phase == "streaming"
    assert not frame.metrics.settled
    assert growth.struct > 10
    assert growth.struct <= growth.limit
    assert growth.loss.mean() < 0.8 * begun.growth.loss.mean()
    assert growth.tokens.sum() + growth.pool == growth.limit
    assert len(growth.cells) == len(growth.values) == len(growth.heat) == len(growth.born)
    assert growth.decided >= len(growth.decisions) > 0
    assert all(np.isfinite((d.predicted, d.snr, d.spread, d.price)).all() for d in growth.decisions)
    assert any(d.realised is not None for d in growth.decisions)
    assert (np.diff(growth.spectrum) >= 0).all()
    assert growth.edge_f1 is not None
    state = np.array(session.network.graph.state).reshape(6, 2)  # type: ignore[attr-defined]
    for feature in range(2):
        used = frame.flags[feature] & UNUSED == 0
        assert set(np.round(frame.activation[feature][used], 5)) <= set(np.round(state[:, feature] / 3, 5))


def test_two_sessions_with_one_seed_are_the_same() -> None:
    first, second = (run(Session(small()), 40) for _ in range(2))
    assert np.array_equal(first.graph.core.M_idx, second.graph.core.M_idx)
    assert np.array_equal(first.graph.core.W_vals, second.graph.core.W_vals)


def figures(network: GrowingNetwork) -> tuple[Any, ...]:
    """Cells, size of the error, loss of each number."""
    return network.graph.struct, network.observe().rms_nudge, network.learner.loss.copy()


@pytest.fixture(scope="module")
def untouched() -> tuple[Any, ...]:
    """After 80 ticks with all knobs as they are."""
    return figures(run(Session(small()), 80))


@pytest.mark.parametrize(
    ("knob", "value"),
    [("rate", 0.1), ("shrink", 0.9), ("doubt", 9.0), ("price", 60.0), ("curvature", 9.0), ("pace", 0.3),
     ("reliability", 0.2), ("free", 1.0), ("grow", 0.0), ("freeze", 1.0)],
)  # fmt: skip
def test_every_knob_changes_a_measured_number(knob: str, value: float, untouched: tuple[Any, ...]) -> None:
    session = Session(small())
    run(session, 40)
    session.apply(SetParameter(knob, value))
    measured = figures(run(session, 40))
    assert not all(np.array_equal(a, b) for a, b in zip(measured, untouched, strict=True))


def test_only_a_graph_with_stencils_has_their_knob_and_it_acts() -> None:
    growth = {
        "stream": "lorenz96", "parameters": {"nodes": 10, "steps": 1200}, "cells": 200, "products": True,
        "knots": 0, "memory": 1, "stencils": True, "commits": 8,
    }  # fmt: skip
    ends = []
    for attraction in (0.0, 100.0):
        session = Session(small(growth=growth))
        session.apply(SetParameter("attraction", attraction))
        network = run(session, 120)
        assert network.learner.stencils is not None
        assert network.learner.stencils.likes.any()
        ends.append(figures(network))
    assert not all(np.array_equal(a, b) for a, b in zip(*ends, strict=True))
    assert "attraction" not in Session(small()).network.parameters


def test_freezing_stops_learning_and_grow_stops_the_planner() -> None:
    session = Session(small())
    network = run(session, 60)
    session.apply(SetParameter("freeze", 1))
    before, decided = network.graph.core.W_vals.copy(), network.planner.ledger.count
    run(session, 30)
    assert np.array_equal(network.graph.core.W_vals, before)
    session.apply(SetParameter("freeze", 0))
    session.apply(SetParameter("grow", 0))
    run(session, 30)
    assert not np.array_equal(network.graph.core.W_vals, before)
    assert network.planner.ledger.count == decided


def test_a_reset_forgets_the_structure_and_the_stream_begins_again_at_its_end() -> None:
    session = Session(small(growth={"parameters": {"nodes": 6, "steps": 400, "noise": 0.02}}))
    network = run(session, 130)
    assert network.ticks == 130
    assert np.isfinite(network.graph.state).all()
    session.apply(Reset())
    assert network.graph.struct == 0
    assert network.ticks == 0


def test_numbers_can_be_hidden_and_seen_again() -> None:
    session = Session(small())
    run(session, 20)
    session.apply(Ablate(0.5))
    network = run(session, 1)
    hidden = network.ablated & network.first
    assert hidden.sum() == 6
    assert not network.channels(0)[0][network.ablated].any()
    network.heal()
    assert not network.ablated.any()


def test_what_a_stream_cannot_do_is_refused_in_words() -> None:
    session = Session(small())
    with pytest.raises(ValueError, match="lives on the stream fhn"):
        session.apply(SelectSample(1))
    with pytest.raises(ValueError, match="learns at every tick"):
        session.apply(Learn(True))
    with pytest.raises(PresetError, match="no stream named 'nothing'"):
        Session(small(growth={"stream": "nothing", "parameters": {}}))
    with pytest.raises(PresetError, match="needs a stream"):
        parse_preset('title = "t"\nnetwork = "growing"\nlayers = 1\nneurons = 1\n', "x", "x.toml")
    with pytest.raises(PresetError, match=r"growth\.cells"):
        parse_preset('title = "t"\nnetwork = "growing"\n[growth]\nstream = "fhn"\ncells = -1\n', "x", "x.toml")


@pytest.mark.parametrize("name", GROW)
def test_shipped_presets_say_what_they_need(name: str) -> None:
    preset = load_preset(name)
    assert preset.growth is not None
    assert preset.growth.stream in ("lorenz96", "fhn", "heat", "doublewell", "black-hole")


def test_what_was_probed_and_left_cold_is_told_as_warm() -> None:
    session = Session(small())
    graph = run(session, 40).graph
    growth = session.frame().growth
    assert growth is not None
    warm, wiring = growth.warm, growth.wiring
    assert warm is not None
    assert wiring is not None
    assert 0 < len(warm.rows) <= 6 * graph.states
    assert (warm.snr > 0).all()
    there = {
        (int(row), int(wiring.kinds[column]), *map(int, wiring.sources[column]), float(wiring.knots[column]))
        for row, column in growth.cells
    }
    regions = zip(warm.rows, warm.kinds, warm.sources, warm.knots, strict=True)
    probed = {(int(row), int(kind), *map(int, sources), float(knot)) for row, kind, sources, knot in regions}
    assert there
    assert not there & probed
    session.apply(Reset())
    again = session.frame().growth
    assert again is not None
    assert again.warm is not None
    assert len(again.warm.rows) == 0
