"""Shedding: what a cell is worth, and how what is not worth its price fades out.

Adam's second moment v estimates a cell's curvature, so 0.5 v w^2 estimates what losing it costs (Taylor; LeCun, Denker
& Solla 1989, "Optimal brain damage"). Such scores are calibrated on a sample of cells by the loss that leaving one out
really costs, and every cell that they call cheap is left out once on fresh batches before it is condemned. A condemned
cell cools: it fades to nothing while the others learn on, and only then leaves the list, so no edit changes an output.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.networks.growing.candidates import abroad, slopes
from engine.networks.growing.edges import Connectors
from engine.networks.growing.fade import without_tap
from engine.networks.growing.graph import Graph, Pass
from engine.networks.growing.learner import Learner
from engine.networks.growing.relax import Base, knots_of, own_memory, own_terms

Array = NDArray[Any]
SAMPLE = 16
"""Cells whose true cost calibrates the scores."""


def left_out(learner: Learner, batches: int = 4) -> tuple[Array, Array]:
    """Loss of its row that each cell saves, (nnz,): what leaving it out costs once the row's other cells have adapted.

    Half the mean square error is quadratic in a row's cells, with curvature C = mean(f f^T), so with w* the row's
    optimum that is w*_k^2 / (2 (C^-1)_kk), on fresh batches (Hassibi & Stork 1993, "Optimal brain surgeon"). Without
    the others' help a cell that merely balances its like would look dear. A cell that reads another node is left out of
    all that its own node could do by itself. Second: the same for taps, (L, H), to first order in what they do; see
    `cost_of_tap`.
    """
    graph = learner.graph
    k, c = graph.core, graph.connectors
    both = [learner.errors(graph.settings.evidence) for _ in range(batches)]
    passes, errors = [done for done, _ in both], [error for _, error in both]
    knots = knots_of(graph, passes[0])
    far, far_lines = abroad(graph), c.source // graph.features != c.reader
    saved, taps = np.zeros(k.struct), np.zeros(c.taps.shape)
    for node in range(graph.nodes):
        tapped = [(int(line), int(tap)) for line, tap in np.argwhere(c.active) if tap and c.reader[line] == node]
        effects = [_tap_effects(graph, node, tapped, done) for done in passes]
        memory: list[Array] = []
        for r, row in enumerate(range(node * graph.features, (node + 1) * graph.features)):
            own = k.hot_of_row(row)
            if not len(own):
                continue
            terms, error = own_terms(graph, row, passes), [e[row] for e in errors]
            row_effects = [f[:, r] for f in effects]
            news = np.array([far_lines[line] for line, _ in tapped], bool)
            cells, found = _saved(k.W_vals[own], terms, error), _worth(c, tapped, terms, row_effects, error)
            if far[own].any() or news.any():
                memory = memory or own_memory(graph, node, passes, knots)
                wide = [np.concatenate(pair) for pair in zip(terms, memory, strict=True)]
                cells = np.where(far[own], _saved(k.W_vals[own], wide, error), cells)
                found = np.where(news, _worth(c, tapped, wide, row_effects, error), found)
            saved[own] = cells
            for (line, tap), worth in zip(tapped, found, strict=True):
                taps[line, tap] += worth
    return saved, taps


def cost_of_tap(graph: Graph, line: int, tap: int, passes: list[Pass], errors: list[Array]) -> float:
    """Loss that a tap saves, as `left_out`, but counted by its node's terms as they are without it: where most of what
    a line brings comes by the tap, the line's own cells seem to first order to make up for it."""
    c = graph.connectors
    node = int(c.reader[line])
    memory: list[Array] = []
    if c.source[line] // graph.features != node:
        memory = own_memory(graph, node, passes, knots_of(graph, passes[0]))
    cost = 0.0
    for row, terms, gone in without_tap(graph, line, tap, passes):
        bases = own_terms(graph, row, passes), terms
        errors_of = [e[row] for e in errors], [e[row] - g for e, g in zip(errors, gone, strict=True)]
        for sign, base, error in zip((-1, 1), bases, errors_of, strict=True):
            wide = [np.concatenate(pair) for pair in zip(base, memory, strict=True)] if memory else base
            cost += sign * 0.5 * float(np.mean([np.square(e).mean() for e in Base(wide).without(error)]))
    return cost


def _tap_effects(graph: Graph, node: int, tapped: list[tuple[int, int]], done: Pass) -> Array:
    """What one unit of each tap does to the node's numbers, (taps, features, B)."""
    c = graph.connectors
    found = np.zeros((len(tapped), graph.features, done.y.shape[1]), graph.dtype)
    for at, (line, tap) in enumerate(tapped):
        found[at] = slopes(graph, node, line, done) * done.seen[c.latency[line], tap, c.source[line]]
    return found


def _worth(
    c: Connectors, tapped: list[tuple[int, int]], signals: list[Array], effects: list[Array], error: list[Array]
) -> Array:
    """Loss of a row that each tap saves once the signals (K, B) have adapted, (taps,)."""
    base = Base(signals)
    samples = sum(len(e) for e in error)
    free, left = base.without(effects), base.without(error)
    slope = sum(f @ e for f, e in zip(free, left, strict=True)) / samples
    curvature = np.maximum(sum(np.square(f, dtype=np.float64).sum(1) for f in free) / samples, 1e-12)
    value = np.array([c.taps[at] for at in tapped]) - slope / curvature
    found: Array = 0.5 * value**2 * curvature
    return found


def _saved(w: Array, signals: list[Array], error: list[Array]) -> Array:
    """By each of the first cells among the signals (K, B), of weights `w` (cells,); the others have weight 0."""
    base = Base(signals)
    samples = sum(len(e) for e in error)
    best = w - base.explain(error)[: len(w)]
    found: Array = 0.5 * best**2 / np.maximum(np.diag(base.inverse)[: len(w)] * samples, 1e-12)
    return found


def taylor(learner: Learner) -> Array:
    """0.5 v w^2 of every cell, in units of its row's loss: batch gradients at rest vary with loss times curvature."""
    graph = learner.graph
    k = graph.core
    seen = np.maximum(1 - 0.999 ** np.maximum(k.age, 1), 1e-12)
    v = k.square / seen * graph.settings.batch * graph.states**2
    found: Array = 0.5 * v * np.square(k.W_vals) / np.maximum(2 * learner.loss[k.M_idx[:, 0]], 1e-12)
    return found


def calibrated(learner: Learner, rng: np.random.Generator) -> tuple[Array, float]:
    """Taylor scores times the median ratio of true to estimated cost in a sample; and that ratio."""
    scores = taylor(learner)
    if not len(scores):
        return scores, 1.0
    sample = rng.choice(len(scores), min(SAMPLE, len(scores)), replace=False)
    true = left_out(learner, 1)[0][sample]
    known = (scores[sample] > 0) & (true > 0)
    ratio = float(np.median(true[known] / scores[sample][known])) if known.any() else 1.0
    return scores * ratio, ratio


def condemn(learner: Learner, worth: Array, young: int) -> tuple[Array, Array]:
    """Places of Hot cells, at least `young` steps old, that save less than their `worth` (nnz,): of each row the
    cheapest, since the others may be worth more without it. Second: what each cell saves."""
    graph = learner.graph
    k = graph.core
    old = k.hot & (k.age >= young)
    rise, _ = left_out(learner)
    cheap = np.flatnonzero(old & (rise < worth))
    order = cheap[np.lexsort((rise[cheap] / worth[cheap], k.M_idx[cheap, 0]))]
    _, first = np.unique(k.M_idx[order, 0], return_index=True)
    return order[first], rise
