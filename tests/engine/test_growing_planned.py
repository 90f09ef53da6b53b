"""Edits that the planner makes by itself: help, clones on trial, sleep, clusters."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.dynamics import make_stream
from engine.networks.growing import discovery, probe, sleep, splits
from engine.networks.growing.candidates import Candidate
from engine.networks.growing.clone import cells_on, split
from engine.networks.growing.graph import Graph
from engine.networks.growing.help import Help, with_neighbours
from engine.networks.growing.learner import Learner, objective
from engine.networks.growing.planner import Planner
from engine.networks.growing.probe import Probe
from engine.networks.growing.relax import knots_of
from engine.networks.growing.splits import Trial
from tests.engine.growing_cases import outputs, wanderers, watched, wire
from tests.engine.test_growing_edits import STATES


def planner_of(graph: Graph, seed: int = 0) -> Planner:
    return Planner(Learner(graph, seed), seed)


def kinds(planner: Planner) -> Counter[str]:
    return Counter(d.kind for d in planner.ledger.decisions)


def guard(planner: Planner) -> None:
    """From now on no edit may change an output when it is made."""
    settle = planner.edits.settle

    def guarded() -> None:
        before = outputs(planner.graph)
        settle()
        np.testing.assert_allclose(outputs(planner.graph), before, atol=1e-6)

    planner.edits.settle = guarded  # type: ignore[method-assign]


# ---- all of them


def edited(seed: int) -> Counter[str]:
    """What a planner did that may do anything, while budgets and outputs were watched."""
    rng = np.random.default_rng(seed)
    cells, taps, shapes = (int(n) for n in rng.integers((15, 4, 4), (60, 20, 20)))
    graph = watched(wanderers(6, 2, seed=seed % 1000), cells=cells, taps=taps, shapes=shapes, cycle=3, price=0.0,
                    doubt=0.0, least=0.0, knots=3, pools=2)  # fmt: skip
    wire(graph, rng, cells=cells // 3, taps=2)
    planner = planner_of(graph, seed % 1000)
    guard(planner)
    with pytest.MonkeyPatch.context() as patch:
        for module, name, value in ((splits, "OVERLOAD", 0.0), (splits, "TRIAL", 1), (discovery, "RARELY", 2)):
            patch.setattr(module, name, value)
        for _ in range(24):
            planner.step()
            assert graph.core.struct <= cells
            assert graph.connectors.struct <= taps
            assert graph.terms.struct <= shapes
            assert planner.learner.barrier.count(graph) < planner.learner.barrier.limit
            assert planner.tokens.held.min() >= 0
            assert planner.tokens.pool >= 0
            assert planner.tokens.held.sum() + planner.tokens.pool == planner.tokens.total
    return kinds(planner)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=4, deadline=None)
def test_no_planned_edit_exceeds_a_budget_or_changes_an_output_when_made(seed: int) -> None:
    edited(seed)


def test_among_them_are_all_kinds() -> None:
    made = sum((edited(seed) for seed in range(3)), Counter())
    assert {"clone", "merge", "consolidate", "cluster", "edge"} <= set(made)


def test_switched_off_nothing_of_it_happens() -> None:
    off: dict[str, Any] = dict.fromkeys(("help", "clones", "sleeps", "discovers"), False)
    graph = wire(watched(wanderers(6, 2), cycle=3, price=0.0, doubt=0.0, least=0.0, **off), np.random.default_rng(0))
    planner = planner_of(graph)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(discovery, "RARELY", 1)
        for _ in range(20):
            planner.step()
    assert not set(kinds(planner)) & {"clone", "merge", "consolidate", "materialise", "cluster"}
    assert not any(d.what.endswith("by help") for d in planner.ledger.decisions)


# ---- help


def chain(ticks: int = 600, seed: int = 0) -> np.ndarray:
    """White noise, but node 0 is what node 1 was, times what node 2 was, and node 1 follows node 2."""
    x = np.random.default_rng(seed).standard_normal((ticks, 4, 1))
    x[1:, 1] = 0.7 * x[:-1, 2] + 0.7 * x[1:, 1]
    x[1:, 0] = x[:-1, 1] + 0.5 * x[:-1, 2]
    return x


def helper(graph: Graph) -> tuple[Help, list[np.ndarray]]:
    from engine.networks.growing.candidates import values_of

    prober = Probe(Learner(graph))
    passes, errors = prober._look(256, 4)
    knots = knots_of(graph, passes[0])
    help_ = Help(graph, passes, errors, errors, knots, prober._tap_gradients(passes, errors))
    return help_, [values_of(graph, 0, done) for done in passes]


def test_the_frontier_is_what_is_next_to_what_is_read() -> None:
    graph = watched(chain(), knots=2)
    graph.connect(0, 1, 0.1)
    graph.connect(1, 2, 0.1)
    found, values = helper(graph)
    frontier = found.frontier(0, 0, values)
    assert frontier is not None
    seen = {(c.kind, c.sources) for c in frontier.neighbours}
    assert ("edge", (2,)) in seen
    assert ("edge", (3,)) not in seen
    assert ("product", (1, 1)) in seen
    assert ("hinge", (1,)) in seen
    assert any(c.kind == "tap" for c in frontier.neighbours)
    assert found.frontier(3, 3, values) is None


def test_a_region_that_can_help_itself_gets_no_help() -> None:
    graph = watched(chain())
    graph.connect(0, 1, 0.0)
    graph.connect(1, 2, 0.1)
    found, values = helper(graph)
    assert found.neighbour(0, 0, values) is None
    terms, target = graph.memory.seen(graph.memory.ready)[0, 0, [1, 0]], graph.targets(graph.memory.ready)[0]
    graph.connect(0, 0, 0.0)
    graph.core.W_vals[:2] = np.linalg.lstsq(terms.T, target, rcond=None)[0]
    found, values = helper(graph)
    chosen = found.neighbour(0, 0, values)
    assert chosen is not None
    assert (chosen.kind, chosen.sources, chosen.helped) == ("edge", (2,), True)


def test_a_neighbour_joins_the_shortlist_once() -> None:
    one, other = Candidate("edge", 0, 0, (3,), snr=1.0), Candidate("edge", 0, 0, (3,), helped=True)
    far = Candidate("edge", 0, 0, (4,), helped=True)
    assert with_neighbours([one], [other, None, far, far]) == [one, far]


@pytest.mark.parametrize("helped", [True, False])
def test_help_from_within_holds_no_message_back(helped: bool) -> None:
    """A bend of node 0 and a message from node 1 both pay; as help the bend is no news."""
    x = np.random.default_rng(0).standard_normal((600, 2, 1))
    for now, after in pairwise(x):
        after[0] = 0.8 * abs(now[0]) + 0.5 * now[1] + 0.1 * after[0]
    graph = watched(x, evidence=256)
    prober = Probe(Learner(graph))
    knot = float(knots_of(graph, prober._look(256, 1)[0][0])[3, 0])
    bend = Candidate("hinge", 0, 0, (0,), knot, below=True, helped=helped)
    message = Candidate("edge", 0, 0, (1,))
    (chosen,) = prober.probe({0: [bend, message]}).values()
    assert [found.candidate for found in chosen] == ([message] if helped else [bend])


def test_help_brings_in_what_the_ratio_would_not_and_the_ledger_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "SHORTLIST", 1)
    found = []
    for help_ in (True, False):
        states = make_stream("fhn", nodes=8, steps=1500, noise=0.02, seed=1).states
        planner = planner_of(watched(states, np.float32, cycle=10, knots=3, evidence=256, help=help_))
        for _ in range(80):
            planner.step()
        found.append([d for d in planner.ledger.decisions if d.what.endswith("by help")])
    assert found[0]
    assert not found[1]
    assert all(d.predicted > d.price for d in found[0])


# ---- clones


def torn(same: bool, ticks: int = 1500) -> np.ndarray:
    """Node 0 reads node 1, white noise. One of its numbers wants the newest and the last state, the other the newest
    less the last, unless both want the same; much chance on top hides what node 1 was before."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal((ticks, 2, 2))
    s = x[:, 1, 0]
    for number, sign in ((0, 1), (1, 1 if same else -1)):
        x[2:, 0, number] = s[1:-1] + sign * s[:-2] + 1.5 * x[2:, 0, number]
    return x


