"""How stencils grow: regions that a node's likes have, the next ring and longer arms, as candidates for the probe.

A ring are the two offsets of one distance; the next ring is the nearest that is not whole. An arm goes on by one step
from an offset that is there. Both are lines to one feature of one predicted number; likes may also lend hinges and
products.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.networks.growing.candidates import Candidate, is_cold
from engine.networks.growing.places import BIN, Places
from kernels.sparse import ABOVE, BELOW, CONSTANT, LINE, PRODUCT

Array = NDArray[Any]
MOST = 0.5
"""Share of the likes that must have a place for it to be proposed."""
NAMES: dict[int, Any] = {CONSTANT: "constant", LINE: "edge", PRODUCT: "product", ABOVE: "hinge", BELOW: "hinge"}


def proposed(places: Places, likes: NDArray[np.bool_], node: int, most: int) -> list[Candidate]:
    """What a node could grow, Cold as yet, `most` for each predicted number: what over half of its `likes` (nodes,)
    have, commonest first, then rings, then arms."""
    graph = places.graph
    keys = [places.keys[place] for place in _lent(places, likes)] + _around(places, node)
    found: dict[int, list[Candidate]] = {row: [] for row in range(graph.features)}
    for key in keys:
        mine = found[key[1]]
        candidate = _candidate(places, node, key)
        if len(mine) < most and candidate is not None and candidate not in mine and is_cold(graph, candidate):
            mine.append(candidate)
    return [candidate for mine in found.values() for candidate in mine]


def _lent(places: Places, likes: NDArray[np.bool_]) -> list[int]:
    """Places that more than half of the likes have Hot, commonest first."""
    cells = np.arange(len(places.place)) < places.cells
    at = cells & places.hot & (places.place >= 0) & likes[places.node]
    found, count = np.unique(places.place[at], return_counts=True)
    order = np.argsort(-count, kind="stable")
    return [int(found[k]) for k in order if count[k] > MOST * likes.sum()]


def _around(places: Places, node: int) -> list[tuple[int, ...]]:
    """Keys of lines in the next ring, and at the end of arms, of every predicted and read feature."""
    graph = places.graph
    mine = [places.keys[place] for place in places.place[(places.node == node) & places.hot] if place >= 0]
    rings: list[tuple[int, ...]] = []
    arms: list[tuple[int, ...]] = []
    for row in range(graph.features):
        for feature in range(graph.features):
            there = {key[3] for key in mine if key[:3] == (LINE, row, feature)}
            distance = next(d for d in range(1, graph.nodes + 1) if not {d, -d} <= there)
            rings += [(LINE, row, feature, offset, 0, 0, 0, 0, 0) for offset in (distance, -distance)]
            ends = sorted((o + int(np.sign(o)) for o in there if o), key=abs)
            arms += [(LINE, row, feature, offset, 0, 0, 0, 0, 0) for offset in ends]
    return rings + arms


def _candidate(places: Places, node: int, key: tuple[int, ...]) -> Candidate | None:
    """The region of a place; None if it has a latency, which is not probed."""
    graph = places.graph
    kind, row, first, second, knot = key[0], key[1], key[2:5], key[5:8], key[8]
    ends = {CONSTANT: (), PRODUCT: (first, second)}.get(kind, (first,))
    if any(late for _, _, late in ends):
        return None
    sources = tuple((node + offset) % graph.nodes * graph.features + feature for feature, offset, _ in ends)
    own = 0.0
    if kind in (ABOVE, BELOW):
        own = places.own_knot(knot * BIN, sources[0])
    row += node * graph.features
    return Candidate(NAMES[kind], node, row, sources, own, below=kind == BELOW)
