"""Random graphs, and graphs that have watched something."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.networks.growing.core import BudgetError
from engine.networks.growing.graph import Graph
from engine.networks.growing.settings import GrowthSettings
from kernels.sparse import ABOVE, BELOW, LINE, PRODUCT


def wanderers(nodes: int, features: int, ticks: int = 300, seed: int = 0) -> np.ndarray:
    """States (ticks, nodes, features) that wander smoothly."""
    steps = np.random.default_rng(seed).standard_normal((ticks, nodes, features))
    return 0.1 * np.cumsum(steps, 0)


def watched(states: np.ndarray, dtype: Any = np.float64, pools: int = 0, **settings: Any) -> Graph:
    """A graph without cells that has watched these states."""
    graph = Graph(*states.shape[1:], GrowthSettings(**{"batch": 64, "evidence": 64, **settings}), pools=pools,
                  dtype=dtype)  # fmt: skip
    graph.measure(states)
    for state in graph.scaled(states):
        graph.memory.push(state)
    graph.memory.measure()
    graph.state = graph.scaled(states)[-1].copy()
    return graph


def wire(graph: Graph, rng: np.random.Generator, cells: int = 60, taps: int = 10, latency: int = 0) -> Graph:
    """Random lines, terms, cells and taps, as far as the budgets go."""
    for _ in range(cells):
        node = int(rng.integers(graph.nodes))
        row = node * graph.features + int(rng.integers(graph.features))
        late = int(rng.integers(latency + 1))
        lines = [graph.line(node, int(rng.integers(graph.states)), latency=late) for _ in range(2)]
        kind = int(rng.choice([LINE, ABOVE, BELOW, PRODUCT]))
        try:
            column = graph.term(kind, node, lines[0], lines[1] if kind == PRODUCT else 0,
                                float(rng.standard_normal()) if kind in (ABOVE, BELOW) else 0.0)  # fmt: skip
            graph.core.add(np.array([[row, column]]), np.array([0.3 * rng.standard_normal()]))
        except BudgetError:
            continue
    for _ in range(taps if len(graph.connectors) else 0):
        line, tap = int(rng.integers(len(graph.connectors))), int(rng.integers(1, graph.memory.depth))
        if graph.connectors.can_tap(line, tap):
            graph.connectors.add_tap(line, tap, 0.3 * float(rng.standard_normal()))
    return graph


def outputs(graph: Graph, samples: int = 20, seed: int = 0) -> np.ndarray:
    """Predicted changes of some remembered ticks, (S, samples)."""
    ticks = graph.memory.draw(np.random.default_rng(seed), samples)
    return graph.forward(graph.memory.seen(ticks, graph.connectors.lags)).y
