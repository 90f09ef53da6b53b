"""Learning: batches from memory, the gradient of what is Hot, an Adam step, a soft threshold.

The objective is L gamma(C) (see `economy`), L being half the mean square of the scaled errors, so

    gradient = gamma grad L + L grad gamma
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.networks.growing.economy import Barrier
from engine.networks.growing.graph import Graph
from engine.networks.growing.stencils import Stencils

Array = NDArray[Any]
SMOOTHING = 0.02
"""Share of the newest batch in moving averages."""
LATELY = 0.2


class Learner:
    """Trains a graph's cells and taps. `loss` (S,) are moving averages of half the mean square error per number."""

    def __init__(self, graph: Graph, seed: int = 0) -> None:
        self.graph = graph
        self.rng = np.random.default_rng((seed, 32))
        self.barrier = Barrier(graph.settings.cells + graph.settings.taps, graph.settings.scale)
        self.loss = np.full(graph.states, 0.5)
        self.lately = self.loss.copy()
        """The same over a few batches only."""
        self.gradient_mean, self.gradient_square = np.zeros(graph.nodes), np.zeros(graph.nodes)
        """Moving averages of the size of each node's gradient, and of its square: signs of trouble."""
        self.steps = 0
        self.seen: Array | None = None
        """What the last batch saw, (lags, H, S, B)."""
        self.rate = graph.settings.rate
        self.stencils = Stencils(graph) if graph.settings.stencils else None

    def errors(self, count: int, rng: np.random.Generator | None = None, lags: int = 1) -> tuple[Any, Array]:
        """A forward pass over `count` fresh samples, which see `lags` latencies at least, and its errors (S, B).

        With a jitter the graph sees a past that is slightly off and is to come back from there, so that its free runs
        do not drift away (Wikner et al. 2024, Neural Networks 170, 94).
        """
        graph = self.graph
        rng, lags = self.rng if rng is None else rng, max(lags, graph.connectors.lags)
        ticks = graph.memory.draw(rng, count)
        wanted = graph.targets(ticks)
        if graph.settings.jitter > 0:
            seen, off = graph.memory.jittered(ticks, lags, graph.settings.jitter, rng)
            wanted = wanted - off / graph.unit[:, None]
        else:
            seen = graph.memory.seen(ticks, lags)
        done = graph.forward(seen)
        return done, done.y - wanted

    def step(self) -> float:
        """One step on a batch; its loss."""
        graph, settings = self.graph, self.graph.settings
        done, error = self.errors(settings.batch)
        self.seen = done.seen
        cells, taps, loss = objective(graph, done, error, self.barrier)
        now = 0.5 * np.square(error, dtype=np.float64).mean(1)
        self.loss += SMOOTHING * (now - self.loss)
        self.lately += LATELY * (now - self.lately)
        self._note(cells)
        rate = self.rate / self.barrier.damping(graph)
        graph.core.step(cells, rate, settings.threshold)
        step_taps(graph, taps, rate)
        if self.stencils is not None:
            self.stencils.step(cells, taps, rate)
        self.steps += 1
        return loss

    def _note(self, cells: Array) -> None:
        """Energy and variance of each node's gradient."""
        graph = self.graph
        energy = np.zeros(graph.nodes)
        np.add.at(energy, graph.core.M_idx[:, 0] // graph.features, np.square(cells, dtype=np.float64))
        size = np.sqrt(energy)
        self.gradient_mean += SMOOTHING * (size - self.gradient_mean)
        self.gradient_square += SMOOTHING * (energy - self.gradient_square)


def objective(graph: Graph, done: Any, error: Array, barrier: Barrier) -> tuple[Array, Array, float]:
    """Gradients of cells and taps, and the value, of L gamma(C)."""
    loss = 0.5 * float(np.square(error, dtype=np.float64).mean())
    cells, taps = graph.backward(done, (error / error.size).astype(graph.dtype))
    gamma, slope = barrier.gamma(graph), barrier.slope(graph)
    cells = gamma * cells + loss * slope * barrier.count_gradient(graph.core.W_vals)
    taps = gamma * taps + loss * slope * barrier.count_gradient(graph.connectors.taps) * _grown(graph)
    return cells.astype(graph.dtype), taps.astype(graph.dtype), loss * gamma


def _grown(graph: Graph) -> Array:
    """Taps that count: those that are there, but the first of each line."""
    grown = graph.connectors.active.copy()
    grown[:, 0] = False
    return grown


def step_taps(graph: Graph, gradient: Array, rate: float) -> None:
    """The same step for taps; first taps stay 1."""
    from kernels import sparse

    c = graph.connectors
    hot = _grown(graph) & ~c.cooling
    for name in ("taps", "mean", "square", "age"):
        setattr(c, name, np.ascontiguousarray(getattr(c, name)))
    sparse.adam_step(
        c.taps.reshape(-1), np.ascontiguousarray(gradient).reshape(-1), c.mean.reshape(-1), c.square.reshape(-1),
        c.age.reshape(-1), hot.reshape(-1), rate, 0.0,
    )  # fmt: skip
