"""Clone-and-split: a line that has too much to do is doubled, and each of the two is weighed by half.

The clone has the same source, latency and taps, terms of its own like those of the line, and half of their cells'
weights; what the graph predicts stays as it is to rounding (Chen, Goodfellow & Shlens 2016, "Net2Net"). From then on
both may learn and grow taps of their own. What did not pay is merged again.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.networks.growing.core import BudgetError
from engine.networks.growing.graph import Graph
from kernels.sparse import ABOVE, PRODUCT


def clone(graph: Graph, line: int, tick: int = 0) -> int:
    """Double a line; the number of its clone. Raises BudgetError, and then nothing was changed."""
    c, terms, core = graph.connectors, graph.terms, graph.core
    cells = cells_on(graph, line)
    mine = np.unique(core.M_idx[cells, 1])
    taps = int(c.active[line, 1:].sum())
    for what, needed, used, limit in (
        ("cells", len(cells), core.struct, core.limit),
        ("taps", taps, c.struct, c.limit),
        ("hinges and products", int((terms.kinds[mine] >= ABOVE).sum()), terms.struct, terms.limit),
    ):
        if used + needed > limit:
            raise BudgetError(f"a clone needs {needed} more {what}, but {used} of {limit} are in use")
    new = c.add(
        int(c.reader[line]), int(c.source[line]), latency=int(c.latency[line]),
        reliability=float(c.reliability[line]), capacity=int(c.capacity[line]),
    )  # fmt: skip
    c.active[new], c.taps[new] = c.active[line], c.taps[line]
    graph.copy_mail(line, new)
    twin = {int(term): _twin(graph, int(term), line, new) for term in mine}
    core.W_vals[cells] *= 0.5
    places = core.M_idx[cells].copy()
    places[:, 1] = [twin[int(term)] for term in places[:, 1]]
    core.add(places, core.W_vals[cells].copy(), tick)
    return new


def split(graph: Graph, line: int, leaving: NDArray[np.bool_], tick: int = 0) -> int:
    """Clone a line and share its Hot cells, in the order of `cells_on`, out between both: those `leaving` (n,) are the
    clone's. Predictions stay as they are. The clone's number; raises BudgetError, and then nothing was changed."""
    core = graph.core
    new = clone(graph, line, tick)
    cells = cells_on(graph, line)
    places = core.M_idx[cells].copy()
    places[:, 1] = [graph.terms.find(*_shape(graph, int(term), line, new)) for term in places[:, 1]]
    twins = core.find(places)
    core.W_vals[cells] *= 2
    core.W_vals[twins] *= 2
    for name in ("mean", "square", "age", "born"):
        getattr(core, name)[twins] = getattr(core, name)[cells]
    core.remove(np.where(leaving, cells, twins))
    return new


def twins(graph: Graph, line: int, copy: int, tick: int = 0) -> None:
    """Give a line a cell of weight 0 for each of its clone's that it lacks. Raises BudgetError."""
    places = graph.core.M_idx[cells_on(graph, copy)].copy()
    if len(places) > graph.core.room:
        raise BudgetError(f"no room for {len(places)} more cells")
    places[:, 1] = [_twin(graph, int(term), copy, line) for term in places[:, 1]]
    missing = places[graph.core.find(places) < 0]
    graph.core.add(missing, np.zeros(len(missing)), tick)


def merge(graph: Graph, line: int, copy: int) -> None:
    """Give a clone's cells back to the line. Predictions stay as they are while both have the same taps; else the line
    speaks for both. What is left without cells is for `Graph.compact` to forget. Raises BudgetError if the line's terms
    are gone and there is no room for them; then nothing was changed."""
    c, terms, core = graph.connectors, graph.terms, graph.core
    ends = ("source", "reader", "latency")
    if line == copy or any(getattr(c, end)[line] != getattr(c, end)[copy] for end in ends):
        raise ValueError(f"line {copy} is no clone of line {line}")
    cells = cells_on(graph, copy)
    places, values = core.M_idx[cells].copy(), core.W_vals[cells].copy()
    mine = np.unique(places[:, 1])
    lost = [term for term in mine if terms.kinds[term] >= ABOVE and terms.find(*_shape(graph, term, copy, line)) < 0]
    if terms.struct + len(lost) > terms.limit:
        raise BudgetError(f"no room for {len(lost)} more hinges and products: {terms.struct} of {terms.limit} in use")
    back = {int(term): _twin(graph, int(term), copy, line) for term in mine}
    core.remove(cells)
    places[:, 1] = [back[int(term)] for term in places[:, 1]]
    core.add(places, values)


def cells_on(graph: Graph, line: int) -> NDArray[np.int64]:
    """Places in the list of the Hot cells whose terms read a line."""
    core = graph.core
    return np.flatnonzero(np.isin(core.M_idx[:, 1], np.flatnonzero(graph.terms.reads(line))) & core.hot)


def _shape(graph: Graph, term: int, line: int, other: int) -> tuple[int, int, int, float]:
    """Kind, left, right and knot of the term that reads the other line where this one reads the line."""
    terms = graph.terms
    left, right, kind = int(terms.left[term]), int(terms.right[term]), int(terms.kinds[term])
    left, right = other if left == line else left, other if right == line else right
    if kind == PRODUCT:
        left, right = min(left, right), max(left, right)
    return kind, left, right if kind == PRODUCT else 0, float(terms.knots[term])


def _twin(graph: Graph, term: int, line: int, other: int) -> int:
    """Its number, made if there is none."""
    kind, left, right, knot = _shape(graph, term, line, other)
    return graph.term(kind, int(graph.terms.owner[term]), left, right, knot)
