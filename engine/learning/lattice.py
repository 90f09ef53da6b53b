r"""The neural cube at its fixed points, a whole batch at a time, and what each synapse learns from the voxels it joins.

With the credit of the pre-activation g = (1 - s^2) d, where d is (plus - minus) / (2 beta),

    dC/dU_ij = -g_i s_j,    dC/dR_ij = -sigma g_i s_j,    dC/db_i = -g_i

(asymmetric equilibrium propagation, Scurria et al. 2026, arXiv 2602.03670). A synapse that does not exist, a weight of
0, has no gradient. In the symmetric cube both directions of a link learn the mean of what the two would. The read-out
learns from the error that nudges. All are means over the batch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.lattice import Lattice
from engine.learning.equilibrium import MOST, Equilibrium, Free, Nudged
from engine.learning.local import Read, read_out_error
from engine.networks.neural_cube import BELOW, joined
from kernels import lattice, lattice_sweeps

Array = NDArray[Any]
Gains = tuple[float, float]
"""What U and R are multiplied by."""


def credit(s: Array, plus: Array, minus: Array, beta: float) -> Array:
    """g of the pre-activations, from the state and the displacements of both copies, all of one shape."""
    g: Array = (1 - s * s) * (plus - minus) / s.dtype.type(2 * beta)
    return g


def lattice_gradients(
    space: Lattice, read: Read, labels: NDArray[np.int64], s: Array, g: Array, weights: Mapping[str, Array],
    gains: Gains,
) -> dict[str, Array]:  # fmt: skip
    """dC/dweight by name; s and g (L, N, B)."""
    samples = len(labels)
    pairs = space.correlated(g, s)
    if space.symmetric:
        pairs = (pairs + space.transposed(pairs)) / 2
    error = read_out_error(read.logits, labels)
    gradients = {"b": -g.mean(-1), "W_out": (error.T @ read.top.T) / -samples}
    for name, part, gain in zip(("U", "R"), (pairs[:, :BELOW], pairs[:, BELOW:]), gains, strict=True):
        gradients[name] = np.where(weights[name] != 0, part * g.dtype.type(-gain / samples), 0).astype(g.dtype)
    return gradients


class CubeEquilibrium(Equilibrium):
    """Fixed points of the neural cube, by sweeps."""

    kind = "cube"
    couplings = ("U", "R")
    recurrent = ("R",)
    matrices = False
    symmetric = False

    def __init__(self, weights: Mapping[str, Array], **knobs: Any) -> None:
        layers, neurons = weights["b"].shape
        self.space = Lattice(layers, math.isqrt(neurons), lattice, self.symmetric)
        self._loudest: Array = np.random.default_rng(9).standard_normal(layers * neurons).astype(weights["b"].dtype)
        super().__init__(weights, **knobs)

    @property
    def _gains(self) -> Gains:
        return (self.sigma if self.symmetric else 1.0), self.sigma

    def refresh(self) -> None:
        """Take over weights that have changed."""
        K = joined(self.weights["U"], self.weights["R"], self._gains)
        self._voxelwise = [np.ascontiguousarray(rows.swapaxes(1, 2)) for rows in (K, self.space.transposed(K))]

    def bound(self) -> None:
        """Lower the recurrent norm to 1."""
        self._loudest = self.space.bound(self.weights["U"], self.weights["R"], self._loudest)

    def settle(self, x: Array) -> Free:
        """The free fixed point, by sweeps from the input face upwards."""
        inflow = self._inflow(x)
        s = np.empty((*self.weights["b"].shape, len(x)), self.dtype)
        ticks = np.zeros(self._chunks(len(x)), np.int64)
        K, side = self._voxelwise[0], self.space.side
        lattice_sweeps.settle(K, self.weights["b"], inflow, side, self.tolerance, MOST, s, ticks)
        return Free(self._read(x, inflow, s), (s,), float(ticks.mean()))

    def nudge(self, free: Free, labels: NDArray[np.int64]) -> Nudged:
        """Both nudged fixed points, by sweeps from the read-out face downwards."""
        (s,), force, side = free.states, self._force(free, labels), self.space.side
        ds = np.empty((2, *s.shape), self.dtype)
        ticks = np.zeros((2, self._chunks(s.shape[2])), np.int64)
        lattice_sweeps.nudge(*self._voxelwise, s, force, side, self.tolerance * self.beta, MOST, ds, ticks)
        return Nudged(labels, (ds,), np.empty((2, 0, s.shape[2]), self.dtype))

    def gradients(self, free: Free, nudged: Nudged) -> dict[str, Array]:
        """dC/dweight by name."""
        (s,), g = free.states, self.credit(free, nudged)
        return lattice_gradients(self.space, free.read, nudged.labels, s, g, self.weights, self._gains)

    def credit(self, free: Free, nudged: Nudged) -> Array:
        """Credit of the pre-activations, (L, N, B)."""
        (s,), ((plus, minus),) = free.states, nudged.states
        return credit(s, plus, minus, self.beta)

    def state_dict(self) -> dict[str, Array]:
        """Where the largest singular value was found last."""
        return {"loudest": self._loudest}

    def load_state_dict(self, state: Mapping[str, Array]) -> None:
        """Look there again."""
        self._loudest = state["loudest"].copy()


class EnergyCubeEquilibrium(CubeEquilibrium):
    """Fixed points of the symmetric cube."""

    kind = "energy-cube"
    symmetric = True
