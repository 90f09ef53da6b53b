"""Consolidate to identity: a module that stopped paying falls asleep, and can be woken as it was.

Its cells fade to nothing, step by step, and leave the list: the module is then an identity, which keeps its state and
costs neither cells nor ticks of the learner. Nothing is forgotten: cells, terms, lines and taps lie in `asleep`.
Materialised again, they are back at once, with weight 0, and grow to what they were. So neither edit changes an output
at the moment it is made.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.networks.growing.core import BudgetError, Heat
from engine.networks.growing.fade import SHARE, Fading
from engine.networks.growing.graph import Array, Graph
from kernels.sparse import ABOVE, CONSTANT, PRODUCT

AWAKE = 1e-7
"""A value this near to what it was has arrived."""


@dataclass(frozen=True, slots=True)
class Line:
    """A connector as it was."""

    source: int
    latency: int
    capacity: int
    reliability: float
    taps: Array
    active: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell as it was: its row, its term (kind, lines read, knot) and its value."""

    row: int
    kind: int
    lines: tuple[Line, ...]
    knot: float
    value: float


class Hibernation:
    """Which nodes of a graph sleep, and what they are when awake."""

    def __init__(self, graph: Graph, fading: Fading) -> None:
        self.graph, self.fading = graph, fading
        self.asleep: dict[int, list[Cell]] = {}
        self._waking: list[tuple[int, int, float]] = []

    def consolidate(self, node: int) -> int:
        """Let a node's cells fade; how many. A node without cells sleeps already."""
        core = self.graph.core
        own = core.of_rows(node * self.graph.features, (node + 1) * self.graph.features)
        cells = own.start + np.flatnonzero(core.heat[own] == Heat.HOT)
        if node in self.asleep or not len(cells):
            return 0
        waking = {(row, column): value for row, column, value in self._waking}
        self.asleep[node] = [self._record(int(cell), waking) for cell in cells]
        self._waking = [w for w in self._waking if w[0] // self.graph.features != node]
        for cell in cells:
            self.fading.cell(int(cell))
        return len(cells)

    def materialise(self, node: int, tick: int = 0) -> int:
        """Wake a node; how many cells it has. Raises BudgetError, and then it sleeps on."""
        kept = self.asleep.get(node, [])
        self._afford(node, kept)
        places: list[tuple[int, int]] = []
        for cell in kept:
            ends = [self._line(node, line) for line in cell.lines]
            left, right = ends[0] if ends else 0, ends[1] if cell.kind == PRODUCT else 0
            places.append((cell.row, self.graph.term(cell.kind, node, left, right, cell.knot)))
        self.graph.core.add(np.array(places, np.int64).reshape(-1, 2), np.zeros(len(places)), tick)
        self._waking += [(*place, cell.value) for place, cell in zip(places, kept, strict=True)]
        self.asleep.pop(node, None)
        return len(kept)

    def step(self) -> None:
        """What wakes comes a step nearer to what it was."""
        core, waking = self.graph.core, []
        for row, column, value in self._waking:
            at = int(core.find(np.array([[row, column]]))[0])
            if at < 0 or core.heat[at] != Heat.HOT:
                continue
            missing = value - float(core.W_vals[at])
            core.W_vals[at] += SHARE * missing if abs(missing) > AWAKE else missing
            if abs(missing) > AWAKE:
                waking.append((row, column, value))
        self._waking = waking

    def renumber(self, terms: NDArray[np.int64]) -> None:
        """Term f is now terms[f], -1 for what is gone."""
        self._waking = [(row, int(terms[c]), value) for row, c, value in self._waking if terms[c] >= 0]

    def _record(self, cell: int, waking: dict[tuple[int, int], float]) -> Cell:
        core, terms = self.graph.core, self.graph.terms
        row, column = (int(i) for i in core.M_idx[cell])
        kind = int(terms.kinds[column])
        ends = [] if kind == CONSTANT else [int(terms.left[column])]
        ends += [int(terms.right[column])] if kind == PRODUCT else []
        value = waking.get((row, column), float(core.W_vals[cell]))
        return Cell(row, kind, tuple(self._kept(line) for line in ends), float(terms.knots[column]), value)

    def _kept(self, line: int) -> Line:
        c = self.graph.connectors
        return Line(
            int(c.source[line]), int(c.latency[line]), int(c.capacity[line]), float(c.reliability[line]),
            c.taps[line].copy(), c.active[line].copy(),
        )  # fmt: skip

    def _find(self, node: int, line: Line) -> int:
        """A line with the same taps, or -1."""
        c = self.graph.connectors
        same = (c.reader == node) & (c.source == line.source) & (c.latency == line.latency)
        same &= (c.active == line.active).all(1) & (c.taps == line.taps).all(1)
        found = np.flatnonzero(same)
        return int(found[0]) if len(found) else -1

    def _line(self, node: int, line: Line) -> int:
        at, c = self._find(node, line), self.graph.connectors
        if at < 0:
            at = c.add(
                node, line.source, latency=line.latency, reliability=line.reliability, capacity=line.capacity
            )  # fmt: skip
            c.taps[at], c.active[at] = line.taps, line.active
        return at

    def _afford(self, node: int, kept: list[Cell]) -> None:
        """Raise BudgetError unless there is room even if nothing of it is left in the graph."""
        graph = self.graph
        lines: list[Line] = []
        for line in (line for cell in kept for line in cell.lines):
            if self._find(node, line) < 0 and not any(_alike(line, other) for other in lines):
                lines.append(line)
        needs = (
            ("cells", len(kept), graph.core),
            ("taps", sum(int(line.active[1:].sum()) for line in lines), graph.connectors),
            ("hinges and products", sum(cell.kind >= ABOVE for cell in kept), graph.terms),
        )
        for what, needed, owner in needs:
            if needed and owner.struct + needed > owner.limit:
                raise BudgetError(
                    f"waking node {node + 1} needs {needed} more {what}, but {owner.struct} of {owner.limit} are in use"
                )


def _alike(a: Line, b: Line) -> bool:
    same = (a.source, a.latency) == (b.source, b.latency)
    return same and bool((a.active == b.active).all() and (a.taps == b.taps).all())
