"""The barrier that complexity runs into, and the tokens that modules hold.

    v = C / (limit + eps)                                              effective velocity
    gamma(C) = 1 / (scale sqrt(max(1 - (C / limit)^2, eps)))           barrier
    L_total = L gamma(C)                                               objective

C counts cells and taps softly, C = sum w^2 / (w^2 + width^2): each counts less than one, so C < C_struct <= limit and
the barrier, which rises without bound towards the limit, is approached and never crossed. A scale of 1 makes gamma(0) =
1.

A token is the right to hold one cell. All tokens together are the limit, and are neither made nor lost: they lie in the
pool or with a node. Nodes are given tokens in proportion to their moving-average gain per token (CGPT).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from engine.networks.growing.graph import Graph

Array = NDArray[Any]
WIDTH = 0.02
"""Weights of this size count one half."""
EPS = 1e-6
MEMORY = 0.8
"""What remains of a node's old gain per token after a meta-step."""


class Barrier:
    """gamma and its gradient. `scale` is its curvature."""

    def __init__(self, limit: int, scale: float = 1.0, width: float = WIDTH) -> None:
        self.limit, self.scale, self.width = limit, scale, width

    def count(self, graph: Graph) -> float:
        """C, below the number of cells and taps that there are."""
        taps = graph.connectors.taps[:, 1:][graph.connectors.active[:, 1:]]
        w2 = np.square(np.concatenate([graph.core.W_vals, taps]), dtype=np.float64)
        return float((w2 / (w2 + self.width**2)).sum())

    def count_gradient(self, w: Array) -> Array:
        """dC / dw of each weight."""
        w64 = w.astype(np.float64)
        found: Array = 2 * w64 * self.width**2 / np.square(w64**2 + self.width**2)
        return found

    def velocity(self, graph: Graph) -> float:
        """v."""
        return self.count(graph) / (self.limit + EPS)

    def gamma(self, graph: Graph) -> float:
        """gamma(C)."""
        return float(self.at(self.count(graph)))

    def at(self, count: float) -> float:
        """gamma at a complexity."""
        return float(1 / (self.scale * np.sqrt(max(1 - (count / self.limit) ** 2, EPS))))

    def slope(self, graph: Graph) -> float:
        """d gamma / dC; 0 where the barrier is cut off."""
        count = self.count(graph)
        left = 1 - (count / self.limit) ** 2
        return 0.0 if left <= EPS else float(count / self.limit**2 / (self.scale * left**1.5))

    def damping(self, graph: Graph) -> float:
        """By what steps are divided: gamma over its value without cells, so 1 for an empty graph."""
        return self.gamma(graph) * self.scale


class Tokens:
    """Tokens of each node, `held` int64 (nodes,), and the `pool`; `cgpt` (nodes,) are moving averages."""

    def __init__(self, nodes: int, total: int) -> None:
        self.total = total
        self.held = np.zeros(nodes, np.int64)
        self.cgpt = np.zeros(nodes)
        self.pool = total

    def deposit(self, used: NDArray[np.int64]) -> None:
        """Nodes hand back what they do not use; `used` (nodes,) cells each."""
        spare = np.maximum(self.held - used, 0)
        self.held -= spare
        self.pool += int(spare.sum())

    def allot(self, wanted: NDArray[np.int64]) -> None:
        """Give tokens out of the pool, at most `wanted` (nodes,) each, in proportion to the gain per token."""
        order = np.argsort(-self.cgpt, kind="stable")
        weight = np.maximum(self.cgpt, 0) + 1e-12 + self.cgpt.clip(min=0).mean() * 0.1
        asked = np.where(wanted > 0, weight, 0)
        if asked.sum() == 0 or self.pool == 0:
            return
        share = np.minimum(np.floor(self.pool * asked / asked.sum()).astype(np.int64), wanted)
        self.held += share
        self.pool -= int(share.sum())
        for node in order:
            more = min(int(wanted[node] - share[node]), self.pool)
            self.held[node] += more
            self.pool -= more

    def move(self, giver: int, taker: int, count: int) -> int:
        """A connector carries up to `count` tokens from one node to another; how many."""
        count = min(count, int(self.held[giver]))
        self.held[giver] -= count
        self.held[taker] += count
        return count

    def learn(self, gain: Array, spent: NDArray[np.int64]) -> None:
        """Update the gain per token of nodes by what they gained (nodes,) with tokens (nodes,)."""
        per = np.where(spent > 0, gain / np.maximum(spent, 1), 0)
        self.cgpt = MEMORY * self.cgpt + (1 - MEMORY) * per
