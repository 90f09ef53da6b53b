"""Help: what a region cannot mend by itself may be mended by a neighbour.

A row's Hot cells are a region; its frontier are the Cold regions next to it:

    lines      to nodes that are adjacent, in the graph, to a node that is read already
    products   of two lines that are read already, hinges and taps of one

The help ratio compares prospective gradients, each in units of its own signal's size,

    rms of the frontier's  /  rms of the Hot cells'

where the frontier sees the error freed of what the row's own cells explain. Above 1 the best neighbour joins the node's
shortlist, be its signal-to-noise ratio what it may. It then has to pay like a message from elsewhere, even if it lies
within the node: what the node's memory holds anyway does not count. (Else the neighbours within nodes, which are many,
keep messages waiting: edges of `fhn` were still missing at the end.)
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.networks.growing.candidates import Candidate, feature, is_cold
from engine.networks.growing.graph import Graph, Pass
from engine.networks.growing.relax import own_terms

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Frontier:
    """Cold neighbours of one row and their pulls (n,): |mean gradient| over the size of their signals."""

    neighbours: list[Candidate]
    pulls: Array
    own: float
    """Root mean square pull of the row's Hot cells."""

    @property
    def ratio(self) -> float:
        """The help ratio."""
        return float(np.sqrt(np.square(self.pulls).mean()) / (self.own + 1e-12)) if len(self.pulls) else 0.0


class Help:
    """Of one moment: passes over some batches, their errors (S, B), the same freed of what rows explain themselves, and
    gradients of all taps (batches, L, H), if there are lines."""

    def __init__(
        self, graph: Graph, passes: list[Pass], errors: list[Array], freed: list[Array], knots: Array, taps: Array
    ) -> None:
        self.graph, self.passes, self.errors, self.freed = graph, passes, errors, freed
        self.knots, self.taps = knots, taps
        near = graph.adjacency() > 0
        self._adjacent = near | near.T

    def neighbour(self, node: int, row: int, values: list[Array]) -> Candidate | None:
        """The one that gets a probe; `values` are what the node reads, one (S + pools, B) a batch."""
        found = self.frontier(node, row, values)
        if found is None or found.ratio <= 1:
            return None
        return found.neighbours[int(found.pulls.argmax())]

    def frontier(self, node: int, row: int, values: list[Array]) -> Frontier | None:
        """None for a row without Hot cells."""
        graph = self.graph
        hot = own_terms(graph, row, self.passes)
        if not len(hot[0]):
            return None
        own, _ = _pulls(hot, [error[row] for error in self.errors])
        some = [c for c in self._around(node, row) if is_cold(graph, c)]
        signals = [
            np.stack([feature(graph, c, v, done)[row - node * graph.features] for c in some])
            if some
            else np.empty((0, v.shape[1]))
            for v, done in zip(values, self.passes, strict=True)
        ]
        pulls, ratios = _pulls(signals, [error[row] for error in self.freed])
        some = [replace(c, snr=float(ratio), helped=True) for c, ratio in zip(some, ratios, strict=True)]
        return Frontier(some, pulls, float(np.sqrt(np.square(own).mean())))

    def _around(self, node: int, row: int) -> list[Candidate]:
        graph = self.graph
        lines = np.flatnonzero(graph.connectors.reader == node)
        read = [int(source) for source in np.unique(graph.connectors.source[lines])]
        nodes = np.unique([graph.node_of(source) for source in read if source < graph.states]).astype(np.int64)
        beyond = np.flatnonzero(self._adjacent[nodes].any(0))
        features = range(graph.features)
        found = [Candidate("edge", node, row, (int(n) * graph.features + f,)) for n in beyond for f in features]
        if graph.settings.products:
            found += [Candidate("product", node, row, (a, b)) for at, a in enumerate(read) for b in read[at:]]
        middle = len(self.knots) // 2
        found += [
            Candidate("hinge", node, row, (source,), float(self.knots[k, source]), below=k < middle)
            for source in read
            if source < graph.states
            for k in range(len(self.knots))
        ]
        return found + self._best_tap(node, lines)

    def _best_tap(self, node: int, lines: NDArray[np.int64]) -> list[Candidate]:
        """The steepest Cold one of these lines: what a tap feeds to its node is dear to work out."""
        c = self.graph.connectors
        places = [(int(line), tap) for line in lines for tap in range(1, c.memory) if c.can_tap(int(line), tap)]
        if not places:
            return []
        line, tap = max(places, key=lambda at: abs(float(self.taps[:, at[0], at[1]].mean())))
        return [Candidate("tap", node, node * self.graph.features, line=line, tap=tap)]


def _pulls(signals: list[Array], errors: list[Array]) -> tuple[Array, Array]:
    """|mean gradient| over the size of signals (Q, B), and mean over deviation, both (Q,), over batches."""
    gradients = np.stack([f @ e / len(e) for f, e in zip(signals, errors, strict=True)]).astype(np.float64)
    size = np.sqrt(np.mean([np.square(f, dtype=np.float64).mean(1) for f in signals], 0))
    mean, sd = np.abs(gradients.mean(0)), gradients.std(0, ddof=1)
    return np.where(size > 1e-9, mean / np.maximum(size, 1e-9), 0), mean / (sd + 1e-12)


def with_neighbours(mine: list[Candidate], neighbours: list[Candidate | None]) -> list[Candidate]:
    """A shortlist, and those neighbours that are not on it yet."""
    known = {_region(c) for c in mine}
    found = list(mine)
    for c in neighbours:
        if c is not None and _region(c) not in known:
            known.add(_region(c))
            found.append(c)
    return found


def _region(c: Candidate) -> tuple[object, ...]:
    return c.kind, c.row, tuple(sorted(c.sources)), round(c.knot, 6), c.below, c.line, c.tap
