"""Stencils: units that all nodes share, attraction, ties, escapes, and what is proposed to the probe."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.dynamics import make_stream
from engine.networks.growing.candidates import Candidate, commit
from engine.networks.growing.graph import Graph
from engine.networks.growing.learner import Learner
from engine.networks.growing.places import Places
from engine.networks.growing.planner import Planner
from engine.networks.growing.probe import prices
from engine.networks.growing.stencils import Stencils
from kernels.sparse import ABOVE, LINE, PRODUCT
from tests.engine.growing_cases import wanderers, watched, wire

NODES = 12


def coupled(couplings: Sequence[float], ticks: int = 1200, seed: int = 0, noise: float = 1.0) -> np.ndarray:
    """Noisy nodes on a ring, each of which reads the two beside it, (ticks, nodes, 1)."""
    rng = np.random.default_rng(seed)
    x, found = np.zeros(len(couplings)), []
    for _ in range(ticks):
        x = 0.4 * x + np.asarray(couplings) * (np.roll(x, 1) + np.roll(x, -1)) + noise * rng.standard_normal(len(x))
        found.append(x)
    return np.array(found)[:, :, None]


def ring(graph: Graph, spread: float = 0.0, seed: int = 0) -> Graph:
    """Every node reads itself and the two beside it, all with the same weight but for a random part."""
    rng = np.random.default_rng(seed)
    for node in range(graph.nodes):
        for offset in (-1, 0, 1):
            weight = 0.2 + spread * float(rng.standard_normal())
            graph.connect(node, (node + offset) % graph.nodes, weight)
    return graph


def apart(stencils: Stencils, nodes: Sequence[int]) -> float:
    """Standard deviation of like places over these nodes, in shared units."""
    places = stencils.places
    values = places.shared(places.weights).reshape(stencils.graph.nodes, -1)
    order = places.place.reshape(stencils.graph.nodes, -1).argsort(1)
    found: np.ndarray = np.take_along_axis(values, order, 1)[list(nodes)].std(0)
    return float(found.mean())


def look(learner: Learner) -> list[Any]:
    """A meta-step of the stencils only."""
    assert learner.stencils is not None
    evidence = [learner.errors(512) for _ in range(2)]
    return learner.stencils.review(evidence, prices(learner).within, learner.steps)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=10, deadline=None)
def test_one_law_for_all_nodes_is_one_set_of_weights_in_shared_units(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = watched(wanderers(NODES, 2, seed=seed % 1000), knots=0)
    graph.centre, graph.spread = rng.normal(0, 3, graph.states), rng.uniform(0.3, 4, graph.states)
    graph.unit = rng.uniform(0.2, 2, graph.states)
    x = rng.normal(0, 5, (400, NODES, 2))
    u, p = x[..., 0], x[..., 1]
    law = 0.7 - 1.5 * u + 0.8 * np.roll(u, 1, 1) * np.roll(p, -1, 1) - 0.4 * np.roll(u, 2, 1) + 0.3 * u * u
    z = graph.scaled(x)
    for node in range(NODES):
        row = 2 * node
        around = [(node + offset) % NODES for offset in (-2, -1, 0, 1)]
        sources = [2 * around[0], 2 * around[1], row, 2 * around[3] + 1]
        found = [Candidate("constant", node, row)] + [Candidate("edge", node, row, (s,)) for s in sources]
        found += [
            Candidate("product", node, row, (sources[1], sources[3])),
            Candidate("product", node, row, (row, row)),
        ]
        terms = [np.prod([np.ones(len(z)), *(z[:, s] for s in c.sources)], 0) for c in found]
        wanted = law[:, node] / (graph.spread[row] * graph.unit[row])
        for candidate, weight in zip(found, np.linalg.lstsq(np.array(terms).T, wanted)[0], strict=True):
            commit(graph, candidate, float(weight), 0)
    places = Places(graph)
    weights, values = places.weights, places.shared(places.weights)
    spreads = []
    for place in np.unique(places.place):
        mine = places.place == place
        assert mine.sum() == NODES
        spreads.append(np.ptp(weights[mine]))
        np.testing.assert_allclose(values[mine], values[mine].mean(), atol=1e-8)
    assert min(spreads) > 1e-2
    np.testing.assert_allclose(places.own(values), weights, atol=1e-9)
    slope, by = rng.standard_normal((2, len(weights)))
    assert places.gradient(slope) @ by == pytest.approx(slope @ places.own(by))


def test_knots_and_taps_have_shared_units_too() -> None:
    graph = watched(wanderers(NODES, 1), memory=3)
    rng = np.random.default_rng(1)
    graph.centre, graph.spread = rng.normal(0, 3, NODES), rng.uniform(0.3, 4, NODES)
    for node in range(NODES):
        line, other = graph.line(node, node), graph.line(node, (node + 1) % NODES)
        knot = (1.2 - graph.centre[node]) / graph.spread[node]
        graph.core.add(np.array([[node, graph.term(ABOVE, node, line, 0, knot)]]), np.array([0.5]))
        graph.core.add(np.array([[node, graph.term(LINE, node, other)]]), np.array([0.5]))
        graph.connectors.add_tap(other, 2, 0.3 * float(graph.memory.scale[2, (node + 1) % NODES]))
    places = Places(graph)
    assert len(np.unique(places.place)) == 3
    taps = places.shared(places.weights)[places.cells :]
    np.testing.assert_allclose(taps, taps[0], rtol=1e-6)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=10, deadline=None)
def test_places_survive_edits(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = wire(watched(wanderers(8, 2), pools=2), rng, latency=1)
    places = Places(graph)
    named = {int(c): float(v) for c, v in zip(places.code, places.weights, strict=True) if c >= 0}
    graph.core.remove(rng.random(graph.core.struct) < 0.3)
    graph.compact()
    assert places.refresh()
    assert not places.refresh()
    kept = {int(c): float(v) for c, v in zip(places.code, places.weights, strict=True) if c >= 0}
    assert kept
    alone = {code for code in kept if code in named}
    assert all(named[code] == kept[code] for code in alone)
    assert len(alone) >= 0.5 * len(kept)


def test_likes_are_drawn_together_and_nothing_is_drawn_from_beyond_the_radius() -> None:
    graph = ring(watched(coupled([0.2] * NODES), stencils=True, attraction=20.0, horizon=0), spread=0.01)
    for offset, weight in ((-1, -0.5), (0, 0.2), (1, 0.5)):
        place = graph.core.find(np.array([[5, graph.term(LINE, 5, graph.line(5, 5 + offset))]]))
        graph.core.W_vals[place] = weight
    learner = Learner(graph)
    stencils = learner.stencils
    assert stencils is not None
    look(learner)
    others = [node for node in range(NODES) if node != 5]
    assert stencils.likes[np.ix_(others, others)].sum() == len(others) * (len(others) - 1)
    assert not stencils.likes[5].any()
    strange, before = graph.core.W_vals[graph.core.M_idx[:, 0] == 5].copy(), apart(stencils, others)
    still = np.zeros(graph.core.struct), np.zeros(graph.connectors.taps.shape)
    for _ in range(40):
        stencils.step(*still, 0.01)
    assert np.array_equal(graph.core.W_vals[graph.core.M_idx[:, 0] == 5], strange)
    assert apart(stencils, others) < 0.4 * before


def variances(stencils: bool, **how: Any) -> float:
    """How far apart nodes are that learned one law from few and noisy data."""
    graph = ring(watched(coupled([0.2] * NODES, ticks=400), batch=32, stencils=stencils, **how))
    learner = Learner(graph)
    for step in range(600):
        if step % 50 == 0 and stencils:
            look(learner)
        learner.step()
    return apart(Stencils(graph), range(NODES))


def test_attraction_and_ties_lower_the_variance_over_nodes() -> None:
    alone = variances(False)
    drawn = variances(True, attraction=10.0, horizon=0)
    tied = variances(True, attraction=0.0, horizon=1)
    assert drawn < 0.8 * alone
    assert tied < 0.3 * alone


def test_a_node_that_is_different_escapes_and_keeps_its_own_value() -> None:
    couplings = [0.2] * NODES
    graph = ring(watched(coupled(couplings, ticks=4000), stencils=True, attraction=0.0, horizon=1, batch=256))
    learner = Learner(graph)
    stencils = learner.stencils
    assert stencils is not None

    def learn(meta: int) -> list[Any]:
        found = []
        for _ in range(meta):
            for _ in range(50):
                learner.step()
            found += look(learner)
        return found

    learn(8)
    assert stencils.tied.mean() > 0.9
    couplings[7] = 0.32
    for state in graph.scaled(coupled(couplings, ticks=8000, seed=1)):
        graph.memory.push(state)
    changes = learn(12)
    free = np.flatnonzero(~stencils.tied)
    mine = graph.core.M_idx[:, 0] == 7
    assert {int(graph.core.M_idx[change.weight, 0]) for change in changes if change.kind == "escape"} == {7}
    assert set(free) <= set(np.flatnonzero(mine))
    W = graph.core.dense() * (graph.unit * graph.spread)[:, None]
    reads = {node: W[node, graph.terms.find(LINE, graph.connectors.find(node, node - 1))] / graph.spread[node - 1]
             for node in range(1, NODES)}  # fmt: skip
    assert reads[7] == pytest.approx(0.32, abs=0.04)
    assert np.mean([value for node, value in reads.items() if node != 7]) == pytest.approx(0.2, abs=0.02)


def lorenz(order: np.ndarray, steps: int = 400) -> Planner:
    """Grown with stencils on a small Lorenz 96 whose nodes come in this order."""
    states = make_stream("lorenz96", nodes=len(order), steps=1500, seed=1).states[:, order]
    graph = watched(states, np.float32, cells=400, memory=1, knots=0, batch=128, evidence=512, stencils=True, horizon=1)
    planner = Planner(Learner(graph))
    for _ in range(steps):
        planner.step()
    return planner


def test_nodes_in_random_order_are_not_tied() -> None:
    order = np.arange(14)
    ordered, shuffled = lorenz(order), lorenz(np.random.default_rng(3).permutation(order))
    for planner, few, many in ((ordered, 30, 400), (shuffled, 0, 0)):
        stencils = planner.learner.stencils
        assert stencils is not None
        assert few <= stencils.tied.sum() <= many
        ties = [found for found in planner.ledger.decisions if found.kind == "tie"]
        assert bool(ties) == (many > 0)
    assert "one weight for" in next(d.what for d in ordered.ledger.decisions if d.kind == "tie")


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=3, deadline=None)
def test_no_budget_is_exceeded_with_stencils(seed: int) -> None:
    rng = np.random.default_rng(seed)
    cells, taps, shapes = (int(n) for n in rng.integers(10, 40, 3))
    graph = watched(coupled([0.2] * 8, seed=seed % 1000, ticks=400), np.float32, cells=cells, taps=taps, shapes=shapes,
                    cycle=2, price=0.0, doubt=0.0, least=0.0, knots=3, stencils=True, horizon=1)  # fmt: skip
    planner = Planner(Learner(graph, seed % 1000), seed % 1000)
    for _ in range(30):
        planner.step()
        assert graph.core.struct <= cells
        assert graph.connectors.struct <= taps
        assert graph.terms.struct <= shapes
        assert planner.learner.barrier.count(graph) < planner.learner.barrier.limit
        assert planner.tokens.held.sum() + planner.tokens.pool == planner.tokens.total
        assert np.isfinite(graph.core.W_vals).all()


def test_where_nobody_is_alike_learning_is_the_same_to_the_bit() -> None:
    ends = []
    for stencils in (False, True):
        graph = wire(watched(wanderers(6, 2), np.float32, stencils=stencils), np.random.default_rng(2), latency=1)
        learner = Learner(graph)
        for step in range(60):
            if step % 20 == 0 and stencils:
                rng = learner.rng.bit_generator.state
                look(learner)
                learner.rng.bit_generator.state = rng
            learner.step()
        ends.append((graph.core.W_vals.copy(), graph.connectors.taps.copy()))
    assert np.array_equal(ends[0][0], ends[1][0])
    assert np.array_equal(ends[0][1], ends[1][1])


def test_rings_arms_and_what_likes_have_are_proposed() -> None:
    graph = ring(watched(coupled([0.2] * NODES), stencils=True))
    for node in range(NODES - 1):
        left, right = (graph.line(node, (node + offset) % NODES) for offset in (-1, 1))
        graph.core.add(np.array([[node, graph.term(PRODUCT, node, left, right)]]), np.array([0.1]))
    graph.connect(0, 4, 0.1)
    learner = Learner(graph)
    stencils = learner.stencils
    assert stencils is not None
    look(learner)
    last = stencils.nearby(NODES - 1, 9)
    assert (last[0].kind, set(last[0].sources)) == ("product", {0, NODES - 2})
    assert {c.sources for c in last[1:]} == {(1,), (NODES - 3,)}
    assert {c.sources for c in stencils.nearby(0, 9)} == {(2,), (NODES - 2,), (5,)}
    alone = Stencils(watched(wanderers(5, 1))).nearby(2, 9)
    assert {c.sources for c in alone} == {(1,), (3,)}


def test_no_node_is_worse_off_by_more_than_the_price_of_what_is_tied() -> None:
    """On a smooth rod nodes are nearly collinear: to bring one weight to a tie the others may have far to go."""
    states = make_stream("heat", steps=1200).states
    graph = watched(states, np.float32, stencils=True, products=False, knots=0, memory=2, jitter=0.01, evidence=1024)
    planner = Planner(Learner(graph), 0)
    stencils = planner.learner.stencils
    assert stencils is not None
    rises, tied, review = [], [], stencils.review

    def watched_review(evidence: list[Any], price: np.ndarray, step: int) -> list[Any]:
        seen = [(done.seen, done.y - error) for done, error in evidence]
        before = graph.losses(seen)
        changes = review(evidence, price, step)
        rises.append(float((graph.losses(seen) - before - price).max()))
        tied.extend(change for change in changes if change.kind == "tie")
        return changes

    stencils.review = watched_review  # type: ignore[method-assign]
    for _ in range(800):
        planner.step()
    print(f"{len(tied)} ties made, {stencils.ties.count} left")
    assert tied
    assert max(rises) < 1e-6
