"""The frozen probe: which regions a node should grow, on evidence from fresh batches only.

Four batches give the prospective gradient of every region of every node, and its signal-to-noise ratio |mean| / (sd +
eps) shortlists a few. Each of these takes two steps on a shadow beside the frozen base, on fresh batches, and four
further fresh batches say how the loss would change:

    score = mean gain - doubt * standard error - price

The price of a cell is that of the extended BIC (Chen & Chen 2008, with gamma = 1) for n samples and p candidates: a
share (ln n + 2 ln p) / n of the loss that is left once the base is relaxed (see `relax`). What is chosen changes the
error that the next choice of the node is scored on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import log
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.networks.growing.candidates import Candidate, feature, is_cold, values_of
from engine.networks.growing.fade import Heirs
from engine.networks.growing.graph import Graph, Pass
from engine.networks.growing.help import Help, with_neighbours
from engine.networks.growing.learner import Learner
from engine.networks.growing.relax import RIDGE, Base, knots_of, own_memory, own_terms

Array = NDArray[Any]
BATCHES = 4
"""Fresh batches for the ratio, and again for the gain."""
STEPS = 2
"""On the shadow."""
DAMPED = 0.6
"""Share of a Newton step that each takes."""
SHORTLIST = 6
"""Regions of a row that are probed, and taps of a node."""


@dataclass(frozen=True, slots=True)
class Probed:
    """A candidate, the value that its shadow reached, and what the batches say."""

    candidate: Candidate
    value: float
    gain: float
    """With the base relaxed: what is expected of it."""
    frozen: float
    """With the base frozen."""
    error: float
    """Standard error of the gain."""
    score: float
    price: float
    heirs: Heirs
    """Cells of the base, and by how much each can do without a unit of the region."""


@dataclass(slots=True)
class _Signal:
    """Prospective gradients of one batch after the other: sums and sums of squares."""

    total: Array
    squares: Array

    def ratio(self) -> Array:
        """Signal-to-noise along the last axis; eps is the row's usual deviation, since four batches tell little."""
        mean = self.total / BATCHES
        sd = np.sqrt(np.maximum(self.squares / BATCHES - mean**2, 0) * BATCHES / (BATCHES - 1))
        found: Array = np.abs(mean) / (sd + np.median(sd, axis=-1, keepdims=True) + 1e-12)
        return found


