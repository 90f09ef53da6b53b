"""Regions that a node could grow, and what each of them would feed to the node: a shadow beside the frozen base.

The error of a node's numbers, seen from a region of value d, is e + d f: f, its feature, is what one unit of the region
would add to the prediction. Cells are exactly linear in d, so loss and gradient are exactly quadratic in it; a tap is,
to first order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from engine.networks.growing.graph import Graph, Pass
from engine.networks.growing.terms import made_of
from kernels.sparse import ABOVE, BELOW, CONSTANT, LINE, PRODUCT

Array = NDArray[Any]
Kind = Literal["edge", "tap", "hinge", "product", "constant"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A region of one cell or tap. `row` is the predicted number (a tap serves all rows of its node)."""

    kind: Kind
    node: int
    row: int
    sources: tuple[int, ...] = ()
    """State numbers read: one of an edge or hinge, two of a product."""
    knot: float = 0.0
    below: bool = False
    line: int = -1
    tap: int = 0
    snr: float = 0.0
    helped: bool = False
    """Shortlisted as a neighbour of a region that cannot help itself."""


def kind_of(found: Candidate) -> int:
    """The kind of its term (`kernels.sparse`); a tap has none."""
    kinds = {"constant": CONSTANT, "edge": LINE, "product": PRODUCT, "hinge": BELOW if found.below else ABOVE}
    return kinds[found.kind]


def values_of(graph: Graph, node: int, done: Pass) -> Array:
    """All state numbers as this node reads them, (S + pools, B): through its own lines where it has one."""
    values: Array = done.seen[0, 0].copy()
    c = graph.connectors
    own = np.flatnonzero((c.reader == node) & (c.latency == 0))[::-1]
    values[c.source[own]] = done.lines[own]
    return values


def feature(graph: Graph, found: Candidate, values: Array, done: Pass) -> Array:
    """What one unit would add to the node's numbers, (features, B); `values` of `values_of` this node."""
    if found.kind == "tap":
        out = slopes(graph, found.node, found.line, done)
        latency, source = graph.connectors.latency[found.line], graph.connectors.source[found.line]
        out *= done.seen[latency, found.tap, source]
        return out
    out = np.zeros((graph.features, values.shape[1]), graph.dtype)
    a, b = (values[found.sources[end]] if found.sources else values[0] for end in (0, -1))
    out[found.row - found.node * graph.features] = made_of(kind_of(found), a, b, found.knot)
    return out


def slopes(graph: Graph, node: int, line: int, done: Pass) -> Array:
    """d y / d line of a node's numbers, (features, B)."""
    out = np.zeros((graph.features, done.lines.shape[1]), graph.dtype)
    first = node * graph.features
    for cell in range(*graph.core.of_rows(first, first + graph.features).indices(graph.core.struct)):
        found = slope_of_cell(graph, cell, line, done)
        if found is not None:
            out[graph.core.M_idx[cell, 0] - first] += found
    return out


def slope_of_cell(graph: Graph, cell: int, line: int, done: Pass) -> Array | None:
    """What a cell adds to d y / d line, (B,); None if it does not read the line."""
    terms, f = graph.terms, graph.core.M_idx[cell, 1]
    kind, left, right = terms.kinds[f], terms.left[f], terms.right[f]
    if kind == CONSTANT or line not in ((left, right) if kind == PRODUCT else (left,)):
        return None
    w, a = graph.core.W_vals[cell], done.lines[left]
    found: Array
    if kind == LINE:
        found = np.full_like(a, w)
    elif kind == ABOVE:
        found = w * (a > terms.knots[f])
    elif kind == BELOW:
        found = -w * (a < terms.knots[f])
    else:
        found = w * ((left == line) * done.lines[right] + (right == line) * a)
    return found


def commit(graph: Graph, found: Candidate, value: float, tick: int) -> int:
    """Make a region Hot at a value; how many cells and taps that took. Raises BudgetError, and then only lines or terms
    without weight have been added."""
    before = graph.struct
    if found.kind == "tap":
        graph.connectors.add_tap(found.line, found.tap, value)
        return graph.struct - before
    if found.kind == "constant":
        column = 0
    else:
        lines = [graph.line(found.node, source) for source in found.sources]
        kind = kind_of(found)
        knot = found.knot if found.kind == "hinge" else 0.0
        column = graph.term(kind, found.node, lines[0], lines[-1] if kind == PRODUCT else 0, knot)
    graph.core.add(np.array([[found.row, column]]), np.array([value]), tick)
    return graph.struct - before