def grown(states: np.ndarray, steps: int = 700, **how: Any) -> Planner:
    planner = planner_of(watched(states, np.float32, cycle=25, memory=2, knots=0, products=False, batch=128,
                                 evidence=256, **how))  # fmt: skip
    for _ in range(steps):
        planner.step()
    return planner


def test_a_torn_line_is_cloned_and_that_pays() -> None:
    losses = []
    for clones in (True, False):
        planner = grown(torn(same=False), clones=clones)
        losses.append(planner.learner.loss[:2].mean())
        if clones:
            kept = [d for d in planner.ledger.decisions if d.kind == "clone"]
            assert kept
            assert kept[0].node == 0
            assert kept[0].predicted > kept[0].price > 0
            assert kept[0].realised is not None
            assert kept[0].realised > kept[0].price
    assert losses[0] < 0.9 * losses[1]


def test_a_line_whose_cells_agree_is_not_cloned() -> None:
    assert not kinds(grown(torn(same=True)))["clone"]


@pytest.mark.parametrize(("second", "torn_apart"), [(1.0, False), (-1.0, True)])
def test_a_line_is_overloaded_where_its_cells_pull_taps_apart_and_not_where_they_agree(
    second: float, torn_apart: bool
) -> None:
    """Both cells have the same errors; a weight of the other sign turns what its cell wants round."""
    graph = watched(np.repeat(wanderers(2, 1, 600), 2, 2), evidence=512)
    line = graph.line(0, 2)
    for row, weight in ((0, 1.0), (1, second)):
        graph.core.add(np.array([[row, graph.term(1, 0, line)]]), np.array([weight]))
    both = [Learner(graph, seed).errors(512) for seed in range(4)]
    errors = [np.tile(error[:1], (4, 1)) for _, error in both]
    load, half = splits.overload(graph, line, [done for done, _ in both], errors)
    assert (load > splits.OVERLOAD) == torn_apart
    if torn_apart:
        assert half.sum() == 1


