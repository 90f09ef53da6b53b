"""Graceful demotion: what is condemned fades out step by step, and its row's other cells take over what they can.

Each step takes a share of the fading value away and gives the others that share of what comes nearest to it by least
squares (the update of Hassibi & Stork 1993), so the loss moves no more than it must. Heirs are worked out anew in each
step, since a tap acts through weights that change. What is gone leaves the list, which then changes no output.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.networks.growing.core import Cells, Heat
from engine.networks.growing.graph import Graph, Pass
from engine.networks.growing.relax import Base
from engine.networks.growing.terms import made_of

Array = NDArray[Any]
SHARE = 0.25
"""Of what is left of a fading value, taken away in a step."""
GONE = 1e-7
"""Below this it leaves."""
SMALL = 1e-4
"""A step below this needs no heirs."""


@dataclass(frozen=True, slots=True)
class Heirs:
    """Cells (n, 2) and by how much each grows, (n,), while a unit of the fading value goes."""

    cells: Cells
    shares: Array


def heirs_of_cell(graph: Graph, cell: int, passes: list[Pass]) -> Heirs:
    """The other cells of the row of a cell in the list."""
    row, column = (int(i) for i in graph.core.M_idx[cell])
    others = graph.core.hot_of_row(row)
    others = others[others != cell]
    columns = graph.core.M_idx[others, 1]
    base = Base([done.terms[columns] for done in passes])
    return Heirs(graph.core.M_idx[others].copy(), base.explain([done.terms[column] for done in passes]))


def heirs_of_tap(graph: Graph, line: int, tap: int, passes: list[Pass]) -> Heirs:
    """The cells of the node whose line it is: so many steps of the way to what does best once the tap is gone, and on
    the way what does best with the terms of the next step. (By those alone, cells on the line itself would weigh more
    for what the tap tells less, step after step.)"""
    cells, shares = [], []
    ends, nexts = (without_tap(graph, line, tap, passes, share) for share in (1.0, SHARE))
    for (row, last, whole), (_, terms, gone) in zip(ends, nexts, strict=True):
        by = SHARE * Base(last).explain(whole)
        by += Base(terms).explain([g - by @ f for g, f in zip(gone, terms, strict=True)])
        cells.append(graph.core.M_idx[graph.core.hot_of_row(row)])
        shares.append(by / (SHARE * graph.connectors.taps[line, tap]))
    return Heirs(np.concatenate(cells), np.concatenate(shares))


def without_tap(
    graph: Graph, line: int, tap: int, passes: list[Pass], share: float = 1.0
) -> list[tuple[int, list[Array], list[Array]]]:
    """If a share of a tap were gone: each row of its node, the terms of its Hot cells (K, B), and what its output would
    lose (B,), both for each pass."""
    c, t, core = graph.connectors, graph.terms, graph.core
    first, reads = int(c.reader[line]) * graph.features, t.reads(line)
    lines = [done.lines.copy() for done in passes]
    for left, done in zip(lines, passes, strict=True):
        left[line] -= share * c.taps[line, tap] * done.seen[c.latency[line], tap, c.source[line]]
    found = []
    for row in range(first, first + graph.features):
        at = core.of_rows(row, row + 1)
        columns, hot = core.columns[at], core.hot[at]
        base, gone = [], []
        for left, done in zip(lines, passes, strict=True):
            terms = done.terms[columns]
            for k in np.flatnonzero(reads[columns]):
                f = columns[k]
                terms[k] = made_of(int(t.kinds[f]), left[t.left[f]], left[t.right[f]], float(t.knots[f]))
            gone.append(core.W_vals[at] @ (done.terms[columns] - terms))
            base.append(terms[hot])
        found.append((row, base, gone))
    return found


class Fading:
    """What fades out in one graph."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._cells: list[tuple[int, int]] = []
        self._taps: list[tuple[int, int]] = []

    def cell(self, cell: int) -> None:
        """Let a cell of the list fade."""
        self.graph.core.heat[cell] = Heat.COOLING
        row, column = (int(i) for i in self.graph.core.M_idx[cell])
        self._cells.append((row, column))

    def tap(self, line: int, tap: int) -> None:
        """Let a tap fade."""
        self.graph.connectors.cooling[line, tap] = True
        self._taps.append((line, tap))

    def step(self, seen: Array | None = None) -> None:
        """One step of everything that fades; `seen` (lags, H, S, B) tells who can take over, without it nobody does."""
        self._taps = [at for at in self._taps if self._step_tap(*at, seen)]
        passes = [self.graph.forward(seen)] if seen is not None and self._cells else []
        self._cells = [at for at in self._cells if self._step_cell(at, passes)]

    def _step_tap(self, line: int, tap: int, seen: Array | None) -> bool:
        """Whether it still fades."""
        c = self.graph.connectors
        gone = SHARE * float(c.taps[line, tap])
        if seen is not None and abs(gone) > SMALL:
            heirs = heirs_of_tap(self.graph, line, tap, [self.graph.forward(seen)])
            self.graph.core.shift(heirs.cells, gone * heirs.shares)
        c.taps[line, tap] -= gone
        if abs(c.taps[line, tap]) < GONE:
            c.drop_tap(line, tap)
            return False
        return True

    def _step_cell(self, place: tuple[int, int], passes: list[Pass]) -> bool:
        """Whether it still fades."""
        core = self.graph.core
        at = int(core.find(np.array([place]))[0])
        if at < 0 or core.heat[at] != Heat.COOLING:
            return False
        gone = SHARE * float(core.W_vals[at])
        if passes and abs(gone) > SMALL:
            heirs = heirs_of_cell(self.graph, at, passes)
            core.shift(heirs.cells, gone * heirs.shares)
        core.W_vals[at] -= gone
        if abs(core.W_vals[at]) < GONE:
            core.remove(np.array([at]))
            return False
        return True

    def renumber(self, terms: NDArray[np.int64], lines: NDArray[np.int64]) -> None:
        """Term f is now terms[f], line k lines[k]; -1 for what is gone."""
        self._cells = [(row, int(terms[column])) for row, column in self._cells if terms[column] >= 0]
        self._taps = [(int(lines[line]), tap) for line, tap in self._taps if lines[line] >= 0]
