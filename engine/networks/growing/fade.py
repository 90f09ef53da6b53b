"""Graceful demotion: what is condemned fades out step by step, and its row's other cells take over what they can.

Each step takes a share of the fading value away and gives the others that share of what comes nearest to it by least
squares (the update of Hassibi & Stork 1993), so the loss moves no more than it must. What is gone leaves the list,
which then changes no output.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.networks.growing.candidates import slopes
from engine.networks.growing.core import Cells, Heat
from engine.networks.growing.graph import Graph, Pass
from engine.networks.growing.relax import Base, own_terms

Array = NDArray[Any]
SHARE = 0.25
"""Of what is left of a fading value, taken away in a step."""
GONE = 1e-7
"""Below this it leaves."""


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
    """The cells of the node whose line it is."""
    c = graph.connectors
    node = int(c.reader[line])
    effects = [slopes(graph, node, line, done) * done.seen[c.latency[line], tap, c.source[line]] for done in passes]
    cells, shares = [], []
    for r, row in enumerate(range(node * graph.features, (node + 1) * graph.features)):
        cells.append(graph.core.M_idx[graph.core.hot_of_row(row)])
        shares.append(Base(own_terms(graph, row, passes)).explain([effect[r] for effect in effects]))
    return Heirs(np.concatenate(cells), np.concatenate(shares))


class Fading:
    """What fades out in one graph."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._cells: list[tuple[tuple[int, int], Heirs]] = []
        self._taps: list[tuple[tuple[int, int], Heirs]] = []

    def cell(self, cell: int, heirs: Heirs) -> None:
        """Let a cell of the list fade."""
        self.graph.core.heat[cell] = Heat.COOLING
        row, column = (int(i) for i in self.graph.core.M_idx[cell])
        self._cells.append(((row, column), heirs))

    def tap(self, line: int, tap: int, heirs: Heirs) -> None:
        """Let a tap fade."""
        self.graph.connectors.cooling[line, tap] = True
        self._taps.append(((line, tap), heirs))

    def step(self) -> None:
        """One step of everything that fades."""
        core, c = self.graph.core, self.graph.connectors
        staying = []
        for place, heirs in self._cells:
            at = int(core.find(np.array([place]))[0])
            if at < 0 or core.heat[at] != Heat.COOLING:
                continue
            gone = SHARE * float(core.W_vals[at])
            core.W_vals[at] -= gone
            core.shift(heirs.cells, gone * heirs.shares)
            if abs(core.W_vals[at]) < GONE:
                core.remove(np.array([at]))
            else:
                staying.append((place, heirs))
        self._cells = staying
        fading = []
        for (line, tap), heirs in self._taps:
            gone = SHARE * float(c.taps[line, tap])
            c.taps[line, tap] -= gone
            core.shift(heirs.cells, gone * heirs.shares)
            if abs(c.taps[line, tap]) < GONE:
                c.drop_tap(line, tap)
            else:
                fading.append(((line, tap), heirs))
        self._taps = fading

    def renumber(self, terms: NDArray[np.int64], lines: NDArray[np.int64]) -> None:
        """Term f is now terms[f], line k lines[k]; -1 for what is gone."""
        self._cells = [
            ((row, int(terms[column])), _moved(heirs, terms))
            for (row, column), heirs in self._cells
            if terms[column] >= 0
        ]
        self._taps = [
            ((int(lines[line]), tap), _moved(heirs, terms)) for (line, tap), heirs in self._taps if lines[line] >= 0
        ]


def _moved(heirs: Heirs, terms: NDArray[np.int64]) -> Heirs:
    columns = terms[heirs.cells[:, 1]]
    kept = columns >= 0
    return Heirs(np.stack([heirs.cells[kept, 0], columns[kept]], 1), heirs.shares[kept])