def is_cold(graph: Graph, found: Candidate) -> bool:
    """Whether the region is not there yet."""
    if found.kind == "tap":
        return graph.connectors.can_tap(found.line, found.tap)
    return cell_of(graph, found) < 0


def cell_of(graph: Graph, found: Candidate) -> int:
    """Where the region's cell is in the list, -1 if nowhere (a tap has none)."""
    column = 0
    if found.kind != "constant":
        lines = [graph.connectors.find(found.node, source) for source in found.sources]
        if min(lines) < 0:
            return -1
        kind = kind_of(found)
        left, right = (min(lines), max(lines)) if kind == PRODUCT else (lines[0], 0)
        column = graph.terms.find(kind, left, right, found.knot if found.kind == "hinge" else 0.0)
    return column if column < 0 else int(graph.core.find(np.array([[found.row, column]]))[0])


def words(graph: Graph, found: Candidate, labels: tuple[str, ...] = ()) -> str:
    """For people."""
    target = name_of(graph, found.row, labels)
    names = [name_of(graph, source, labels) for source in found.sources]
    match found.kind:
        case "constant":
            return f"{target} <- 1"
        case "hinge":
            return f"{target} <- hinge of {names[0]} {'below' if found.below else 'above'} {found.knot:.2f}"
        case "tap":
            source = name_of(graph, int(graph.connectors.source[found.line]), labels)
            return f"node {found.node + 1} <- {source}, difference {found.tap}"
    return f"{target} <- {' '.join(names)}"


def signature(graph: Graph, column: int) -> tuple[str, tuple[int, ...], float]:
    """What a term is, whatever its number: kind, state numbers read, knot."""
    terms, source = graph.terms, graph.connectors.source
    kind = {CONSTANT: "constant", LINE: "edge", PRODUCT: "product"}.get(int(terms.kinds[column]), "hinge")
    if kind == "constant":
        return kind, (), 0.0
    ends = [int(source[terms.left[column]])] + ([int(source[terms.right[column]])] if kind == "product" else [])
    return kind, tuple(sorted(ends)), round(float(terms.knots[column]), 2)


def sources_of(graph: Graph) -> tuple[Array, Array]:
    """State numbers that each cell reads, both (nnz,); the second is the first again but for products, -1 for the
    constant."""
    terms, source = graph.terms, graph.connectors.source
    column = graph.core.M_idx[:, 1]
    if not len(source):
        return np.full(len(column), -1), np.full(len(column), -1)
    kinds = terms.kinds[column]
    first = np.where(kinds == CONSTANT, -1, source[terms.left[column]])
    return first, np.where(kinds == PRODUCT, source[terms.right[column]], first)


def abroad(graph: Graph) -> NDArray[np.bool_]:
    """Whether each cell reads another node than its own, (nnz,)."""
    node = graph.core.M_idx[:, 0] // graph.features
    found = np.zeros(len(node), bool)
    for source in sources_of(graph):
        found |= (source >= 0) & (source // graph.features != node)
    return found


def words_of_cell(graph: Graph, row: int, column: int, labels: tuple[str, ...] = ()) -> str:
    """For people."""
    kind, sources, _ = signature(graph, column)
    below = bool(graph.terms.kinds[column] == BELOW)
    found: Any = kind
    node = graph.node_of(row)
    return words(graph, Candidate(found, node, row, sources, float(graph.terms.knots[column]), below), labels)


def name_of(graph: Graph, number: int, labels: tuple[str, ...] = ()) -> str:
    """Of a state number, nodes counted from 1; `labels` are those of all numbers, or of a node's features."""
    if number >= graph.states:
        return f"pool {number - graph.states + 1}"
    if len(labels) == graph.states:
        return labels[number]
    node, feature = divmod(number, graph.features)
    label = labels[feature] if feature < len(labels) else f"x{feature + 1}" if graph.features > 1 else "x"
    return f"{label}[{node + 1}]"
