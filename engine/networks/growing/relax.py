"""Relaxing the base of a probe: what a node could still do by itself does not count for a region.

While cells learn, the error holds much that they will take away without help, and any region alike them would seem to
promise it. So the error of a row, and what a region would feed to it, are freed of what the row's own terms explain by
least squares over the batches at hand: the gain is then that of the region once the row has adapted (orthogonal least
squares; Chen, Billings & Luo 1989). For a message from another node the base is wider: all that the node remembers of
itself, straight and bent, whether it has cells for it or not. What another node tells must be news.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.networks.growing.graph import Graph, Pass

Array = NDArray[Any]
RIDGE = 1e-3
"""Share of its own energy by which each signal resists: what only weights of more than its inverse root could explain,
nearly alike and cancelling out, is not explained. They would break at the next edit."""


class Base:
    """Signals that a row can make by itself, one array (K, B) for each pass, and the inverse of their Gram matrix."""

    def __init__(self, signals: list[Array]) -> None:
        self.signals = signals
        gram = np.zeros((len(signals[0]),) * 2)
        for f in signals:
            gram += f @ f.T
        gram[np.diag_indices_from(gram)] *= 1 + RIDGE
        self.inverse: Array = np.linalg.inv(gram + np.eye(len(gram)) * 1e-9)

    def explain(self, wanted: list[Array]) -> Array:
        """Coefficients (K,) or (K, Q) with which the base comes nearest to signals (B,) or (Q, B) of each pass."""
        found: Array = self.inverse @ sum(f @ s.T for f, s in zip(self.signals, wanted, strict=True))
        return found

    def without(self, wanted: list[Array]) -> list[Array]:
        """Signals (B,) or (Q, B) of each pass, freed of what the base explains."""
        if not len(self.inverse):
            return wanted
        coefficients = self.explain(wanted).T.astype(wanted[0].dtype)
        return [s - coefficients @ f for f, s in zip(self.signals, wanted, strict=True)]


def own_terms(graph: Graph, row: int, passes: list[Pass]) -> list[Array]:
    """Terms of the row's Hot cells, (cells, B) for each pass."""
    columns = graph.core.columns[graph.core.hot_of_row(row)]
    return [done.terms[columns] for done in passes]


def own_memory(graph: Graph, node: int, passes: list[Pass], knots: Array) -> list[Array]:
    """What a node could make of itself: its numbers, straight and bent at `knots` (K, S), 1, and the differences of
    those numbers that it has a line for. (Others are out of its reach: nothing would take the place of what they are
    said to explain.)"""
    first = node * graph.features
    own = slice(first, first + graph.features)
    lines = graph.connectors.source[graph.connectors.reader == node]
    tapped = np.unique(lines[(lines >= own.start) & (lines < own.stop)])
    found = []
    for done in passes:
        now = done.seen[0, 0, own]
        bent = np.maximum(now[None] - knots[:, own, None].astype(graph.dtype), 0)
        late = done.seen[0, 1:, tapped].reshape(-1, now.shape[1])
        found.append(np.concatenate((now, late, bent.reshape(-1, now.shape[1]), np.ones_like(now[:1]))))
    return found


def knots_of(graph: Graph, done: Pass) -> Array:
    """Quantiles of every state number, (knots, S)."""
    count = graph.settings.knots
    levels = (np.arange(count) + 0.5) / max(count, 1)
    found: Array = np.quantile(done.seen[0, 0, : graph.states], levels, axis=1).reshape(count, graph.states)
    return found
