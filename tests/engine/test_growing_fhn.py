"""Fifty excitable units on a hidden graph, seen through 5 % noise: the planner finds out who reads whom."""

from __future__ import annotations

import numpy as np
import pytest

from engine.dynamics import make_stream
from engine.networks.growing.candidates import abroad
from engine.networks.growing.graph import Graph
from engine.networks.growing.learner import Learner
from engine.networks.growing.planner import Planner
from engine.networks.growing.settings import GrowthSettings

CYCLES = 26
SLOWER = 20
"""After so many meta-steps the step size is smaller."""


def grown(states: np.ndarray, seed: int, cycles: int = CYCLES) -> Planner:
    """A graph that has grown on these states (T, nodes, 2)."""
    graph = Graph(states.shape[1], 2, GrowthSettings(cells=1200, products=False), seed=seed)
    graph.measure(states)
    for state in graph.scaled(states):
        graph.memory.push(state)
    graph.memory.measure()
    planner = Planner(Learner(graph, seed), seed)
    for step in range(cycles * graph.settings.cycle):
        if step == SLOWER * graph.settings.cycle:
            planner.learner.rate *= 0.3
        planner.step()
    return planner


def scores(planner: Planner, truth: np.ndarray) -> tuple[float, int]:
    """F1 of the edges, and how many there are."""
    off = ~np.eye(len(truth), dtype=bool)
    found = (planner.graph.adjacency() > 0) & off
    true = truth & off
    return 2 * int((found & true).sum()) / max(int(found.sum() + true.sum()), 1), int(found.sum())


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_hidden_graph_is_rediscovered_and_a_shuffled_one_is_not() -> None:
    stream = make_stream("fhn", noise=0.05, seed=3)
    truth = stream.truth.adjacency
    assert truth is not None
    edges = stream.truth.edges
    assert edges is not None
    planner = grown(stream.states, seed=3)
    f1, _ = scores(planner, truth)
    assert f1 >= 0.95
    assert int(abroad(planner.graph).sum()) <= 1.5 * edges
    foresight = planner.ledger.foresight()
    assert foresight is not None
    assert foresight > 0.5

    rng = np.random.default_rng(9)
    shuffled = np.array(stream.states)
    for node in range(stream.nodes):
        shuffled[:, node] = np.roll(shuffled[:, node], int(rng.integers(1000, 7000)), 0)
    f1, count = scores(grown(shuffled, seed=3, cycles=12), truth)
    chance = 2 * count * edges / (stream.nodes * (stream.nodes - 1)) / max(count + edges, 1)
    assert f1 <= chance + 0.05
