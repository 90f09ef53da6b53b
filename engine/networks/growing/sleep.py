"""Which nodes fall asleep and wake: consolidation and materialisation by the planner.

What all cells of a node save together is its loss as an identity less its loss now, on fresh batches. A node falls
asleep when that is less than the price of its cells and taps beyond doubt,

    mean + doubt * standard error < price,

or when its numbers have been silent for a while: then its identity is right, and what it learned is kept from learning
that nothing ever moves. When its numbers move again and what it was when awake would save more than its price on fresh
batches, again beyond doubt, it materialises. A sleeper that moves may also be grown anew; that takes the place of what
it was.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.networks.growing.core import BudgetError, Heat
from engine.networks.growing.desk import Desk, costs_of_cells, judged
from engine.networks.growing.graph import Pass
from engine.networks.growing.hibernation import Cell, Hibernation
from engine.networks.growing.probe import Prices, prices
from engine.networks.growing.terms import made_of

Array = NDArray[Any]
BATCHES = 4
"""Of evidence."""
SETTLED = 2
"""Meta-steps that a node's youngest cell must have learned before the node is judged."""
SILENT, STILL = 100, 1e-3
"""A number is silent whose change stayed below this many of its units for so many ticks."""


class Sleep:
    """Nodes of one graph that sleep."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.graph = desk, desk.graph
        self.hibernation = Hibernation(desk.graph, desk.fading)
        self._silent: NDArray[np.bool_] = np.zeros(desk.graph.nodes, bool)

    @property
    def resting(self) -> list[int]:
        """Sleepers that are not to be grown: they are silent, or still fading."""
        return [node for node in self.hibernation.asleep if self._silent[node] or self._has(node, Heat.COOLING)]

    def settle(self) -> None:
        """Put to sleep what does not pay, and wake what would."""
        late = 1 + max((line.latency for kept in self.hibernation.asleep.values() for cell in kept
                        for line in cell.lines), default=0)  # fmt: skip
        passes, errors = self.desk.look(BATCHES, late)
        wanted = [done.y - error for done, error in zip(passes, errors, strict=True)]
        self._silent, price = self._still(), prices(self.desk.learner)
        for node, kept in list(self.hibernation.asleep.items()):
            if self._has(node, Heat.HOT):
                del self.hibernation.asleep[node]
            elif not self._silent[node] and not self._has(node, Heat.COOLING):
                self._consider_waking(node, kept, passes, errors, price)
        self._consider_sleep(np.stack(wanted), np.stack(errors), price)

    def _consider_sleep(self, wanted: Array, errors: Array, price: Prices) -> None:
        graph, core = self.graph, self.graph.core
        node_of = core.M_idx[:, 0] // graph.features
        worth, error = judged(self._of_nodes(np.square(wanted, dtype=np.float64) - np.square(errors, dtype=np.float64)))
        cost = np.bincount(node_of, costs_of_cells(graph, price), graph.nodes)
        lines = graph.connectors
        np.add.at(cost, lines.reader, lines.active[:, 1:].sum(1) * price.within.reshape(graph.nodes, -1).sum(1)[
            lines.reader])  # fmt: skip
        youngest = np.full(graph.nodes, np.iinfo(np.int64).max)
        np.minimum.at(youngest, node_of, np.where(core.hot, core.age, 0))
        old = youngest >= SETTLED * graph.settings.cycle
        idle = old & (worth + graph.settings.doubt * error < cost)
        has = np.bincount(node_of, core.heat == Heat.HOT, graph.nodes) > 0
        for node in np.flatnonzero(has & (idle | self._silent)).tolist():
            count = self.hibernation.consolidate(node)
            if count:
                why = "silent" if self._silent[node] else "does not pay"
                self.desk.note(
                    "consolidate", node, f"node {node + 1}, {why}", cells=-count,
                    snr=float(abs(worth[node]) / (error[node] + 1e-300)), predicted=-float(worth[node]),
                    spread=float(error[node]), price=float(cost[node]),
                )  # fmt: skip

    def _consider_waking(
        self, node: int, kept: list[Cell], passes: list[Pass], errors: list[Array], price: Prices
    ) -> None:
        graph = self.graph
        rows = slice(node * graph.features, (node + 1) * graph.features)
        loss = np.array([
            [np.square(e, dtype=np.float64).mean(), np.square(e + _predicted(kept, rows, graph.features, done),
                                                              dtype=np.float64).mean()]
            for done, e in ((done, error[rows]) for done, error in zip(passes, errors, strict=True))
        ])  # fmt: skip
        worth, error = judged(0.5 * graph.features * (loss[:, 0] - loss[:, 1]))
        lines = {(line.source, line.latency, line.taps.tobytes()): line for cell in kept for line in cell.lines}
        taps = sum(int(line.active[1:].sum()) for line in lines.values())
        cost = sum(price.of(graph, cell.row, [line.source for line in cell.lines]) for cell in kept)
        cost += taps * float(price.within[rows].sum())
        if worth - graph.settings.doubt * error <= cost or len(kept) + taps > self.desk.tokens.pool:
            return
        try:
            count = self.hibernation.materialise(node, self.desk.learner.steps)
        except BudgetError:
            return
        self.desk.afford(node, count + taps)
        self.desk.note("materialise", node, f"node {node + 1}", cells=count, snr=float(worth / (error + 1e-300)),
                       predicted=float(worth), spread=float(error), price=float(cost))  # fmt: skip

    def _has(self, node: int, heat: Heat) -> bool:
        features, core = self.graph.features, self.graph.core
        return bool((core.heat[core.of_rows(node * features, (node + 1) * features)] == heat).any())

    def _of_nodes(self, squares: Array) -> Array:
        """Half the means over samples of (batches, S, B), summed over each node's numbers, (batches, nodes)."""
        found: Array = 0.5 * squares.mean(2).reshape(len(squares), self.graph.nodes, -1).sum(2)
        return found

    def _still(self) -> NDArray[np.bool_]:
        """Nodes of which every number has been silent, (nodes,)."""
        graph, memory = self.graph, self.graph.memory
        if memory.count <= SILENT:
            return np.zeros(graph.nodes, bool)
        last = memory.states_at(np.arange(memory.count - SILENT - 1, memory.count))
        quiet = np.abs(np.diff(last, axis=1)).max(1) < STILL * graph.unit
        found: NDArray[np.bool_] = quiet.reshape(graph.nodes, -1).all(1)
        return found


def _predicted(kept: list[Cell], rows: slice, features: int, done: Pass) -> Array:
    """What a node's cells would predict were it awake, (features, B)."""
    found = np.zeros((features, done.y.shape[1]))
    for cell in kept:
        ends = [
            np.tensordot(np.where(line.active, line.taps, 0), done.seen[line.latency, :, line.source], 1)
            for line in cell.lines
        ]
        a, b = (ends[0], ends[-1]) if ends else (np.ones(found.shape[1]),) * 2
        term = made_of(cell.kind, a, b, cell.knot)
        found[cell.row - rows.start] += cell.value * term
    return found
