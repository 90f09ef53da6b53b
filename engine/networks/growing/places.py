"""Places: where the weights of a graph lie in their nodes' stencils, and what they are in units that all nodes share.

A node reads others at offsets of the nodes' order, which is taken as a ring (at the ends of a line nothing is found at
the far side, so nothing is taken from there). Two weights of different nodes have the same place if they weigh the same
kind of term of the same features at the same offsets in the same predicted feature.

Nodes measure each number in units of its own spread s round its own centre c, so like places have like values only in
shared units, a reference spread S and centre C for each feature. With z = (x - c) / s and Z = (x - C) / S,

    z = k Z + d,   k = S / s,   d = (C - c) / s

so of w z_i z_j the product's share is w k_i k_j, and w k_i d_j and w k_j d_i belong to the lines, w d_i d_j to the
constant. With the usual change of the predicted number, s_r unit_r over its reference, this is a linear map M of a
graph's weights, triangular from products to lines to the constant; gradients go by its inverse transpose.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from engine.networks.growing.core import Heat
from engine.networks.growing.graph import Graph
from kernels.sparse import ABOVE, BELOW, CONSTANT, LINE, PRODUCT

Array = NDArray[Any]
Integers = NDArray[np.int64]
TAP = 9
"""Kind of a place that is a tap; other kinds are those of terms."""
NOWHERE = -1
BIN = 0.25
"""Knots within so many spreads are the same."""


class Places:
    """Of every weight, cells of the list first and then grown taps, n of them:

    `node`, `place` (n,) int64; `place` is a number in `keys`, or NOWHERE for a weight that reads a pool or shares its
    place with another of its node. `keys` hold kind, predicted feature, and of both ends feature, offset and latency,
    then the bin of a knot or the number of a tap.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.keys: list[tuple[int, ...]] = []
        self._known: dict[tuple[int, ...], int] = {}
        self._starts: Array | None = None
        self._active: Array = np.zeros((0, 0), bool)
        self.refresh()

    def refresh(self) -> bool:
        """Take in what the planner has changed; whether there was anything."""
        k, c = self.graph.core, self.graph.connectors
        if k.starts is self._starts and np.array_equal(c.active, self._active):
            return False
        self._starts, self._active = k.starts, c.active.copy()
        grown = c.active.copy()
        grown[:, 0] = False
        self._taps = np.nonzero(grown)
        self.cells = k.struct
        self.node = np.concatenate([k.M_idx[:, 0] // self.graph.features, c.reader[self._taps[0]]])
        self._number()
        self._measure()
        return True

    # ---- which place

    def _number(self) -> None:
        graph, c = self.graph, self.graph.connectors
        rows, columns = self.graph.core.M_idx.T
        kinds = graph.terms.kinds[columns].astype(np.int64)
        left, right = graph.terms.left[columns], graph.terms.right[columns]
        keys = np.zeros((len(self.node), 9), np.int64)
        cells, taps = keys[: self.cells], keys[self.cells :]
        cells[:, 0], cells[:, 1] = kinds, rows % graph.features
        outside = np.zeros(len(keys), bool)
        some, both = kinds != CONSTANT, kinds == PRODUCT
        cells[some, 2:5], outside[: self.cells][some] = self._end(left[some], rows[some])
        cells[both, 5:8], beyond = self._end(right[both], rows[both])
        outside[: self.cells][both] |= beyond
        swapped = np.flatnonzero(both)[_later(cells[both, 2:5], cells[both, 5:8])]
        cells[swapped, 2:8] = cells[swapped][:, [5, 6, 7, 2, 3, 4]]
        bent = (kinds == ABOVE) | (kinds == BELOW)
        cells[bent, 8] = np.rint(self._shared_knots(columns[bent]) / BIN)
        taps[:, 0], taps[:, 8] = TAP, self._taps[1]
        taps[:, 2:5], outside[self.cells :] = self._end(self._taps[0], c.reader[self._taps[0]] * graph.features)
        unique, back = np.unique(keys, axis=0, return_inverse=True)
        numbers = np.array([self._numbered(tuple(int(i) for i in key)) for key in unique], np.int64)
        self.place = numbers[back.reshape(-1)] if len(unique) else np.empty(0, np.int64)
        _, at, count = np.unique(self.code, return_inverse=True, return_counts=True)
        self.place[outside | (count[at.reshape(-1)] > 1)] = NOWHERE

    @property
    def code(self) -> Integers:
        """One number for node and place, (n,); negative where there is no place."""
        return np.where(self.place < 0, NOWHERE, self.place * self.graph.nodes + self.node)

    def _numbered(self, key: tuple[int, ...]) -> int:
        if key not in self._known:
            self._known[key] = len(self.keys)
            self.keys.append(key)
        return self._known[key]

    def _end(self, lines: Integers, rows: Integers) -> tuple[Integers, NDArray[np.bool_]]:
        """Feature, offset and latency of what lines bring to rows, (n, 3); and whether that is a pool."""
        graph, c = self.graph, self.graph.connectors
        source = c.source[lines]
        offset = offsets(graph.nodes, source // graph.features - rows // graph.features)
        return np.stack([source % graph.features, offset, c.latency[lines]], 1), source >= graph.states

    def _shared_knots(self, columns: Integers) -> Array:
        graph = self.graph
        source = graph.connectors.source[graph.terms.left[columns]]
        k, d = self._of_source()
        found: Array = (graph.terms.knots[columns] - d[source]) / k[source]
        return found

    # ---- shared units

    def own_knot(self, knot: float, source: int) -> float:
        """What a knot in shared units is for a node that reads this state number."""
        k, d = self._of_source()
        return float(knot * k[source] + d[source])

    def _references(self) -> tuple[Array, Array, Array]:
        """Of each feature the spread, centre and usual change that are taken as the shared unit, medians over nodes."""
        graph = self.graph
        spread, centre = (np.asarray(a, np.float64).reshape(-1, graph.features) for a in (graph.spread, graph.centre))
        change = spread * graph.unit.reshape(-1, graph.features)
        return np.median(spread, 0), np.median(centre, 0), np.median(change, 0)

    def _of_source(self) -> tuple[Array, Array]:
        """k and d of every number that can be read; 1 and 0 of a pool."""
        graph = self.graph
        spread, centre, _ = (np.tile(a, graph.nodes) for a in self._references())
        k, d = np.ones(graph.states + graph.pools), np.zeros(graph.states + graph.pools)
        k[: graph.states] = spread / graph.spread
        d[: graph.states] = (centre - graph.centre) / graph.spread
        return k, d

    def _measure(self) -> None:
        """M, as its diagonal and what lies beside it."""
        graph, t, core = self.graph, self.graph.terms, self.graph.core
        rows, columns = core.M_idx.T
        change = np.tile(self._references()[2], graph.nodes)
        share = (np.asarray(graph.spread, np.float64) * graph.unit / change)[rows]
        k, d = self._of_source()
        source = graph.connectors.source if len(graph.connectors) else np.zeros(1, np.int64)
        kinds, left, right = t.kinds[columns], t.left[columns], t.right[columns]
        kl, dl, kr, dr = k[source[left]], d[source[left]], k[source[right]], d[source[right]]
        line, product = kinds == LINE, kinds == PRODUCT
        scale = np.where(kinds == CONSTANT, 1, np.where(product, kl * kr, kl)) * share
        self.scale = np.concatenate([scale, self._tap_scale()])
        plain = np.full(max(len(graph.connectors), 1), NOWHERE)
        straight = np.flatnonzero(t.kinds == LINE)
        plain[t.left[straight]] = straight
        constant = np.zeros(len(rows), np.int64)
        parts = [
            (line, constant, dl), (product, constant, dl * dr), (product, plain[left], kl * dr),
            (product, plain[right], kr * dl),
        ]  # fmt: skip
        into, out, by = [], [], []
        for which, column, factor in parts:
            cells = np.flatnonzero(which & (column >= 0))
            heir = core.find(np.stack([rows[cells], column[cells]], 1))
            there = heir >= 0
            into.append(heir[there])
            out.append(cells[there])
            by.append((share * factor)[cells[there]])
        size = (len(self.node),) * 2
        beside = csr_array((np.concatenate(by), (np.concatenate(into), np.concatenate(out))), shape=size)
        self._beside, self._transposed = beside, beside.T.tocsr()

    def _tap_scale(self) -> Array:
        graph = self.graph
        lines, taps = self._taps
        source = graph.connectors.source[lines]
        sizes = graph.memory.scale[:, : graph.states].astype(np.float64)
        usual = np.median(sizes.reshape(len(sizes), -1, graph.features), 1)
        own = graph.memory.scale[taps, source].astype(np.float64)
        found: Array = np.where(source < graph.states, usual[taps, source % graph.features] / own, 1.0)
        return found

    @property
    def weights(self) -> Array:
        """As the graph has them, (n,) float64."""
        return np.concatenate([self.graph.core.W_vals, self.graph.connectors.taps[self._taps]]).astype(np.float64)

    @property
    def hot(self) -> NDArray[np.bool_]:
        """Which of them learn, (n,)."""
        return np.concatenate([self.graph.core.heat == Heat.HOT, ~self.graph.connectors.cooling[self._taps]])

    def taps_of(self, at: Integers) -> tuple[Integers, Integers]:
        """Line and tap of these weights, which are taps."""
        return self._taps[0][at - self.cells], self._taps[1][at - self.cells]

    def of_all(self, cells: Array, taps: Array) -> Array:
        """What is told of cells (nnz,) and of all taps (L, H), in the order of weights, (n,)."""
        return np.concatenate([cells, taps[self._taps]]).astype(np.float64)

    def shared(self, weights: Array) -> Array:
        """Weights in shared units, M w."""
        found: Array = self.scale * weights + self._beside @ weights
        return found

    def own(self, values: Array) -> Array:
        """The other way."""
        return self._solved(self._beside, values)

    def gradient(self, gradient: Array) -> Array:
        """Of values in shared units, from that of weights."""
        return self._solved(self._transposed, gradient)

    def _solved(self, beside: Any, wanted: Array) -> Array:
        """Products, lines, the constant: two rounds are exact."""
        found: Array = wanted / self.scale
        for _ in range(2):
            found = (wanted - beside @ found) / self.scale
        return found

    def shift(self, by: Array) -> None:
        """Add to the weights."""
        core, c = self.graph.core, self.graph.connectors
        moved = (by != 0) & self.hot
        cells = moved[: self.cells]
        core.W_vals[cells] += by[: self.cells][cells].astype(core.dtype)
        taps = tuple(index[moved[self.cells :]] for index in self._taps)
        c.taps[taps] += by[self.cells :][moved[self.cells :]].astype(c.taps.dtype)

    @property
    def neighbours(self) -> NDArray[np.bool_]:
        """Cells that read another node, (n,)."""
        keys = np.array(self.keys, np.int64).reshape(-1, 9)[self.place]
        found: NDArray[np.bool_] = (keys[:, 0] != TAP) & ((keys[:, 3] != 0) | (keys[:, 6] != 0)) & (self.place >= 0)
        return found


def offsets(nodes: int, steps: Any) -> Any:
    """Steps round the ring, the short way: from -nodes / 2 to nodes / 2."""
    return (steps + (nodes - 1) // 2) % nodes - (nodes - 1) // 2


def find(codes: Integers, wanted: Integers) -> Integers:
    """Where each is in the list, or -1."""
    if not len(codes):
        return np.full(len(wanted), -1)
    order = np.argsort(codes)
    at = order[np.searchsorted(codes, wanted, sorter=order).clip(max=len(codes) - 1)]
    return np.where(codes[at] == wanted, at, -1)


def _later(a: Integers, b: Integers) -> NDArray[np.bool_]:
    """Whether rows of a come after those of b, column by column."""
    later, same = np.zeros(len(a), bool), np.ones(len(a), bool)
    for x, y in zip(a.T, b.T, strict=True):
        later |= same & (x > y)
        same &= x == y
    return later
