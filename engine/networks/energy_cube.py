r"""The symmetric cube: a lattice with an energy, the physics beside which the neural cube stands.

    E(s) = sum_i G(s_i) - (sigma/2) s^T K s - b s - input s,   G' = atanh,   K = K^T,   ||K||_2 = 1
    s <- tanh(sigma K s + b + input)

K joins each voxel to its 26 neighbours, with one strength for both directions. sigma bounds the whole map: up to
sigma = 1 the energy falls at every synchronous tick, because G is strictly convex with G'' >= 1. For a symmetric
network the nudge of asymmetric equilibrium propagation settles to the credit of the classical one (Scellier & Bengio
2017). It does not learn at the depth of a cube: the credit fades with every voxel that it hops. So it has no budget of
synapses either: there is no nudge to place them by.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.knobs import Knob
from engine.linalg import semi_orthogonal
from engine.networks.chain import PLAIN, Array, common_knobs
from engine.networks.neural_cube import BELOW, NeuralCube
from engine.networks.retina import retina


class EnergyCube(NeuralCube):
    """The neural cube with symmetric couplings: U and R are parts of one symmetric K, and sigma multiplies both."""

    kind = "energy-cube"
    recurrent = ("U", "R")
    symmetric = True

    def _knobs(self) -> dict[str, Knob]:
        return common_knobs((PLAIN,))

    def _initial_weights(self, rng: np.random.Generator, pixels: int, classes: int) -> dict[str, Array]:
        K = (rng.standard_normal(self.lattice.mask.shape) * self.lattice.mask).astype(self.dtype)
        K = self.lattice.normed((K + self.lattice.transposed(K)) / 2, self._loudest)
        return {
            "W_in": retina(self._picture, self.side).astype(self.dtype),
            "W_out": semi_orthogonal(rng, classes, self.layout.neurons).astype(self.dtype),
            "U": K[:, :BELOW].copy(),
            "R": K[:, BELOW:].copy(),
            "b": np.zeros((self.side, self.layout.neurons), self.dtype),
        }

    @property
    def gains(self) -> tuple[float, float]:
        """What U and R are multiplied by."""
        return self.value("sigma"), self.value("sigma")

    def energy(self) -> NDArray[np.float64]:
        """E of the free copy before the last tick, (B,)."""
        self._fetch()
        s = self._next_states[0][:, :, 0].astype(np.float64)
        inside = np.clip(s, -1 + 1e-15, 1 - 1e-15)
        own = 0.5 * ((1 + inside) * np.log1p(inside) + (1 - inside) * np.log1p(-inside))
        K = self._felt[0].astype(np.float64)
        pulled = np.stack([self.lattice.applied(K, np.ascontiguousarray(s[:, b])) for b in range(self.samples)], axis=1)
        fed = self.acting["b"][:, None] + np.zeros_like(s)
        fed[0] += self._inflow
        energy: NDArray[np.float64] = (own - s * (pulled / 2 + fed)).sum((0, 2))
        return energy
