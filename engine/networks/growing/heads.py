"""Distribution heads on a running graph: where one state has several outcomes, they are told and drawn.

Every node has a head, Cold at first. They take turns: every LOOK ticks the next one looks at what the graph remembers,
at most MOST outcomes, each beside what the graph as it is now predicts from the state before. It does so in pieces, one
a tick, on a copy that takes its place once it is done. A node whose plain prediction still improves is passed over:
what is being learned is not chance. A head sees the node's own numbers and those that it reads; in a small graph, all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from engine.networks.growing.graph import Graph
from engine.networks.growing.head import Decision, DistributionHead
from engine.networks.growing.learner import Learner

Array = NDArray[Any]
LOOK, REST = 100, 5
"""Ticks from the end of one check to the next at least, and for each piece that it took."""
MOST = 4000
"""Outcomes that a check looks at."""
INPUTS = 8
"""Numbers that a head sees at most, but no fewer than the node's own."""
IMPROVES, AGO = 0.9, 200
"""A loss that fell below this share of what it was so many ticks ago, or up to twice as many, still falls."""


class Heads:
    """Of one graph and its learner. `each`, `seen` (state numbers that a head sees) and `checks` are by node."""

    def __init__(self, learner: Learner, seed: int, changing: Callable[[], None]) -> None:
        """`changing` is called before a head takes another's place."""
        self.graph: Graph = learner.graph
        graph, self._learner, self._changing = learner.graph, learner, changing
        self.rng = np.random.default_rng((seed, 34))
        self.each = [DistributionHead(graph.features) for _ in range(graph.nodes)]
        self.seen = [np.arange(0) for _ in range(graph.nodes)]
        self.checks: list[Decision | None] = [None] * graph.nodes
        self._losses = np.full((2, graph.nodes), np.inf)
        self._ticks = 0
        self._turn, self._rest, self._pieces = 0, LOOK, 0
        self._work: Iterator[None] | None = None
        self._threads = ThreadpoolController()

    @property
    def components(self) -> NDArray[np.int32]:
        """Of each node's head, (nodes,)."""
        return np.array([head.components for head in self.each], np.int32)

    def rows(self, node: int) -> slice:
        """State numbers of a node."""
        return slice(node * self.graph.features, (node + 1) * self.graph.features)

    def step(self) -> None:
        """One piece of work at most."""
        if self._ticks % AGO == 0:
            loss = self._learner.loss.reshape(self.graph.nodes, -1).mean(1)
            self._losses = np.stack([self._losses[1], loss])
        self._ticks += 1
        if self._work is None:
            self._rest -= 1
            if self._rest <= 0:
                self._work, self._pieces = self._check(self._turn), 0
                self._turn = (self._turn + 1) % self.graph.nodes
            return
        self._pieces += 1
        with self._threads.limit(limits=1, user_api="blas"):
            if next(self._work, self._work) is self._work:
                self._work, self._rest = None, max(LOOK, REST * self._pieces)

    def _check(self, node: int) -> Iterator[None]:
        """In pieces: gather what is remembered, let a copy of the head look at it, put it in place."""
        graph, own = self.graph, self.rows(node)
        ticks = graph.memory.ready[-MOST:]
        if self._learner.loss[own].mean() < IMPROVES * self._losses[0, node] or not len(ticks):
            return
        states = graph.memory.states_at(ticks)
        done = graph.forward(graph.memory.seen(ticks, graph.connectors.lags))
        predicted = (states[own] + graph.unit[own, None] * done.y[own]).T.astype(np.float64)
        came = graph.memory.states_at(ticks + 1)[own].T.astype(np.float64)
        yield
        head = copy(self.each[node])
        seen = self.seen[node] if head.components else self._inputs(node)
        decision = yield from head.checking(states[seen].T.astype(np.float64), predicted, came, graph.memory.count)
        self._changing()
        self.each[node], self.seen[node], self.checks[node] = head, seen, decision

    def _inputs(self, node: int) -> NDArray[np.int64]:
        graph = self.graph
        if graph.states <= INPUTS:
            return np.arange(graph.states)
        strength = graph.adjacency()[node]
        strength[node] = np.inf
        numbers = np.arange(graph.states).reshape(graph.nodes, -1)
        read = [numbers[i] for i in np.argsort(-strength, kind="stable") if strength[i]]
        return np.concatenate(read)[: max(INPUTS, graph.features)]

    def draw(self, predicted: Array) -> Array:
        """Predicted states (S,), drawn for nodes that update and whose heads have components; the mean elsewhere."""
        drawn = predicted.copy()
        for node in map(int, np.flatnonzero((self.components > 0) & self.graph.awake)):
            own, now = self.rows(node), self.graph.state[self.seen[node]][None].astype(np.float64)
            drawn[own] = self.each[node].draw(now, predicted[None, own].astype(np.float64), self.rng)[0]
        return drawn
