"""Growing graphs: budgets, ticks, gradients, modules, the barrier."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.networks.growing.core import BudgetError, SparseCore
from engine.networks.growing.economy import Barrier, Tokens
from engine.networks.growing.learner import Learner, objective
from engine.networks.growing.memory import Memory
from engine.networks.growing.modules import GraphModule, SuperGraph, most_levels
from engine.networks.growing.planner import Planner
from tests.engine.growing_cases import outputs, wanderers, watched, wire


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_cells_stay_sorted_and_within_the_budget_under_random_edits(seed: int) -> None:
    rng = np.random.default_rng(seed)
    core, mirror = SparseCore(6, 5, 12, np.float64), np.zeros((6, 5))
    for _ in range(30):
        if rng.random() < 0.6:
            cells = rng.integers(0, (6, 5), (int(rng.integers(1, 6)), 2))
            values = rng.standard_normal(len(cells))
            before = core.dense()
            try:
                core.add(cells, values)
            except BudgetError:
                assert np.array_equal(core.dense(), before)
            else:
                np.add.at(mirror, tuple(cells.T), values)
        elif core.struct:
            gone = rng.random(core.struct) < 0.4
            mirror[tuple(core.M_idx[gone].T)] = 0
            core.remove(gone)
        assert core.struct <= core.limit
        keys = core.M_idx[:, 0] * 5 + core.M_idx[:, 1]
        assert (np.diff(keys) > 0).all()
        np.testing.assert_allclose(core.dense(), mirror, atol=1e-12)
        x = rng.standard_normal((5, 3))
        np.testing.assert_allclose(core.forward(x), mirror @ x, atol=1e-12)
        assert core.hot.sum() == core.struct


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=4, deadline=None)
def test_no_budget_is_exceeded_at_any_tick_while_a_graph_grows(seed: int) -> None:
    rng = np.random.default_rng(seed)
    cells, taps, shapes = (int(n) for n in rng.integers(2, 25, 3))
    graph = watched(wanderers(4, 2, seed=seed % 1000), np.float32, cells=cells, taps=taps, shapes=shapes, cycle=2,
                    price=0.0, doubt=0.0, least=0.0, knots=3)  # fmt: skip
    planner = Planner(Learner(graph, seed % 1000), seed % 1000)
    grown = 0
    for _ in range(24):
        planner.step()
        assert graph.core.struct <= cells
        assert graph.connectors.struct <= taps
        assert graph.terms.struct <= shapes
        assert planner.learner.barrier.count(graph) < planner.learner.barrier.limit
        assert planner.tokens.held.min() >= 0
        assert planner.tokens.pool >= 0
        assert planner.tokens.held.sum() + planner.tokens.pool == planner.tokens.total
        grown = max(grown, graph.struct)
    assert grown > 0


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=10, deadline=None)
def test_the_result_does_not_depend_on_the_order_of_modules(seed: int) -> None:
    rng = np.random.default_rng(seed)
    states = wanderers(6, 2)
    ends = []
    for order in range(3):
        graph = wire(watched(states), np.random.default_rng(seed), latency=2)
        graph.rng = np.random.default_rng(7)
        graph.pace[:] = 0.7
        graph.connectors.reliability[:] = 0.6
        for _ in range(5):
            graph.begin_tick()
            if order == 0:
                graph.gather()
            else:
                for node in rng.permutation(graph.nodes):
                    GraphModule((int(node),)).gather(graph)
            graph.commit()
        ends.append(graph.state)
    np.testing.assert_allclose(ends[1], ends[0], rtol=1e-12)
    np.testing.assert_allclose(ends[2], ends[0], rtol=1e-12)
    assert not np.array_equal(ends[0], graph.scaled(states)[-1])


def test_nodes_update_as_often_as_their_frequency_says() -> None:
    graph = watched(wanderers(3, 1))
    for node in range(3):
        graph.core.add(np.array([[node, 0]]), np.array([1.0]))
    graph.pace[:] = 0.2, 0.7, 1.0
    moved = np.zeros(3)
    for _ in range(2000):
        before = graph.state.copy()
        graph.begin_tick()
        graph.gather()
        graph.commit()
        moved += graph.state != before
    np.testing.assert_allclose(moved / 2000, graph.pace, atol=5 * np.sqrt(0.25 / 2000))


def test_messages_arrive_as_often_as_the_reliability_says_and_else_the_last_one_counts() -> None:
    graph = watched(wanderers(3, 1))
    graph.connect(0, 1, 1.0)
    graph.connectors.reliability[:] = 0.3
    x = np.arange(2000.0) % 997
    kept, fresh = [], 0
    for value in x:
        graph.begin_tick()
        graph.gather()
        heard = float((graph.next[0] - graph.state[0]) / graph.unit[0])
        now = float(graph.state[1])
        if heard == pytest.approx(now):
            fresh += 1
        else:
            assert heard == pytest.approx(kept[-1])
        kept.append(heard)
        graph.commit(np.array([0.0, value, 0.0]))
    assert fresh / 2000 == pytest.approx(0.3, abs=5 * np.sqrt(0.21 / 2000))


@pytest.mark.parametrize("latency", [0, 1, 5])
def test_a_message_takes_as_many_ticks_as_its_latency(latency: int) -> None:
    graph = watched(wanderers(2, 1))
    line = graph.line(0, 1, latency=latency)
    graph.core.add(np.array([[0, graph.term(1, 0, line)]]), np.array([1.0]))
    heard = []
    for tick in range(12):
        graph.begin_tick()
        graph.gather()
        heard.append(round(float((graph.next[0] - graph.state[0]) / graph.unit[0]), 9))
        graph.commit(np.array([0.0, 100.0 * (tick == 3)]))
    assert [value == 100 for value in heard] == [tick == 4 + latency for tick in range(12)]


def test_an_edges_capacity_bounds_the_taps_of_its_lines() -> None:
    graph = watched(wanderers(2, 1))
    line = graph.line(0, 1, capacity=2)
    graph.connectors.add_tap(line, 3, 0.1)
    with pytest.raises(BudgetError):
        graph.connectors.add_tap(line, 1, 0.1)


@given(st.integers(0, 2**32 - 1), st.floats(0.3, 3.0))
@settings(max_examples=10, deadline=None)
def test_the_gradient_of_the_whole_objective_agrees_with_finite_differences(seed: int, scale: float) -> None:
    graph = wire(watched(wanderers(4, 2), cells=40, taps=20), np.random.default_rng(seed), latency=1)
    barrier = Barrier(60, scale, width=0.2)
    ticks = graph.memory.draw(np.random.default_rng(1), 16)
    seen = graph.memory.seen(ticks, graph.connectors.lags)

    def whole() -> tuple[np.ndarray, np.ndarray, float]:
        done = graph.forward(seen)
        return objective(graph, done, done.y - graph.targets(ticks), barrier)

    cells, taps, value = whole()
    assert value == pytest.approx(barrier.gamma(graph) * 0.5 * float(
        np.square(graph.forward(seen).y - graph.targets(ticks)).mean()))  # fmt: skip
    grown = [tuple(at) for at in np.argwhere(graph.connectors.active) if at[1]]
    some = [(graph.core.W_vals, (k,), cells[k]) for k in range(len(cells))]
    some += [(graph.connectors.taps, at, taps[at]) for at in grown]
    for array, at, found in some:
        kept, ends = array[at], []
        for sign in (1, -1):
            array[at] = kept + sign * 1e-6
            ends.append(whole()[2])
        array[at] = kept
        assert found == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=2e-5, abs=1e-8)


def test_the_barrier_rises_without_bound_towards_the_limit_and_is_never_crossed() -> None:
    barrier = Barrier(50)
    found = [barrier.at(count) for count in (0, 10, 30, 45, 49, 49.9)]
    assert found[0] == 1
    assert (np.diff(found) > 0).all()
    assert found[-1] > 15
    graph = watched(wanderers(10, 1), cells=50, taps=0)
    for k in range(50):
        graph.connect(k % 10, (k // 10 + k + 1) % 10, 1e6)
    assert graph.core.struct == 50
    assert barrier.limit - 1e-6 < barrier.count(graph) < barrier.limit
    with pytest.raises(BudgetError):
        graph.connect(0, 9, 1.0)


@given(st.integers(1, 10_000), st.floats(0.01, 100), st.lists(st.floats(0, 1, exclude_max=True), min_size=2))
@settings(max_examples=50, deadline=None)
def test_the_barrier_never_falls_while_complexity_grows(limit: int, scale: float, shares: list[float]) -> None:
    barrier = Barrier(limit, scale)
    found = [barrier.at(limit * share) for share in sorted(shares)]
    assert (np.diff(found) >= 0).all()
    assert found[0] >= barrier.at(0) == pytest.approx(1 / scale)
    assert np.isfinite(found).all()


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=15, deadline=None)
def test_complexity_stays_below_the_number_of_cells_and_taps_however_large_they_are(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = wire(watched(wanderers(4, 2), cells=30, taps=6), rng)
    barrier = Barrier(graph.core.limit + graph.connectors.limit)
    for size in (1e-3, 1.0, 1e3, 1e6):
        graph.core.W_vals[:] = size * rng.standard_normal(graph.core.struct)
        graph.connectors.taps[:, 1:] = size * graph.connectors.active[:, 1:]
        assert 0 <= barrier.count(graph) <= graph.struct <= barrier.limit
        assert barrier.gamma(graph) <= barrier.at(graph.struct)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_tokens_are_neither_made_nor_lost(seed: int) -> None:
    rng = np.random.default_rng(seed)
    tokens = Tokens(5, 40)
    for _ in range(20):
        tokens.allot(rng.integers(0, 12, 5))
        tokens.learn(rng.random(5), rng.integers(0, 3, 5))
        tokens.move(*(int(n) for n in rng.integers(0, 5, 2)), int(rng.integers(0, 9)))
        tokens.deposit(rng.integers(0, 9, 5))
        assert tokens.held.min() >= 0
        assert tokens.pool >= 0
        assert tokens.held.sum() + tokens.pool == 40


def test_the_better_earner_gets_more_tokens() -> None:
    tokens = Tokens(2, 12)
    tokens.learn(np.array([3.0, 1.0]), np.array([1, 1]))
    tokens.allot(np.array([100, 100]))
    assert tokens.held[0] > tokens.held[1]
    assert tokens.pool == 0


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=10, deadline=None)
def test_a_new_module_and_compacting_change_no_output(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = wire(watched(wanderers(8, 2), pools=4), rng, latency=1)
    before = outputs(graph)
    supers = SuperGraph(graph)
    chosen = rng.choice(8, 3, replace=False)
    supers.cluster([supers.root.inside[i] for i in chosen])
    graph.line(0, 3)
    graph.term(4, 0, 0, 1)
    graph.compact()
    np.testing.assert_allclose(outputs(graph), before, atol=1e-12)
    untrained = watched(wanderers(8, 2))
    assert not outputs(untrained).any()


def test_levels_are_bounded_and_clusters_can_be_read() -> None:
    graph = watched(wanderers(4, 1), pools=3)
    supers = SuperGraph(graph)
    first = supers.cluster(supers.root.inside[:2])
    second = supers.cluster(supers.root.inside[:2])
    assert [first.level, second.level, most_levels(4)] == [1, 1, 2]
    np.testing.assert_allclose(supers.scratch[0], graph.state[first.all_nodes()].mean())
    with pytest.raises(ValueError, match="two members"):
        supers.cluster(supers.root.inside[:1])
    graph.connect(0, graph.states + 1, 0.5)
    with pytest.raises(ValueError, match="still reads"):
        supers.dissolve(second)
    supers.tick()
    members = second.all_nodes()
    np.testing.assert_allclose(supers.scratch[1], graph.state[members].mean())


def test_a_cluster_has_a_pool_for_each_feature() -> None:
    graph = watched(wanderers(4, 2), pools=2)
    supers = SuperGraph(graph)
    members = supers.cluster(supers.root.inside[1:3]).all_nodes()
    np.testing.assert_allclose(supers.scratch, graph.state.reshape(4, 2)[members].mean(0))


def test_memory_keeps_differences_and_learns_from_nothing_beyond_a_cut() -> None:
    memory = Memory(60, 4, 2, dtype=np.float64)
    x = np.random.default_rng(0).standard_normal((90, 2))
    for at, state in enumerate(x):
        if at == 50:
            memory.cut()
        memory.push(state)
    ready = memory.ready
    assert len(ready)
    assert (ready >= 90 - 60).all()
    assert not set(ready) & set(range(49, 55))
    tick = int(ready[-1])
    want = [x[tick], x[tick] - x[tick - 1], x[tick] - 2 * x[tick - 1] + x[tick - 2]]
    np.testing.assert_allclose(memory.seen(np.array([tick]))[0, :3, :, 0], want, atol=1e-12)


def test_a_free_run_is_what_ticking_without_input_does() -> None:
    states = wanderers(5, 2)
    graph = wire(watched(states), np.random.default_rng(3), latency=2)
    for cell in range(graph.core.struct):
        graph.core.W_vals[cell] *= 0.1
    expected = graph.roll_out(states[-30:], 6)
    for step in range(6):
        graph.begin_tick()
        graph.gather()
        graph.commit()
        np.testing.assert_allclose(graph.unscaled(graph.state), expected[step], rtol=1e-9)
