"""The grown graph as a model of the bench."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.grow_bench.problem import PAST, Problem, pace
from engine.networks.growing.graph import Graph
from engine.networks.growing.learner import Learner
from engine.networks.growing.planner import Planner
from engine.networks.growing.settings import GrowthSettings

Array = NDArray[np.float64]


class Grown:
    """A graph that has grown on the training part for so many steps. `shapes` are "products", "hinges" or both;
    `switches` are those of `GrowthSettings`."""

    def __init__(
        self, problem: Problem, steps: int, seed: int, *, rate: float, memory: int, shapes: str, jitter: float = 0.0,
        **switches: bool,
    ) -> None:  # fmt: skip
        stream = problem.stream
        products, hinges = "products" in shapes, "hinges" in shapes
        knots = GrowthSettings().knots if hinges else 0
        settings = GrowthSettings(
            rate=rate, memory=memory, products=products, knots=knots, jitter=jitter, **switches
        )  # fmt: skip
        self.graph = graph = Graph(stream.nodes, stream.features, settings, seed=seed)
        graph.measure(problem.training)
        for state in graph.scaled(problem.training.reshape(len(problem.training), -1)):
            graph.memory.push(state)
        graph.memory.measure()
        self.planner = Planner(Learner(graph, seed), seed)
        for step in range(steps):
            self.planner.learner.rate = rate * pace(step, steps)
            self.planner.step()
        self.weights = self.tokens = graph.struct

    def one_step(self, states: Array) -> Array:
        """See `Model`."""
        need = self.graph.memory.depth + self.graph.connectors.lags - 1
        pasts = np.lib.stride_tricks.sliding_window_view(states, need, axis=0).transpose(0, 3, 1, 2)
        return self.graph.roll_out(pasts[PAST - need :], 1)[:, 0]

    def roll_out(self, past: Array, steps: int) -> Array:
        """See `Model`."""
        return self.graph.roll_out(past, steps)

    def adjacency(self) -> NDArray[np.bool_]:
        """See `Model`."""
        found: NDArray[np.bool_] = self.graph.adjacency() > 0
        return found
