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

from engine.networks.growing.core import Heat
from engine.networks.growing.learner import Learner

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
    help a cell that merely balances its like would look dear. Second: the same for taps, (L, H), alone and to first order.
    """
    graph = learner.graph
    k = graph.core
    passes = [learner.errors(graph.settings.evidence) for _ in range(batches)]
    terms = np.concatenate([done.terms for done, _ in passes], 1)
    error = np.concatenate([e for _, e in passes], 1)
    saved = np.zeros(k.struct)
    for row in range(graph.states):
        own = k.of_rows(row, row + 1)
        if own.start == own.stop:
            continue
        f = terms[k.columns[own]]
        curvature = (f @ f.T).astype(np.float64) / f.shape[1]
        curvature[np.diag_indices_from(curvature)] *= 1 + 1e-6
        inverse = np.linalg.inv(curvature + 1e-12 * np.eye(len(f)))
        best = k.W_vals[own] - inverse @ (f @ error[row]).astype(np.float64) / f.shape[1]
        saved[own] = 0.5 * best**2 / np.maximum(np.diag(inverse), 1e-12)
    taps = np.zeros(graph.connectors.taps.shape)
    t = graph.connectors.taps.astype(np.float64)
    for done, e in passes:
        taps += -t * graph.backward(done, e / e.shape[1])[1] / batches
    return saved, taps + _tap_squares(learner)


def _tap_squares(learner: Learner) -> Array:
    """t^2 mean(f^2) / 2 of each tap that was grown, summed over the node's numbers."""
    from engine.networks.growing.candidates import slopes

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


def condemn(learner: Learner, price: Array, rng: np.random.Generator, young: int) -> Array:
    """Places of Hot cells, at least `young` steps old, that do not save their price (of each row, (S,)): of each row the
    cheapest, since the others may be worth more without it."""
    graph = learner.graph
    k = graph.core
    old = k.hot & (k.age >= young)
    if not old.any():
        return np.empty(0, np.int64)
    worth = price[k.M_idx[:, 0]]
    rise, _ = left_out(learner)
    cheap = np.flatnonzero(old & (rise < worth))
    order = cheap[np.lexsort((rise[cheap] / worth[cheap], k.M_idx[cheap, 0]))]
    _, first = np.unique(k.M_idx[order, 0], return_index=True)
    return order[first]


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
