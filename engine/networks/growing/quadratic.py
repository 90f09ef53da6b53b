"""A node's loss as a quadratic in all its weights, cells and taps, and what one weight is worth in it.

With e the errors of its numbers and f_k what a unit of weight k does to them, the node's loss, the sum of half the mean
squares, is a quadratic with slope b = mean(f e) and curvature C = mean(f f^T): exactly for cells, to first order for
taps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.networks.growing.candidates import slopes
from engine.networks.growing.graph import Graph, Pass
from engine.networks.growing.places import Places

Array = NDArray[Any]
RIDGE = 1e-6


@dataclass(frozen=True, slots=True)
class Quadratic:
    """Of the Hot weights `at` (K,) of one node: `slope` (K,) and `curvature` (K, K) where they are, from so many
    `samples`, and the mean square `error` (K,) of the numbers that each acts on."""

    at: NDArray[np.int64]
    slope: Array
    curvature: Array
    error: Array
    samples: int

    def best(self, tied: NDArray[np.bool_]) -> tuple[Array, Array]:
        """How far each weight is from its best value, (K,), once the node's weights that are not `tied` have adapted,
        and the curvature that is left to it, (K,): at a distance d from its best it costs curvature d^2 / 2."""
        free, inverse = self._free(tied)
        across = self.curvature[:, free] @ inverse
        slope = self.slope - across @ self.slope[free]
        left = np.maximum(np.diag(self.curvature) - np.einsum("kf,kf->k", across, self.curvature[:, free]), 1e-12)
        left[free] = 1 / np.diag(inverse)
        move = -slope / left
        move[free] = -inverse @ self.slope[free]
        return move, left

    def with_others(self, k: int, tied: NDArray[np.bool_]) -> Array:
        """How all weights, (K,), have to move while the k-th, which is not `tied`, moves by 1: the others that are free
        make up for it as well as they can, so the loss is curved as little as can be."""
        free, inverse = self._free(tied)
        at = int(np.flatnonzero(free == k)[0])
        found = np.zeros(len(self.at))
        found[free] = inverse[:, at] / inverse[at, at]
        return found

    def _free(self, tied: NDArray[np.bool_]) -> tuple[NDArray[np.int64], Array]:
        """The weights that are not tied, and the inverse of their curvature."""
        free = np.flatnonzero(~tied)
        inner = self.curvature[np.ix_(free, free)].copy()
        inner[np.diag_indices_from(inner)] *= 1 + RIDGE
        return free, np.linalg.inv(inner + 1e-12 * np.eye(len(free)))


def quadratics(graph: Graph, places: Places, evidence: list[tuple[Pass, Array]]) -> list[Quadratic]:
    """Of every node with a Hot weight, from passes and their errors (S, B)."""
    found, samples = [], sum(error.shape[1] for _, error in evidence)
    for node in range(graph.nodes):
        at = np.flatnonzero((places.node == node) & places.hot)
        if not len(at):
            continue
        rows = slice(node * graph.features, (node + 1) * graph.features)
        square = sum(np.square(error[rows], dtype=np.float64).sum(1) for _, error in evidence) / samples
        slope, curvature = np.zeros(len(at)), np.zeros((len(at),) * 2)
        for done, error in evidence:
            effect = _effects(graph, places, node, at, done).reshape(len(at), -1)
            slope += effect @ error[rows].reshape(-1) / samples
            curvature += effect @ effect.T / samples
        acts = np.full(len(at), float(square.mean()))
        cells = at[at < places.cells]
        acts[: len(cells)] = square[graph.core.M_idx[cells, 0] - rows.start]
        found.append(Quadratic(at, slope, curvature, acts, samples))
    return found


def _effects(graph: Graph, places: Places, node: int, at: NDArray[np.int64], done: Pass) -> Array:
    """What a unit of each weight does to the node's numbers, (K, features, B)."""
    out = np.zeros((len(at), graph.features, done.y.shape[1]), graph.dtype)
    cells = at[at < places.cells]
    rows, columns = graph.core.M_idx[cells].T
    out[np.arange(len(cells)), rows - node * graph.features] = done.terms[columns]
    c = graph.connectors
    for k, (line, tap) in enumerate(zip(*places.taps_of(at[len(cells) :]), strict=True), len(cells)):
        out[k] = slopes(graph, node, int(line), done) * done.seen[c.latency[line], tap, c.source[line]]
    return out
