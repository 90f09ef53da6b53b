"""First values of what was just committed.

A region begins as an identity, at 0, and is then given the value that its shadow reached, and its heirs give way. But a
shadow knows of its node's other commits of that moment by a sum of squares only, and a tap acts through weights that
its heirs move. So the loss is looked at once more, on one fresh batch before and after, and a node that is worse off
takes half of all that back, and half again; in the end it stays an identity.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.networks.growing.candidates import cell_of
from engine.networks.growing.learner import Learner
from engine.networks.growing.probe import Probed

Array = NDArray[Any]
HALVINGS = 4


class Start:
    """Made before regions are committed at 0; `give` then gives them their values."""

    def __init__(self, learner: Learner) -> None:
        graph = self.graph = learner.graph
        ticks = graph.memory.draw(learner.rng, graph.settings.evidence)
        self._batch = [(graph.memory.seen(ticks, graph.connectors.lags), graph.targets(ticks))]
        self._before = graph.losses(self._batch)

    def give(self, committed: Sequence[Probed]) -> Array:
        """Shares of their values that nodes keep, (nodes,)."""
        shares = np.zeros(self.graph.nodes)
        if not committed:
            return shares
        chosen = np.unique([found.candidate.node for found in committed])
        cells, taps = self.graph.core.W_vals.copy(), self.graph.connectors.taps.copy()
        shares[chosen] = 1
        for _ in range(HALVINGS + 1):
            self._set(cells, taps, committed, shares)
            worse = chosen[~(self.graph.losses(self._batch)[chosen] <= self._before[chosen])]
            if not len(worse):
                return shares
            shares[worse] *= 0.5
        shares[worse] = 0
        self._set(cells, taps, committed, shares)
        return shares

    def _set(self, cells: Array, taps: Array, committed: Sequence[Probed], shares: Array) -> None:
        graph = self.graph
        graph.core.W_vals[:], graph.connectors.taps[:] = cells, taps
        for found in committed:
            c = found.candidate
            value = found.value * shares[c.node]
            if value == 0:
                continue
            if c.kind == "tap":
                graph.connectors.taps[c.line, c.tap] += value
            else:
                graph.core.W_vals[cell_of(graph, c)] += value
            graph.core.shift(found.heirs.cells, -value * found.heirs.shares)