def shared_line(graph: Graph) -> int:
    """A line with cells to share and a tap."""
    lines = [int(line) for line in graph.terms.lines_used() if len(cells_on(graph, int(line))) > 1]
    return max(lines, key=lambda line: graph.connectors.active[line].sum())


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=10, deadline=None)
def test_sharing_cells_out_changes_no_output_and_takes_no_cell(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = wire(watched(STATES), rng, cells=40, latency=1)
    before, cells = outputs(graph), graph.core.struct
    line = shared_line(graph)
    leaving = rng.random(len(cells_on(graph, line))) < 0.5
    copy = split(graph, line, leaving)
    np.testing.assert_allclose(outputs(graph), before, atol=1e-9)
    assert graph.core.struct == cells
    assert len(cells_on(graph, copy)) == leaving.sum()
    assert len(cells_on(graph, line)) == (~leaving).sum()
    graph.compact()
    np.testing.assert_allclose(outputs(graph), before, atol=1e-9)


@pytest.mark.parametrize("apart", [0.0, 0.3])
def test_a_clone_that_does_not_pay_is_merged_again(apart: float) -> None:
    graph = wire(watched(STATES, cycle=5, price=100.0), np.random.default_rng(2), cells=40, taps=20)
    planner = planner_of(graph)
    before, line = graph.core.struct, shared_line(graph)
    assert graph.connectors.active[line, 1:].any()
    count = len(cells_on(graph, line))
    copy = split(graph, line, np.arange(count) < 1)
    graph.connectors.taps[copy, 1:] += apart * graph.connectors.active[copy, 1:]
    outcome = outputs(graph)
    planner.edits.splits.trials.append(Trial(0, int(graph.connectors.reader[line]), line, copy, 0, 1.0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(splits, "OVERLOAD", np.inf)
        planner.edits.splits.settle()
    np.testing.assert_allclose(outputs(graph), outcome, atol=1e-9)
    merged = planner.ledger.decisions[-1]
    assert merged.kind == "merge"
    assert merged.price > 0
    for _ in range(80):
        planner.fading.step()
    graph.compact()
    assert graph.core.struct == before
    assert not planner.edits.splits.trials


@pytest.mark.parametrize(("unrest", "worth", "stays"), [(0.1, 1.5, True), (0.9, 1.5, False), (0.9, 2.5, True)])
def test_a_clone_pays_its_price_and_twice_that_if_it_made_its_node_restless(
    unrest: float, worth: float, stays: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = wire(watched(STATES, cycle=5), np.random.default_rng(2), cells=40, taps=20)
    planner, line = planner_of(graph), shared_line(graph)
    copy = split(graph, line, np.arange(len(cells_on(graph, line))) < 1)
    monkeypatch.setattr(splits, "OVERLOAD", np.inf)
    monkeypatch.setattr(splits, "_cost", lambda *_: 1.0)
    monkeypatch.setattr(splits, "_worth_of_two", lambda *_: np.full(4, worth))
    monkeypatch.setattr(splits.Splits, "_unrest", lambda *_: unrest)
    planner.edits.splits.trials.append(Trial(0, int(graph.connectors.reader[line]), line, copy, 0, 0.5))
    planner.edits.splits.settle()
    assert not planner.edits.splits.trials
    assert [d.kind for d in planner.ledger.decisions] == ([] if stays else ["merge"])


# ---- sleep


def paused(ticks: int = 900) -> np.ndarray:
    """Node 0 leads node 1, until both are silent for a while; then again."""
    x = np.random.default_rng(3).standard_normal((ticks, 3, 1))
    x[1:, 1] = 0.9 * x[:-1, 0]
    x[400:600, :2] = 0.5
    return x


def test_a_silent_node_sleeps_and_is_itself_again_when_it_moves() -> None:
    states = paused()
    graph = Graph(3, 1, replace(watched(STATES).settings, cycle=10, knots=0, products=False, evidence=256))
    graph.measure(states)
    planner = planner_of(graph)
    guard(planner)
    asleep: list[tuple[int, int]] = []
    for tick, state in enumerate(graph.scaled(states)):
        graph.memory.push(state)
        if graph.memory.usable > 100:
            planner.step()
        if tick in (395, 590, 890):
            asleep.append((len(planner.edits.sleep.hibernation.asleep), len(graph.core.hot_of_row(1))))
    assert asleep[0][0] == 0
    assert asleep[0][1] > 0
    assert asleep[1] == (2, 0)
    assert asleep[2][0] == 0
    assert asleep[2][1] >= asleep[0][1]
    slept, woke = ([d for d in planner.ledger.decisions if d.kind == kind and d.node == 1]
                   for kind in ("consolidate", "materialise"))  # fmt: skip
    assert "silent" in slept[0].what
    assert 400 + sleep.SILENT <= slept[0].tick + 121 <= 400 + sleep.SILENT + 22
    assert woke[0].predicted > woke[0].price
    assert woke[0].cells == -slept[0].cells


def test_what_does_not_pay_sleeps_and_what_pays_does_not() -> None:
    states = paused()[:400]
    graph = watched(states, cycle=5, evidence=256)
    graph.connect(1, 0, 0.0)
    graph.connect(2, 1, 0.02)
    ready = graph.memory.ready
    now, target = graph.memory.seen(ready)[0, 0, 0], graph.targets(ready)[1]
    graph.core.W_vals[0] = now @ target / (now @ now)
    graph.core.age[:] = 100
    planner = planner_of(graph)
    before = outputs(graph)
    planner.edits.sleep.settle()
    assert set(planner.edits.sleep.hibernation.asleep) == {2}
    assert planner.edits.sleep.resting == [2]
    (decision,) = planner.ledger.decisions
    assert decision.kind == "consolidate"
    assert -decision.predicted + 2 * decision.spread < decision.price
    np.testing.assert_allclose(outputs(graph), before, atol=1e-12)


def test_a_young_node_is_not_put_to_sleep() -> None:
    graph = watched(paused()[:400], cycle=5, evidence=256)
    graph.connect(2, 1, 0.02)
    planner = planner_of(graph)
    planner.edits.sleep.settle()
    assert not planner.edits.sleep.hibernation.asleep


def test_a_sleeper_that_would_not_pay_sleeps_on() -> None:
    states = paused()[:400]
    found = []
    for source in (0, 2):
        graph = watched(states, cycle=5, evidence=256)
        graph.connect(1, source, 0.5)
        planner = planner_of(graph)
        planner.edits.sleep.hibernation.consolidate(1)
        for _ in range(80):
            planner.fading.step()
        planner.edits.renumber(*graph.compact())
        planner.edits.sleep.settle()
        found.append(1 in planner.edits.sleep.hibernation.asleep)
    assert found == [False, True]


# ---- clusters


def two_crowds() -> np.ndarray:
    """Twelve nodes of chance; the last mostly rests and now and then leaps."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((800, 12, 1))
    x[:, 11] *= rng.random((800, 1)) < 0.02
    return x


def discovered(**how: Any) -> tuple[Planner, np.ndarray]:
    graph = watched(two_crowds(), evidence=512, **how)
    for crowd in (range(6), range(6, 11)):
        for node in crowd:
            for other in crowd:
                graph.connect(node, other, -0.1 if node < 6 else 0.1)
    planner = planner_of(graph)
    for _ in range(5):
        planner.learner.step()
    before = outputs(graph)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(discovery, "RARELY", 1)
        planner.edits.discovery.settle()
    return planner, before


def test_alike_nodes_become_modules_that_can_be_read_and_nothing_changes() -> None:
    planner, before = discovered(pools=3)
    graph, labels = planner.graph, planner.edits.discovery.labels
    np.testing.assert_allclose(outputs(graph), before, atol=1e-12)
    assert len(set(labels[:6])) == 1
    assert len(set(labels[6:11])) == 1
    assert labels[0] != labels[6]
    assert labels[11] == discovery.OUTLIER
    made = [m for m in planner.modules.root.inside if m.places]
    assert {tuple(m.all_nodes()) for m in made} == {tuple(range(6)), tuple(range(6, 11))}
    assert kinds(planner)["cluster"] >= 2
    graph.connect(0, graph.states + made[0].places[0], 0.3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(discovery, "RARELY", 1)
        planner.edits.discovery.settle()
    assert made[0] in planner.modules.root.inside
    assert made[1].places == ()


def test_outliers_with_much_loss_may_add_more_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "clusters", lambda apart: np.where(np.arange(len(apart)) == 8, -1, 0))
    planner, _ = discovered(price=0.0, least=0.0, doubt=0.0, commits=1)
    planner.learner.loss[8] = 9.0
    monkeypatch.setattr(discovery, "RARELY", 1)
    planner.edits.discovery.settle()
    assert planner.probe.ceilings == {8: 2}
    wanted = planner.probe.probe(planner.probe.shortlist(range(12)))
    assert max(len(chosen) for node, chosen in wanted.items() if node != 8) == 1
    assert len(wanted[8]) == 2


# ---- curvature


def test_curvature_scales_the_objective_and_its_gradient_alike_so_steps_stay() -> None:
    """Why no meta-step tunes it: Adam divides a common factor of the gradient out."""
    ends, values = [], []
    for scale in (0.3, 1.0, 4.0):
        graph = wire(watched(wanderers(4, 2), scale=scale), np.random.default_rng(5), cells=25, taps=4)
        learner = Learner(graph)
        done, error = learner.errors(32)
        cells, _, value = objective(graph, done, error, learner.barrier)
        values.append((value * scale, cells * scale))
        for _ in range(20):
            learner.step()
        ends.append(graph.core.W_vals)
    for value, cells in values[1:]:
        assert value == pytest.approx(values[0][0])
        np.testing.assert_allclose(cells, values[0][1], rtol=1e-9)
    np.testing.assert_allclose(ends[1], ends[0], atol=1e-4)
    np.testing.assert_allclose(ends[2], ends[0], atol=1e-4)
