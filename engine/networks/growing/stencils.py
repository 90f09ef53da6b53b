"""Stencils: what a node reads of its neighbours, learned together with nodes that read alike.

A node's stencil is its weights by place (see `places`). Two stencils are alike if what they read of other nodes has a
cosine of at least 1 - radius. Of any other nothing is taken over, however near it is to that.

    attraction  Hot weights v of a node that would do as well with their likes' value are drawn to the means m of these:
                u <- 0.9 u + 0.1 rate strength (1 + C d^2 / 2 p)^-1 (m - v),   v <- v + u
                so a pull is damped along whatever the node's loss is curved, C, by more than a hundredth of the price
                of a weight, p, over d, the usual distance
    tie         a weight that `horizon` meta-steps one after the other would have done as well with the value that is
                best for all its likes becomes their centre plus a sparse residual (see `ties`)
    escape      a weight whose own best value saves more than the price of a cell over that of its tie is set free; each
                time for twice as long
    growth      what most of the likes have, the next ring and longer arms are proposed to the probe (see `nearby`)

What a value saves is counted once the node's other weights, those that are not tied, have adapted (see `quadratic`),
less `doubt` standard errors. All values are in shared units. Tables are rebuilt when the planner has changed something;
a learning step works on whole arrays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import block_diag, csr_array
from scipy.sparse.csgraph import connected_components

from engine.networks.growing.candidates import Candidate
from engine.networks.growing.graph import Graph, Pass
from engine.networks.growing.nearby import proposed
from engine.networks.growing.places import Places, find
from engine.networks.growing.quadratic import Quadratic, quadratics
from engine.networks.growing.ties import Ties

Array = NDArray[Any]
Integers = NDArray[np.int64]
COMMON = 2
"""Neighbours' places that likes have in common: one may be chance."""
MEMBERS = 3
"""Cells of a tie, at the least."""
MOMENTUM = 0.9
CHEAP = 0.01
"""Share of a weight's price that pulls may cost."""
FREE = 5
"""Meta-steps for which an escaped cell stays free, twice as many each time."""


@dataclass(frozen=True, slots=True)
class Change:
    """A tie that weights joined, or an escape: one of the weights, in the order of `Places`, and how many are tied."""

    kind: Literal["tie", "escape"]
    weight: int
    members: int
    saved: float
    """Loss that its own value saves."""
    price: float


