"""First values: a commit is an identity until its value is seen to lower the loss."""

from __future__ import annotations

import numpy as np
import pytest

from engine.networks.growing import candidates
from engine.networks.growing.candidates import Candidate
from engine.networks.growing.fade import Heirs
from engine.networks.growing.learner import Learner
from engine.networks.growing.probe import Probed
from engine.networks.growing.start import Start
from tests.engine.growing_cases import outputs, wanderers, watched, wire

NOBODY = Heirs(np.empty((0, 2), np.int64), np.empty(0))


def led(seed: int = 0) -> np.ndarray:
    """Node 1 is 0.3 of what node 0 was; nodes 0 and 2 are chance."""
    rng = np.random.default_rng(seed)
    states = rng.standard_normal((400, 3, 1))
    states[1:, 1] = 0.3 * states[:-1, 0]
    return states


def region(node: int, source: int, value: float) -> Probed:
    return Probed(Candidate("edge", node, node, (source,)), value, 0, 0, 0, 0, 0, NOBODY)


def started(graph, *found: Probed) -> np.ndarray:
    start = Start(Learner(graph))
    before = outputs(graph)
    for one in found:
        candidates.commit(graph, one.candidate, 0.0, 0)
    rounding = 1e-12 if graph.dtype == np.float64 else 1e-6
    assert outputs(graph) == pytest.approx(before, abs=rounding)
    return start.give(found)


def best(graph) -> float:
    """Of the cell from node 0 to node 1, by least squares."""
    now = graph.memory.seen(graph.memory.ready)[0, 0, 0]
    return float(now @ graph.targets(graph.memory.ready)[1] / (now @ now))


@pytest.mark.parametrize(
    ("times", "kept"), [(1.0, 1.0), (1.8, 1.0), (3.0, 0.5), (6.0, 0.25), (200.0, 0.0), (-1.0, 0.0)]
)
def test_a_node_keeps_what_lowers_its_loss(times: float, kept: float) -> None:
    """The loss is a parabola in the value: it is lowered by anything up to twice the best."""
    graph = watched(led(), evidence=300)
    shares = started(graph, region(1, 0, times * best(graph)))
    assert shares[1] == kept
    assert graph.core.W_vals == pytest.approx([kept * times * best(graph)])


def test_only_the_node_that_is_worse_off_takes_back() -> None:
    graph = watched(led(), evidence=300)
    shares = started(graph, region(1, 0, best(graph)), region(2, 0, 100.0))
    assert shares.tolist() == [0, 1, 0]


def test_two_that_mean_the_same_do_not_count_twice() -> None:
    """The same cell under two names: both values together overshoot by half of the best, and half is kept."""
    graph = watched(led(), evidence=300)
    twice = region(1, 0, 1.2 * best(graph))
    assert started(graph, twice, twice)[1] == 0.5


def test_values_that_overflow_are_taken_back() -> None:
    graph = wire(watched(wanderers(4, 2), np.float32), np.random.default_rng(1))
    before = outputs(graph)
    started(graph, Probed(Candidate("edge", 1, 2, (0,)), 1e30, 0, 0, 0, 0, 0, NOBODY))
    assert outputs(graph) == pytest.approx(before, abs=1e-6)
