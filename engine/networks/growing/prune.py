"""Shedding: what a cell is worth, and how what is not worth its price fades out.

Adam's second moment v estimates a cell's curvature, so 0.5 v w^2 estimates what losing it costs (Taylor; LeCun, Denker &
Solla 1989, "Optimal brain damage"). Such scores are calibrated on a sample of cells by the loss that leaving one out
really costs, and every cell that they call cheap is left out once on fresh batches before it is condemned. A condemned
cell cools: it fades to nothing while the others learn on, and only then leaves the list, so no edit changes an output.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.networks.growing.candidates import abroad, slopes
from engine.networks.growing.core import Heat
from engine.networks.growing.learner import Learner
from engine.networks.growing.relax import Base, knots_of, own_memory, own_terms

Array = NDArray[Any]
SAMPLE = 16
"""Cells whose true cost calibrates the scores."""
FADE = 0.75
"""What remains of a cooling value after a step."""
GONE = 1e-7
"""Below this it leaves."""
SURE = 2.0
"""Scores up to this many prices are looked at closely."""


def left_out(learner: Learner, batches: int = 4) -> tuple[Array, Array]:
    """Loss of its row that each cell saves, (nnz,): what leaving it out costs once the row's other cells have adapted.

    Half the mean square error is quadratic in a row's cells, with curvature C = mean(f f^T), so with w* the row's optimum
    that is w*_k^2 / (2 (C^-1)_kk), on fresh batches (Hassibi & Stork 1993, "Optimal brain surgeon"). Without the others'
    help a cell that merely balances its like would look dear. A cell that reads another node is left out of all that its
    own node could do by itself. Second: the same for taps, (L, H), alone and to first order.
    """
    graph = learner.graph
    k = graph.core
    both = [learner.errors(graph.settings.evidence) for _ in range(batches)]
    passes, errors = [done for done, _ in both], [error for _, error in both]
    knots = knots_of(graph, passes[0])
    far = abroad(graph)
    saved = np.zeros(k.struct)
    for node in range(graph.nodes):
        memory: list[Array] = []
        for row in range(node * graph.features, (node + 1) * graph.features):
            own = k.of_rows(row, row + 1)
            if own.start == own.stop:
                continue
            terms, error = own_terms(graph, row, passes), [e[row] for e in errors]
            saved[own] = _saved(k.W_vals[own], terms, error)
            if far[own].any():
                memory = memory or own_memory(graph, node, passes, knots)
                wide = [np.concatenate(pair) for pair in zip(terms, memory, strict=True)]
                saved[own] = np.where(far[own], _saved(k.W_vals[own], wide, error), saved[own])
    taps = np.zeros(graph.connectors.taps.shape)
    t = graph.connectors.taps.astype(np.float64)
    for done, e in both:
        taps += -t * graph.backward(done, e / e.shape[1])[1] / batches
    return saved, taps + _tap_squares(learner)


def _saved(w: Array, signals: list[Array], error: list[Array]) -> Array:
    """By each of the first cells among the signals (K, B), of weights `w` (cells,); the others have weight 0."""
    base = Base(signals)
    samples = sum(len(e) for e in error)
    best = w - base.explain(error)[: len(w)]
    found: Array = 0.5 * best**2 / np.maximum(np.diag(base.inverse)[: len(w)] * samples, 1e-12)
    return found


def _tap_squares(learner: Learner) -> Array:
    """t^2 mean(f^2) / 2 of each tap that was grown, summed over the node's numbers."""
    graph = learner.graph
    c = graph.connectors
    found = np.zeros(c.taps.shape)
    done, _ = learner.errors(graph.settings.evidence)
    for line, tap in np.argwhere(c.active):
        if tap:
            f = slopes(graph, int(c.reader[line]), int(line), done) * done.seen[c.latency[line], tap, c.source[line]]
            found[line, tap] = 0.5 * float(c.taps[line, tap]) ** 2 * float(np.square(f).mean(1).sum())
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
    """Places of Hot cells, at least `young` steps old, that save less than their `worth` (nnz,): of each row the cheapest,
    since the others may be worth more without it. Second: what each cell saves."""
    graph = learner.graph
    k = graph.core
    old = k.hot & (k.age >= young)
    rise, _ = left_out(learner)
    cheap = np.flatnonzero(old & (rise < worth))
    order = cheap[np.lexsort((rise[cheap] / worth[cheap], k.M_idx[cheap, 0]))]
    _, first = np.unique(k.M_idx[order, 0], return_index=True)
    return order[first], rise


def cool(learner: Learner, cells: Array) -> None:
    """Begin to fade these cells out."""
    learner.graph.core.heat[cells] = Heat.COOLING


def fade(learner: Learner) -> None:
    """One step of fading; what is gone leaves the list."""
    k = learner.graph.core
    cooling = k.heat == Heat.COOLING
    if not cooling.any():
        return
    k.W_vals[cooling] *= FADE
    gone = cooling & (np.abs(k.W_vals) < GONE)
    if gone.any():
        k.remove(gone)