class Stencils:
    """Of one graph. `likes` (nodes, nodes) bool: whose stencils are alike, as of the last meta-step.

    Its arrays of n are about all weights in the order of `Places`, those of m about the weights in `_shared`.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.places = Places(graph)
        self.ties = Ties()
        self.likes = np.zeros((self.graph.nodes,) * 2, bool)
        self._family = np.arange(self.graph.nodes)
        self._barred: dict[int, tuple[int, int]] = {}
        """Of an escaped weight, by code: the step until which it is free, and for how many meta-steps."""
        self._code = self.places.code
        self._damping: Any = csr_array((len(self._code),) * 2)
        """Of pulls by curvature, (n, n)."""
        self._velocity, self._close = np.zeros(len(self._code)), np.zeros(len(self._code), np.int64)
        self._tied = np.zeros(len(self._code), bool)
        self._arrange()

    @property
    def tied(self) -> NDArray[np.bool_]:
        """Cells that are tied, (nnz,)."""
        self._refresh()
        found: NDArray[np.bool_] = self._tied[: self.places.cells]
        return found

    @property
    def residuals(self) -> Array:
        """Of the tied weights, in shared units."""
        self._refresh()
        found: Array = self.places.shared(self.places.weights)[self.ties.at] - self.ties.value[self.ties.group]
        return found

    def step(self, cells: Array, taps: Array, rate: float) -> None:
        """After every weight's own step: draw likes together, and let ties step as one. `cells` (nnz,) and `taps`
        (L, H) are the gradients."""
        self._refresh()
        if not self.likes.any():
            return
        places, ties = self.places, self.ties
        before = places.shared(places.weights)
        values = before.copy()
        self._attract(values, rate)
        if ties.count:
            gradient = places.gradient(places.of_all(cells, taps))[ties.at]
            values[ties.at] = ties.step(values[ties.at], gradient, places.scale[ties.at], rate)
        places.shift(places.own(values - before))

    def nearby(self, node: int, most: int) -> list[Candidate]:
        """What would make the node's stencil larger or more like its likes', at most so many for each number."""
        self._refresh()
        return proposed(self.places, self.likes[node], node, most)

    def _attract(self, values: Array, rate: float) -> None:
        strength, at = self.graph.settings.attraction, self._shared
        if not strength or not len(at):
            return
        count, mean = self._of_likes(values[at])
        moved = (count > 0) & self.places.hot[at] & ~self._tied[at] & (self._close[at] > 0)
        pull = np.zeros(len(values))
        pull[at[moved]] = strength * rate * (mean - values[at])[moved]
        self._velocity = MOMENTUM * self._velocity + (1 - MOMENTUM) * (self._damping @ pull)
        self._velocity[self._tied | ~self.places.hot | (self.likes.sum(1) == 0)[self.places.node]] = 0
        values += self._velocity

    def _of_likes(self, values: Array) -> tuple[Array, Array]:
        """Of each weight whose place others have too: how many of its likes have it Hot, and their mean, (m,)."""
        at = self._shared
        where = self.places.node[at], self._column
        table, weight = np.zeros((2, self.graph.nodes, int(self._column.max(initial=-1)) + 1))
        weight[where] = self.places.hot[at]
        table[where] = values * weight[where]
        likes = self.likes.astype(np.float64)
        count = (likes @ weight)[where]
        return count, (likes @ table)[where] / np.maximum(count, 1)

    # ---- meta-steps

    def review(self, evidence: list[tuple[Pass, Array]], price: Array, step: int) -> list[Change]:
        """See who is alike, tie what has long been close, let go what pays for itself. `evidence` are fresh passes and
        their errors, `price` (S,) is what a cell must save in each row, `step` counts learning."""
        self._refresh()
        self._compare()
        places = self.places
        price = self._prices(price)
        values = places.shared(places.weights)
        best, (curvature, doubt), blocks = values.copy(), np.zeros((2, len(values))), []
        count, mean = self._of_likes(values[self._shared])
        distance = np.zeros(len(values))
        distance[self._shared] = np.where(count > 0, mean - values[self._shared], 0)
        nodes = quadratics(self.graph, places, evidence)
        for node in nodes:
            at, scale = node.at, places.scale[node.at]
            move, left = node.best(self._tied[at])
            best[at], curvature[at] = values[at] + scale * move, left / scale**2
            doubt[at] = self.graph.settings.doubt * scale * np.sqrt(node.error / (node.samples * left))
            blocks.append((at, _damping(node.curvature / np.outer(scale, scale), distance[at], price[at])))
        self._damping = _blocks(blocks, len(values))
        pooled = self._pooled(best, curvature)
        apart = np.maximum(np.abs(best - pooled) - doubt, 0)
        saved = 0.5 * curvature * np.square(apart)
        known = ~np.isnan(saved)
        pays, before = known & (saved > price), self._tied.copy()
        escaped = np.flatnonzero(pays & before)
        for k in escaped:
            self._let_go(int(self._code[k]), step)
        barred = np.array([self._barred.get(int(code), (0, 0))[0] > step for code in self._code], bool)
        close = known & ~pays & (self._code >= 0) & ~barred
        self._close = np.where(close, self._close + 1, 0)
        chosen = self._chosen(close & ~before)
        chosen &= self._bring(chosen, pooled - values, nodes, evidence, price)
        self._tied = before & ~pays | chosen
        self._arrange()
        changes = [Change("escape", int(k), 1, float(saved[k]), float(price[k])) for k in escaped]
        new = ~before[self.ties.at]
        for tie in np.unique(self.ties.group[new]):
            first = int(self.ties.at[new & (self.ties.group == tie)][0])
            size = int(self.ties.sizes[tie])
            changes.append(Change("tie", first, size, float(saved[first]), float(price[first])))
        return changes

    def _chosen(self, close: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Of each node the weight that is tied next, (n,), since others may be worth more without it: that of the place
        which most nodes could tie."""
        horizon = self.graph.settings.horizon
        ready = np.flatnonzero(close & (self._close >= horizon)) if horizon else np.zeros(0, np.int64)
        chosen = np.zeros(len(close), bool)
        if len(ready):
            place = self.places.place[ready]
            _, back, count = np.unique(place, return_inverse=True, return_counts=True)
            order = ready[np.lexsort((place, -count[back.reshape(-1)]))]
            chosen[order[np.unique(self.places.node[order], return_index=True)[1]]] = True
        return chosen

    def _bring(
        self, chosen: NDArray[np.bool_], way: Array, nodes: list[Quadratic], evidence: list[tuple[Pass, Array]],
        price: Array,
    ) -> NDArray[np.bool_]:  # fmt: skip
        """Let weights that are about to be tied go to the others of their tie, or else all the `way` (n,) to the pooled
        value, in shared units; the other weights of their nodes make up for it. Nearly collinear weights may have far
        to go for that, and taps act through the others: a node that loses more than the weight's price stays as it was.
        Which weights are of nodes that went, (n,)."""
        ties, names = self.ties, self._names(np.arange(len(way)))
        centres = dict(zip(names[ties.at].tolist(), ties.value[ties.group].tolist(), strict=True))
        values, by = self.places.shared(self.places.weights), np.zeros(len(way))
        for node in nodes:
            for k in np.flatnonzero(chosen[node.at]):
                weight = int(node.at[k])
                centre = centres.get(int(names[weight]))
                distance = way[weight] if centre is None else centre - values[weight]
                by[node.at] += node.with_others(int(k), self._tied[node.at]) * distance / self.places.scale[weight]
        graph, places = self.graph, self.places
        seen = [(done.seen, done.y - error) for done, error in evidence]
        before = graph.losses(seen)
        cells, taps = graph.core.W_vals.copy(), graph.connectors.taps.copy()
        places.shift(by)
        may_lose = np.bincount(places.node[chosen], price[chosen], graph.nodes)
        went: NDArray[np.bool_] = (graph.losses(seen) - before <= may_lose)[places.node]
        graph.core.W_vals[:], graph.connectors.taps[:] = cells, taps
        places.shift(np.where(went, by, 0.0))
        return went

    def _names(self, at: Integers) -> Integers:
        """Which tie these weights would belong to, by place and family."""
        found: Integers = self.places.place[at] * self.graph.nodes + self._family[self.places.node[at]]
        return found

    def _prices(self, price: Array) -> Array:
        """Of every weight; a tap serves all numbers of its node."""
        rows = self.graph.core.M_idx[:, 0]
        of_node = price.reshape(self.graph.nodes, -1).sum(1)
        return np.concatenate([price[rows], of_node[self.places.node[self.places.cells :]]])

    def _pooled(self, best: Array, curvature: Array) -> Array:
        """Of every weight the value that is best for its tie as a whole, else for it and its likes, (n,); nan if these
        are too few."""
        at, ties = self._shared, self.ties
        count, mean = self._of_likes((best * curvature)[at])
        _, weight = self._of_likes(curvature[at])
        pooled = np.full(len(best), np.nan)
        own = curvature[at]
        total = (count * mean + own * best[at]) / np.maximum(count * weight + own, 1e-30)
        pooled[at] = np.where((count >= MEMBERS - 1) & self.places.hot[at], total, np.nan)
        weight = np.bincount(ties.group, curvature[ties.at], ties.count)
        whole = np.bincount(ties.group, (best * curvature)[ties.at], ties.count) / np.maximum(weight, 1e-30)
        pooled[ties.at] = whole[ties.group]
        return pooled

    def _compare(self) -> None:
        """Cosines of what nodes read of others."""
        places, graph = self.places, self.graph
        at = np.flatnonzero(places.neighbours & places.hot)
        place, column = np.unique(places.place[at], return_inverse=True)
        table, there = np.zeros((2, graph.nodes, len(place)))
        where = places.node[at], column.reshape(-1)
        table[where], there[where] = places.shared(places.weights)[at], 1
        size = np.linalg.norm(table, axis=1)
        cosine = (table @ table.T) / np.maximum(np.outer(size, size), 1e-30)
        self.likes = (cosine >= 1 - graph.settings.radius) & (there @ there.T >= COMMON)
        np.fill_diagonal(self.likes, False)
        self._family = connected_components(self.likes, directed=False)[1]

    def _let_go(self, code: int, step: int) -> None:
        stays = 2 * self._barred[code][1] if code in self._barred else FREE
        self._barred[code] = step + stays * self.graph.settings.cycle, stays

    # ---- tables

    def _refresh(self) -> None:
        """Take in what the planner has changed."""
        if not self.places.refresh():
            return
        old = find(self._code, self.places.code)
        there = (old >= 0) & (self.places.code >= 0)
        for name in ("_velocity", "_close", "_tied"):
            past = getattr(self, name)
            now = np.zeros(len(there), past.dtype)
            now[there] = past[old[there]]
            setattr(self, name, now)
        where = np.flatnonzero(there), old[there]
        carry = csr_array((np.ones(len(where[0])), where), shape=(len(there), len(self._code)))
        self._damping = carry @ self._damping @ carry.T
        self._code = self.places.code
        self._arrange()

    def _arrange(self) -> None:
        """Index the weights by node and place, and the tied ones by tie. Ties of too few cells end."""
        places = self.places
        known = np.flatnonzero(places.place >= 0)
        _, back, count = np.unique(places.place[known], return_inverse=True, return_counts=True)
        self._shared = known[count[back.reshape(-1)] > 1]
        self._column = np.unique(places.place[self._shared], return_inverse=True)[1].reshape(-1)
        self._tied &= places.hot
        at = np.flatnonzero(self._tied)
        ties = self._names(at)
        _, back, count = np.unique(ties, return_inverse=True, return_counts=True)
        large = count[back.reshape(-1)] >= MEMBERS
        self._tied[at[~large]], self._close[at[~large]] = False, 0
        at = at[large]
        self.ties.arrange(at, self._code[at], ties[large], places.shared(places.weights)[at])


def _damping(curvature: Array, distance: Array, price: Array) -> Array:
    """By what pulls on a node's weights (K,) are multiplied, (K, K): (1 + C d^2 / 2 p)^-1 with d the usual distance to
    what draws them and p a share of the price, so that a pull acts only along what costs next to nothing."""
    size = np.square(distance).mean() / (2 * max(CHEAP * float(price.mean()), 1e-12))
    found: Array = np.linalg.inv(np.eye(len(distance)) + curvature * size)
    return found


def _blocks(blocks: list[tuple[Integers, Array]], size: int) -> Any:
    """A matrix (size, size) of blocks at these places."""
    if not blocks:
        return csr_array((size, size))
    at = np.concatenate([where for where, _ in blocks])
    whole = block_diag([block for _, block in blocks], format="coo")
    return csr_array((whole.data, (at[whole.row], at[whole.col])), shape=(size, size))
