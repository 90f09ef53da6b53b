"""The frozen probe: which regions a node should grow, on evidence from fresh batches only.

Four batches give the prospective gradient of every region of every node, and its signal-to-noise ratio |mean| / (sd + eps)
shortlists a few. Each of these takes two steps on a shadow beside the frozen base, on fresh batches, and four further
fresh batches say how the loss would change:

    score = mean gain - doubt * standard error - price

The price of a cell is that of the extended BIC (Chen & Chen 2008, with gamma = 1) for n samples and p candidates: a share
(ln n + 2 ln p) / n of the loss. What is chosen changes the error that the next choice of the node is scored on.
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
from engine.networks.growing.graph import Graph, Pass
from engine.networks.growing.learner import Learner
from engine.networks.growing.relax import relaxed_errors

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
    """With the base relaxed."""
    frozen: float
    """With the base frozen."""
    error: float
    """Standard error of the gain."""
    price: float
    score: float


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


def prices(learner: Learner) -> Array:
    """Of a cell in each row, (S,), in units of loss."""
    graph = learner.graph
    n = max(learner.graph.memory.usable, 2)
    width = graph.states + graph.pools
    candidates = width + (width * (width + 1) // 2 if graph.settings.products else 0) + graph.settings.knots
    found: Array = graph.settings.price * learner.loss * (log(n) + 2 * log(candidates)) / n
    return found


class Probe:
    """Probes nodes of one graph."""

    def __init__(self, learner: Learner) -> None:
        self.learner, self.graph = learner, learner.graph

    def shortlist(self, nodes: Iterable[int]) -> dict[int, list[Candidate]]:
        """The most promising Cold regions of each node."""
        nodes = list(nodes)
        passes = [self.learner.errors(self.graph.settings.batch) for _ in range(BATCHES)]
        errors, _ = relaxed_errors(self.graph, passes)
        passes = [(done, error) for (done, _), error in zip(passes, errors, strict=True)]
        knots = self._knots(passes[0][0])
        found: dict[int, list[Candidate]] = {}
        taps = self._taps(passes)
        for node in nodes:
            values = [values_of(self.graph, node, done) for done, _ in passes]
            rows = range(node * self.graph.features, (node + 1) * self.graph.features)
            mine = [c for row in rows for c in self._of_row(node, row, values, errors, knots)]
            mine += taps[node][:SHORTLIST]
            found[node] = mine
        return found

    def _of_row(
        self, node: int, row: int, values: list[Array], errors: list[Array], knots: Array
    ) -> list[Candidate]:
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

    def _taps(self, passes: list[tuple[Pass, Array]]) -> dict[int, list[Candidate]]:
        """Taps of the lines that there are, best first."""
        graph = self.graph
        found: dict[int, list[Candidate]] = defaultdict(list)
        if not len(graph.connectors):
            return found
        gradients = np.stack([graph.backward(done, error / error.shape[1])[1] for done, error in passes])
        flat = gradients.reshape(BATCHES, -1)
        ratios = _Signal(flat.sum(0), np.square(flat).sum(0)).ratio().reshape(gradients.shape[1:])
        for at in np.argsort(-ratios, axis=None):
            line, tap = (int(i) for i in np.unravel_index(at, ratios.shape))
            node = int(graph.connectors.reader[line])
            if tap > 0 and len(found[node]) < SHORTLIST and graph.connectors.can_tap(line, tap):
                row = node * graph.features
                found[node].append(Candidate("tap", node, row, line=line, tap=tap, snr=float(ratios[line, tap])))
        return found

    def _knots(self, done: Pass) -> Array:
        """Quantiles of every state number, (knots, S)."""
        levels = (np.arange(self.graph.settings.knots) + 0.5) / max(self.graph.settings.knots, 1)
        found: Array = np.quantile(done.seen[0, 0, : self.graph.states], levels, axis=1).reshape(len(levels), -1)
        return found

    def probe(self, shortlists: dict[int, list[Candidate]]) -> dict[int, list[Probed]]:
        """What each node should grow, best first, at most `commits` each."""
        graph = self.graph
        passes = [self.learner.errors(graph.settings.evidence) for _ in range(STEPS + BATCHES)]
        errors, bases = relaxed_errors(graph, passes)
        price = prices(self.learner)
        found = {}
        for node, mine in shortlists.items():
            if not mine:
                continue
            rows = range(node * graph.features, (node + 1) * graph.features)
            features = [_features(graph, node, mine, done) for done, _ in passes]
            frozen = _moments(features, [error[rows.start : rows.stop] for _, error in passes])
            for r, row in enumerate(rows):
                freed = bases[row].without([f[:, r] for f in features], passes)
                for into, free in zip(features, freed, strict=True):
                    into[:, r] = free
            relaxed = _moments(features, [error[rows.start : rows.stop] for error in errors])
            costs = np.array([price[rows].sum() if c.kind == "tap" else price[c.row] for c in mine])
            found[node] = self._choose(mine, relaxed, frozen, costs)
        return found

    def _choose(
        self, mine: list[Candidate], relaxed: tuple[Array, Array], frozen: tuple[Array, Array], costs: Array
    ) -> list[Probed]:
        settings = self.graph.settings
        slope, curvature = relaxed
        chosen: list[Probed] = []
        left = np.ones(len(mine), bool)
        while left.any() and len(chosen) < settings.commits:
            value, gains = _two_steps(slope, curvature)
            gain, error = gains.mean(0), gains.std(0, ddof=1) / np.sqrt(BATCHES)
            score = np.where(left, gain - settings.doubt * error - costs, -np.inf)
            best = int(score.argmax())
            if score[best] <= 0:
                break
            alone = float(_two_steps(*frozen)[1][:, best].mean())
            chosen.append(
                Probed(mine[best], float(value[best]), float(gain[best]), alone, float(error[best]),
                       float(costs[best]), float(score[best]))
            )  # fmt: skip
            left[best] = False
            slope = slope + curvature[:, :, best] * value[best]
        return chosen


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


def _two_steps(slope: Array, curvature: Array) -> tuple[Array, Array]:
    """Values (Q,) that shadows reach on the first batches, and gains (BATCHES, Q) of each alone on the others."""
    diagonal = np.maximum(np.einsum("bqq->bq", curvature), 1e-12)
    value = np.zeros(slope.shape[1])
    for b in range(STEPS):
        value -= DAMPED * (slope[b] + diagonal[b] * value) / diagonal[b]
    return value, -(value * slope[STEPS:] + 0.5 * value**2 * diagonal[STEPS:])


def _best(gradients: Array, count: int) -> list[tuple[int, float]]:
    """Places with the highest ratio in gradients (batches, n), and the ratios, best first."""
    ratio = _Signal(gradients.sum(0), np.square(gradients).sum(0)).ratio()
    count = min(2 * count, len(ratio))
    top = np.argpartition(-ratio, count - 1)[:count]
    return [(int(at), float(ratio[at])) for at in top[np.argsort(-ratio[top])]]
