r"""Nested chains at their joint fixed points, and their local gradients, from the centred difference over 2 beta.

With the credit of the pre-activation g = (1 - z^2) dz, d = (plus - minus) / (2 beta), and o, u, own, reads as in
`engine.networks.nested.nest`,

    dC/dR = -own g o^T,   dC/dW = -reads g u^T,   dC/db = -g,   dC/dW_in = -gain (ds + W^T g)_1 x^T

at every level alike; the read-out learns from the error that nudges. All are means over the batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.learning.equilibrium import MOST, MOST_SWEEPS, Equilibrium, Free, Nudged
from engine.learning.local import Read, read_out_error
from engine.networks.nested.chain import NestedChain
from engine.networks.nested.nest import OWN, READS, Nest
from engine.networks.nested.norm import bound
from kernels import nested_sweeps

Array = NDArray[Any]


def nested_gradients(
    nest: Nest, read: Read, labels: NDArray[np.int64], z: Array, s: Array, dz: Array, bottom: Array, sigma: float,
    input_gain: float,
) -> dict[str, Array]:  # fmt: skip
    """dC/dweight by name. z, s, dz (L, N, B) and bottom (N, B), what comes down to the inflow."""
    samples = len(labels)
    ways = nest.ways(sigma).astype(z.dtype)
    g = (1 - z * z) * dz
    given, below = nest.given(z, s), nest.read(z, s, read.inflow)
    error = read_out_error(read.logits, labels)
    return {
        "R": np.matmul(g, given.swapaxes(1, 2)) * (ways[:, OWN, None, None] / -samples),
        "W": np.matmul(g, below.swapaxes(1, 2)) * (ways[:, READS, None, None] / -samples),
        "b": -g.mean(-1),
        "W_in": (bottom @ read.x) * (-input_gain / samples),
        "W_out": (error.T @ read.top.T) / -samples,
    }


def nested_bottom(chain: NestedChain) -> Array:
    """What comes down to the inflow, (B, N), from the states of the last tick."""
    first = int(chain.nest.roots[0, 1])
    z, s = (columns[first] for columns in chain.columns())
    dz, ds = ((both[:, 1] - both[:, 2]) / (2 * chain.value("beta")) for both in (z, s))
    below: Array = ds + ((1 - z[:, 0] ** 2) * dz) @ chain.acting["W"][first]
    return below


def nested_tick_gradients(chain: NestedChain, labels: NDArray[np.int64]) -> dict[str, Array]:
    """dC/dweight by name from the states that the last nudged tick has left, mean over the chain's samples."""
    z, s = (columns.transpose(2, 0, 3, 1) for columns in chain.columns())
    x, inflow = chain.read_in()
    read = Read(x, inflow.T, chain.logits(), s[0, -1])
    dz = (z[1] - z[2]) / (2 * chain.value("beta"))
    sigma, gain = chain.value("sigma"), chain.value("input_gain")
    return nested_gradients(chain.nest, read, labels, z[0], s[0], dz, nested_bottom(chain).T, sigma, gain)


class NestedEquilibrium(Equilibrium):
    """Fixed points of the chains of a nest, with its inner sigmas."""

    kind = "nested"
    couplings = ("R", "W")
    recurrent = ("R",)
    matrices = False

    def __init__(self, weights: Mapping[str, Array], nest: Nest, **knobs: Any) -> None:
        self.nest = nest
        super().__init__(weights, **knobs)

    def bound(self) -> None:
        """Put the norms of all R, and of W within Blocks, back to 1 at most, in place."""
        bound(self.weights, self.nest)

    @property
    def _ways(self) -> Array:
        return self.nest.ways(self.sigma).astype(self.dtype)

    def settle(self, x: Array) -> Free:
        """The free fixed point, a layer of level 1 with all that it holds after the other."""
        w, inflow = self.weights, self._inflow(x)
        z = np.empty((*w["b"].shape, len(x)), self.dtype)
        s = np.empty_like(z)
        passes = np.zeros((len(self.nest.roots), self._chunks(len(x))), np.int64)
        nested_sweeps.nested_settle(
            w["R"], w["W"], w["b"], self.nest.links, self._ways, *self.nest.walk, inflow, self.tolerance, MOST, z, s,
            passes,
        )  # fmt: skip
        return Free(self._read(x, inflow, s), (z, s), float(passes.mean()))

    def nudge(self, free: Free, labels: NDArray[np.int64]) -> Nudged:
        """Both nudged fixed points, by downward sweeps."""
        w, (z, _) = self.weights, free.states
        dz, ds = np.empty((2, *z.shape), self.dtype), np.empty((2, *z.shape), self.dtype)
        bottom = np.empty((2, *z.shape[1:]), self.dtype)
        nested_sweeps.nested_nudge(
            w["R"], w["W"], self._back["R"], self._back["W"], self.nest.links, self._ways, *self.nest.walk, z,
            self._force(free, labels), self.tolerance * self.beta, MOST, MOST_SWEEPS, dz, ds, bottom,
            np.zeros((2, self._chunks(len(labels))), np.int64),
        )  # fmt: skip
        return Nudged(labels, (dz, ds), bottom)

    def gradients(self, free: Free, nudged: Nudged) -> dict[str, Array]:
        """dC/dweight by name."""
        (z, s), (both, _) = free.states, nudged.states
        dz, bottom = ((plus - minus) / (2 * self.beta) for plus, minus in (both, nudged.bottom))
        return nested_gradients(self.nest, free.read, nudged.labels, z, s, dz, bottom, self.sigma, self.input_gain)
