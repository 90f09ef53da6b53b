"""What fades out: others take over what they can, at every step of the way, and what it costs is told beforehand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.dynamics import make_stream
from engine.networks.growing import probe
from engine.networks.growing.candidates import Candidate, commit, feature, values_of
from engine.networks.growing.fade import SHARE, Fading
from engine.networks.growing.graph import Graph
from engine.networks.growing.learner import Learner
from engine.networks.growing.planner import Planner
from engine.networks.growing.prune import cost_of_tap
from engine.networks.growing.relax import RIDGE
from kernels.sparse import LINE, PRODUCT
from tests.engine.growing_cases import outputs, wanderers, watched, wire

STATES = wanderers(4, 1)
FADED = 80
"""Steps after which nothing is left."""


def seen_by(graph: Graph, samples: int = 256, seed: int = 0) -> np.ndarray:
    ticks = graph.memory.draw(np.random.default_rng(seed), samples)
    return graph.memory.seen(ticks, graph.connectors.lags)


def moved(graph: Graph, fading: Fading, seen: np.ndarray, heirs: bool) -> float:
    """Largest share by which outputs stray from what they were, over all steps."""
    before = graph.forward(seen).y.copy()
    size = np.sqrt(np.square(before).mean(1))
    worst = 0.0
    for _ in range(FADED):
        fading.step(seen if heirs else None)
        off = np.sqrt(np.square(graph.forward(seen).y - before).mean(1))
        worst = max(worst, float((off / np.maximum(size, 1e-12)).max()))
    return worst


def twins(tap: float) -> Graph:
    """Node 0 reads node 1 by two lines; one has a tap, the other the same by a cell of its own and a third line."""
    graph = watched(STATES, memory=2)
    lines = [graph.line(0, 1)]
    for _ in range(2):
        lines.append(graph.connectors.add(0, 1))
    graph.connectors.add_tap(lines[1], 1, tap)
    graph.connectors.add_tap(lines[2], 1, 0.9 * tap)
    columns = [graph.term(LINE, 0, line) for line in lines]
    graph.core.add(np.array([[0, column] for column in columns]), np.array([0.5, 0.7, -0.4]))
    return graph


@pytest.mark.parametrize("tap", [0.3, 2.0, -5.0])
def test_a_tap_that_others_can_replace_fades_without_a_trace(tap: float) -> None:
    """Line 1 tells what lines 0 and 2 tell together, so its tap is worth nothing, however much it tells. Nor does its
    own cell grow, step after step, for what the tap tells less."""
    graph = twins(tap)
    seen = seen_by(graph)
    done = graph.forward(seen)
    cost = cost_of_tap(graph, 1, 1, [done], [np.zeros_like(done.y)])
    assert cost < 1e-4 * np.square(done.y[0]).mean()
    fading = Fading(graph)
    fading.tap(1, 1)
    assert moved(graph, fading, seen, heirs=True) < 0.05
    assert not graph.connectors.active[1, 1]
    assert np.abs(graph.core.W_vals).max() < 0.8
    alone = twins(tap)
    fading = Fading(alone)
    fading.tap(1, 1)
    assert moved(alone, fading, seen, heirs=False) > 0.2


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=10, deadline=None)
def test_a_taps_cost_is_the_loss_once_it_is_gone_and_its_node_has_adapted(seed: int) -> None:
    """By a ridge regression on the row's terms once it is gone. (The node reads itself: nothing stands in for the
    line.)"""
    rng = np.random.default_rng(seed)
    graph = wire(watched(STATES, memory=2), rng, cells=20, taps=0)
    line = graph.line(0, 0)
    graph.core.add(np.array([[0, graph.term(PRODUCT, 0, line, graph.line(0, 2))]]), np.array([0.5]))
    graph.connectors.add_tap(line, 1, float(rng.choice([-3.0, 0.2, 2.0])))
    seen = seen_by(graph)
    done = graph.forward(seen)
    error = done.y + rng.standard_normal(done.y.shape)
    wanted = done.y - error
    cost = cost_of_tap(graph, line, 1, [done], [error])

    def left() -> float:
        hot = graph.core.hot_of_row(0)
        done = graph.forward(seen)
        terms, off = done.terms[graph.core.columns[hot]], done.y[0] - wanted[0]
        gram = terms @ terms.T
        moved = np.linalg.lstsq(gram + RIDGE * np.diag(np.diag(gram)), terms @ off)[0]
        return float(0.5 * np.square(off - moved @ terms).mean())

    before = left()
    graph.connectors.drop_tap(line, 1)
    assert cost == pytest.approx(left() - before, rel=1e-3, abs=1e-6)


def test_a_dear_tap_is_not_called_cheap_because_its_own_line_seems_to_make_up_for_it() -> None:
    """Nearly all that the line brings comes by the tap. To first order its cell, made larger, would do as well."""
    graph = watched(STATES, memory=2)
    line = graph.line(0, 0)
    graph.connectors.add_tap(line, 1, 50.0)
    graph.core.add(np.array([[0, graph.term(LINE, 0, line)]]), np.array([0.02]))
    done = graph.forward(seen_by(graph))
    assert cost_of_tap(graph, line, 1, [done], [np.zeros_like(done.y)]) > 0.05 * np.square(done.y[0]).mean()


@pytest.mark.parametrize(("which", "least", "most"), [(0, 0.0, 0.02), (2, 0.1, 2.0)])
def test_a_cell_that_another_can_replace_fades_without_a_trace_and_one_of_its_own_by_steps(
    which: int, least: float, most: float
) -> None:
    """Lines 0 and 1 bring the same, with weights that nearly cancel; nothing stands in for line 2."""
    graph = watched(STATES)
    lines = [graph.line(0, 1), graph.connectors.add(0, 1), graph.line(0, 2)]
    cells = np.array([[0, graph.term(LINE, 0, line)] for line in lines])
    graph.core.add(cells, np.array([3.0, -2.0, 0.5]))
    fading, seen = Fading(graph), seen_by(graph)
    where = int(graph.core.find(cells[[which]])[0])
    value = float(graph.core.W_vals[where])
    fading.cell(where)
    assert graph.core.W_vals[where] == value
    before = graph.forward(seen).y[0].copy()
    fading.step(seen)
    assert graph.core.W_vals[where] == pytest.approx((1 - SHARE) * value)
    off = np.sqrt(np.square(graph.forward(seen).y[0] - before).mean() / np.square(before).mean())
    assert off < SHARE * most
    assert least * (1 - SHARE) < moved(graph, fading, seen, heirs=True) < most
    assert graph.core.find(cells[[which]])[0] < 0


@pytest.mark.parametrize("seed", [0, 1])
def test_weights_that_nearly_cancel_are_not_grown(seed: int) -> None:
    """On a smooth stream lines are nearly alike. What only large weights of opposite signs could explain or take over
    would break at the next edit; without the ridge they came to 15 here."""
    states = make_stream("lorenz63", steps=4000, seed=seed).states
    graph = watched(states, np.float32, memory=2, knots=0, batch=256, evidence=1024)
    planner = Planner(Learner(graph, seed), seed)
    worst = 0.0
    for _ in range(2000):
        planner.step()
        worst = max(worst, float(np.abs(graph.core.W_vals).max(initial=0)))
    print(f"largest weight {worst:.1f}, losses {planner.learner.loss}")
    assert worst < 5
    assert planner.learner.loss.max() < 0.01


def test_what_is_nearly_there_already_begins_small() -> None:
    """A region of which all but a millionth is explained: the rest wants a value of 200."""
    batches = probe.STEPS + probe.BATCHES
    left, whole = np.full((batches, 1), 1e-6), np.ones((batches, 1))
    value, gain = probe._two_steps(-200 * left, left[:, :, None], whole)
    assert 0 < value[0] < 200 * 1e-6 / RIDGE
    assert gain.max() < 2e-2 * 0.5 * 200**2 * 1e-6
    new, _ = probe._two_steps(-2 * whole, whole[:, :, None], whole)
    assert new[0] == pytest.approx(2, rel=0.3)


def test_of_a_node_one_tap_at_a_time_is_condemned() -> None:
    """Random taps that tell nothing: each may stand in for another, so they go one after the other."""
    graph = wire(watched(wanderers(3, 1, 900), memory=4, cycle=10), np.random.default_rng(0), cells=20, taps=20)
    planner = Planner(Learner(graph), 0)
    condemned, tap = [], planner.fading.tap
    planner.fading.tap = lambda line, at: (  # type: ignore[method-assign]
        condemned.append((planner.learner.steps, int(graph.connectors.reader[line]))), tap(line, at)
    )[1]  # fmt: skip
    for _ in range(300):
        planner.step(grow=False)
        if planner.learner.steps % 10 == 0:
            planner._shed()
    assert len(condemned) > 5
    assert len(set(condemned)) == len(condemned)


@pytest.mark.parametrize(
    "found",
    [
        Candidate("constant", 0, 0),
        Candidate("edge", 0, 0, (1,)),
        Candidate("product", 0, 0, (1, 2)),
        Candidate("product", 0, 0, (1, 1)),
        Candidate("hinge", 0, 0, (2,), knot=0.1),
        Candidate("hinge", 0, 0, (2,), knot=0.1, below=True),
        Candidate("tap", 0, 0, line=0, tap=1),
    ],
)
def test_what_a_region_would_add_is_what_it_adds_once_it_is_there(found: Candidate) -> None:
    """A tap to first order, so it is made small; whether lines have taps already, or are new."""
    graph = watched(STATES, memory=2)
    first = graph.line(0, 1)
    graph.core.add(np.array([[0, graph.term(LINE, 0, first)]]), np.array([0.5]))
    if found.kind != "tap":
        graph.connectors.add_tap(first, 1, 0.3)
    seen = seen_by(graph)
    done = graph.forward(seen)
    before = done.y.copy()
    told = feature(graph, found, values_of(graph, 0, done), done)
    assert np.abs(told).max() > 0.01
    value = 1e-4 if found.kind == "tap" else 1.0
    commit(graph, found, value, 0)
    np.testing.assert_allclose((graph.forward(seen).y - before)[:1] / value, told, atol=1e-9)
    assert np.array_equal(outputs(graph)[1:], np.zeros_like(outputs(graph)[1:]))