@dataclass(frozen=True, slots=True)
class Prices:
    """What a cell must earn: a share of its row's loss (S,), `near` if it stays within its node, else `far`.

    A message from elsewhere must explain more: with noise in what is seen, nodes that merely go along with the true
    sources help a little to see those clearly.
    """

    loss: Array
    near: float
    far: float

    @property
    def within(self) -> Array:
        """(S,), in units of loss."""
        found: Array = self.near * self.loss
        return found

    @property
    def abroad(self) -> Array:
        """(S,)."""
        found: Array = self.far * self.loss
        return found

    def relaxed(self, rows: slice, errors: list[Array]) -> Prices:
        """Of a node whose errors, freed of what its base explains, are (features, B) of each batch."""
        loss = self.loss.copy()
        left = 0.5 * np.mean([np.square(error, dtype=np.float64).mean(1) for error in errors], 0)
        loss[rows] = np.minimum(loss[rows], left)
        return replace(self, loss=loss)

    def of(self, graph: Graph, row: int, sources: Iterable[int]) -> float:
        """Of a cell of a row that reads these state numbers."""
        within = all(graph.node_of(source) == row // graph.features for source in sources)
        return float((self.within if within else self.abroad)[row])


def prices(learner: Learner) -> Prices:
    """Of the moment."""
    graph, settings = learner.graph, learner.graph.settings
    n = max(learner.graph.memory.usable, 2)
    width = graph.states + graph.pools
    candidates = width + (width * (width + 1) // 2 if settings.products else 0) + settings.knots
    near = settings.price * (log(n) + 2 * log(candidates)) / n
    return Prices(learner.loss.copy(), near, max(near, settings.price * settings.least))


class Probe:
    """Probes nodes of one graph."""

    def __init__(self, learner: Learner) -> None:
        self.learner, self.graph = learner, learner.graph
        self.ceilings: dict[int, int] = {}
        """Regions that some nodes may add in a meta-step, where it is not what the settings say."""

    def shortlist(self, nodes: Iterable[int]) -> dict[int, list[Candidate]]:
        """The most promising Cold regions of each node."""
        graph = self.graph
        passes, errors = self._look(graph.settings.batch, BATCHES)
        knots = knots_of(graph, passes[0])
        freed = [error.copy() for error in errors]
        for row in range(graph.states):
            base = Base(own_terms(graph, row, passes))
            for into, free in zip(freed, base.without([error[row] for error in errors]), strict=True):
                into[row] = free
        gradients = self._tap_gradients(passes, freed)
        taps = self._taps(gradients)
        helper = Help(graph, passes, errors, freed, knots, gradients) if graph.settings.help else None
        found: dict[int, list[Candidate]] = {}
        for node in nodes:
            values = [values_of(graph, node, done) for done in passes]
            rows = range(node * graph.features, (node + 1) * graph.features)
            mine = [c for row in rows for c in self._of_row(node, row, values, freed, knots)]
            if self.learner.stencils is not None:
                mine = _joined(self.learner.stencils.nearby(node, SHORTLIST), mine)
            mine += taps[node][:SHORTLIST]
            if helper is not None:
                mine = with_neighbours(mine, [helper.neighbour(node, row, values) for row in rows])
            found[node] = mine
        return found

    def _look(self, samples: int, batches: int) -> tuple[list[Pass], list[Array]]:
        """Fresh batches: passes and errors."""
        both = [self.learner.errors(samples) for _ in range(batches)]
        return [done for done, _ in both], [error for _, error in both]

    def _of_row(self, node: int, row: int, values: list[Array], errors: list[Array], knots: Array) -> list[Candidate]:
        """The best of each row: lines, the constant, products and hinges compete by their ratio."""
        graph = self.graph
        samples = values[0].shape[1]
        width = graph.states + graph.pools
        pool: list[tuple[float, Candidate]] = []

        lines = np.stack([np.append(v @ e[row], e[row].sum()) / samples for v, e in zip(values, errors, strict=True)])
        for at, ratio in _best(lines, SHORTLIST):
            kind: Any = "edge" if at < width else "constant"
            pool.append((ratio, Candidate(kind, node, row, (at,) if at < width else ())))
        if graph.settings.products:
            upper = np.triu_indices(width)
            pairs = np.stack([((v * e[row]) @ v.T)[upper] / samples for v, e in zip(values, errors, strict=True)])
            for at, ratio in _best(pairs, SHORTLIST):
                pool.append((ratio, Candidate("product", node, row, (int(upper[0][at]), int(upper[1][at])))))
        own = range(node * graph.features, (node + 1) * graph.features)
        places = [(source, k) for source in own for k in range(graph.settings.knots)]
        if places:
            middle = graph.settings.knots // 2
            hinges = np.stack([
                [np.maximum((v[s] - knots[k, s]) * (1 if k >= middle else -1), 0) @ e[row] / samples for s, k in places]
                for v, e in zip(values, errors, strict=True)
            ])  # fmt: skip
            for at, ratio in _best(hinges, SHORTLIST):
                source, k = places[at]
                knot = float(knots[k, source])
                pool.append((ratio, Candidate("hinge", node, row, (source,), knot, below=k < middle)))
        pool.sort(key=lambda pair: -pair[0])
        cold = [replace(c, snr=ratio) for ratio, c in pool if is_cold(graph, c)]
        return cold[:SHORTLIST]

    def _tap_gradients(self, passes: list[Pass], errors: list[Array]) -> Array:
        """Of all taps of the lines that there are, absent ones too, (batches, L, H)."""
        both = zip(passes, errors, strict=True)
        return np.stack([self.graph.backward(done, error / error.shape[1])[1] for done, error in both])

    def _taps(self, gradients: Array) -> dict[int, list[Candidate]]:
        """Taps of the lines that there are, best first."""
        graph = self.graph
        found: dict[int, list[Candidate]] = defaultdict(list)
        if not len(graph.connectors):
            return found
        flat = gradients.reshape(BATCHES, -1)
        ratios = _Signal(flat.sum(0), np.square(flat).sum(0)).ratio().reshape(gradients.shape[1:])
        for at in np.argsort(-ratios, axis=None):
            line, tap = (int(i) for i in np.unravel_index(at, ratios.shape))
            node = int(graph.connectors.reader[line])
            if tap > 0 and len(found[node]) < SHORTLIST and graph.connectors.can_tap(line, tap):
                row = node * graph.features
                found[node].append(Candidate("tap", node, row, line=line, tap=tap, snr=float(ratios[line, tap])))
        return found

    def probe(self, shortlists: dict[int, list[Candidate]]) -> dict[int, list[Probed]]:
        """What each node should grow, best first, at most `commits` each."""
        passes, errors = self._look(self.graph.settings.evidence, STEPS + BATCHES)
        knots, price = knots_of(self.graph, passes[0]), prices(self.learner)
        return {
            node: self._probe_node(node, mine, passes, errors, knots, price)
            for node, mine in shortlists.items()
            if mine
        }

    def _probe_node(
        self, node: int, mine: list[Candidate], passes: list[Pass], errors: list[Array], knots: Array, price: Prices
    ) -> list[Probed]:
        """Regions within the node first: as long as one of them pays, no message is needed. (Help is a message.)"""
        graph = self.graph
        memory = own_memory(graph, node, passes, knots)
        for within in (True, False):
            some = [c for c in mine if (_within(graph, c) and not c.helped) == within]
            if not some:
                continue
            features = [_features(graph, node, some, done) for done in passes]
            rows = slice(node * graph.features, (node + 1) * graph.features)
            own = [error[rows].copy() for error in errors]
            frozen = _moments(features, own)
            for r, row in enumerate(range(graph.states)[rows]):
                signals = own_terms(graph, row, passes)
                if not within:
                    signals = [np.concatenate(pair) for pair in zip(signals, memory, strict=True)]
                base = Base(signals)
                for into, free in zip(features, base.without([f[:, r] for f in features]), strict=True):
                    into[:, r] = free
                for into, free in zip(own, base.without([error[r] for error in own]), strict=True):
                    into[r] = free
            left = price.relaxed(rows, own)
            costs = np.array([_cost(graph, left, c) for c in some])
            most = self.ceilings.get(node, graph.settings.commits)
            chosen = self._choose(_moments(features, own), frozen, costs, most)
            if chosen:
                return [self._settled(some[at], gain, errors, passes, costs[at]) for at, gain in chosen]
        return []

    def _settled(
        self, c: Candidate, gain: tuple[float, float, float, float], errors: list[Array], passes: list[Pass],
        price: float,
    ) -> Probed:  # fmt: skip
        """At which value a chosen region begins, and how its rows' cells move with it."""
        graph = self.graph
        rows = range(c.node * graph.features, (c.node + 1) * graph.features)
        effects = [_features(graph, c.node, [c], done)[0] for done in passes]
        cells, shares = [], []
        slope, curvature, whole = np.zeros((3, len(passes)))
        for r, row in enumerate(rows):
            if c.kind != "tap" and row != c.row:
                continue
            base = Base(own_terms(graph, row, passes))
            effect = [f[r] for f in effects]
            cells.append(graph.core.M_idx[graph.core.hot_of_row(row)])
            shares.append(base.explain(effect))
            free, error = base.without(effect), base.without([e[row] for e in errors])
            slope += [float(f @ e) / len(e) for f, e in zip(free, error, strict=True)]
            curvature += [float(f @ f) / len(f) for f in free]
            whole += [float(f @ f) / len(f) for f in effect]
        value = float(_two_steps(slope[:, None], curvature[:, None, None], whole[:, None])[0][0])
        return Probed(c, value, *gain, price, Heirs(np.concatenate(cells), np.concatenate(shares)))

    def _choose(
        self, relaxed: tuple[Array, Array], frozen: tuple[Array, Array], costs: Array, most: int
    ) -> list[tuple[int, tuple[float, float, float, float]]]:
        """Places of what pays, best first; with gain, gain on a frozen base, standard error and score."""
        settings = self.graph.settings
        slope, curvature = relaxed
        whole = np.einsum("bqq->bq", frozen[1])
        chosen: list[tuple[int, tuple[float, float, float, float]]] = []
        left = np.ones(len(costs), bool)
        while left.any() and len(chosen) < most:
            value, gains = _two_steps(slope, curvature, whole)
            gain, error = gains.mean(0), gains.std(0, ddof=1) / np.sqrt(BATCHES)
            score = np.where(left, gain - settings.doubt * error - costs, -np.inf)
            best = int(score.argmax())
            if score[best] <= 0:
                break
            alone = float(_two_steps(*frozen, whole)[1][:, best].mean())
            chosen.append((best, (float(gain[best]), alone, float(error[best]), float(score[best]))))
            left[best] = False
            slope = slope + curvature[:, :, best] * value[best]
        return chosen


def _joined(near: list[Candidate], others: list[Candidate]) -> list[Candidate]:
    """The others, and what is not among them of the near ones."""
    there = {(c.kind, c.row, tuple(sorted(c.sources)), c.knot, c.below) for c in others}
    return others + [c for c in near if (c.kind, c.row, tuple(sorted(c.sources)), c.knot, c.below) not in there]


def _within(graph: Graph, c: Candidate) -> bool:
    """Whether a region stays within its node."""
    if c.kind == "tap":
        return graph.node_of(int(graph.connectors.source[c.line])) == c.node
    return all(graph.node_of(source) == c.node for source in c.sources)


def _cost(graph: Graph, price: Prices, c: Candidate) -> float:
    """A tap serves all numbers of its node."""
    if c.kind == "tap":
        return float(price.within[c.row : c.row + graph.features].sum())
    return price.of(graph, c.row, c.sources)


def _features(graph: Graph, node: int, mine: list[Candidate], done: Pass) -> Array:
    """(Q, features, B) float32 or float64."""
    values = values_of(graph, node, done)
    return np.stack([feature(graph, c, values, done) for c in mine])


def _moments(features: list[Array], errors: list[Array]) -> tuple[Array, Array]:
    """Of each batch the slopes (batches, Q) and curvatures (batches, Q, Q) of the loss in the candidates' values."""
    flat = [f.reshape(len(f), -1).astype(np.float64) for f in features]
    samples = features[0].shape[-1]
    slope = np.stack([f @ e.reshape(-1) / samples for f, e in zip(flat, errors, strict=True)])
    return slope, np.stack([f @ f.T / samples for f in flat])


def _two_steps(slope: Array, curvature: Array, whole: Array) -> tuple[Array, Array]:
    """Values (Q,) that shadows reach on the first batches, and gains (BATCHES, Q) of each alone on the others. `whole`
    (batches, Q) is the candidates' energy before anything was taken from it: they resist by a share of that."""
    diagonal = np.maximum(np.einsum("bqq->bq", curvature), 1e-12)
    value = np.zeros(slope.shape[1])
    for b in range(STEPS):
        stiff = diagonal[b] + RIDGE * whole[b]
        value -= DAMPED * (slope[b] + stiff * value) / stiff
    return value, -(value * slope[STEPS:] + 0.5 * value**2 * diagonal[STEPS:])


def _best(gradients: Array, count: int) -> list[tuple[int, float]]:
    """Places with the highest ratio in gradients (batches, n), and the ratios, best first."""
    ratio = _Signal(gradients.sum(0), np.square(gradients).sum(0)).ratio()
    count = min(2 * count, len(ratio))
    top = np.argpartition(-ratio, count - 1)[:count]
    return [(int(at), float(ratio[at])) for at in top[np.argsort(-ratio[top])]]
