r"""A Hopfield energy chain: classical equilibrium propagation, and the physics of the edge.

    E(s) = sum_l m_l G(s_l) - sum_l s_l^T (sigma/2) W_l s_(l-1) - sum_l b_l s_l,     G' = atanh
    s_l <- tanh([(sigma/2)(W_l s_(l-1) + W_(l+1)^T s_(l+1)) + b_l] / m_l),           m = 1, and 1/2 for the top layer

With ||W_l||_2 <= 1 the map as a whole has Lipschitz constant sigma, so 1 is the edge (Centorrino et al. 2023,
arXiv 2302.13452). The nudged copies minimise E -+ beta f s_L (Scellier & Bengio 2017). For orthogonal W and small
signals the credit shrinks from a layer to the one below by

    lambda(sigma) = (1 - sqrt(1 - sigma^2)) / sigma.

Accelerated relaxation is the stationary limit of Chebyshev's semi-iteration, omega = 2 / (1 + sqrt(1 - sigma^2)); the
same omega is the optimal over-relaxation of red-black sweeps (Young 1954).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from engine.knobs import Knob
from engine.lazy import LazyHopfield
from engine.linalg import orthogonal_stack
from engine.networks.chain import LAZY, PLAIN, Array, Chain, common_knobs

ACCELERATED, RED_BLACK = "accelerated", "red-black"
ACCELERATED_UP_TO = 0.9999
"""Above this sigma the accelerated form is taken at this value, and above sigma = 1 not at all."""


def decay_law(sigma: float) -> float:
    """lambda(sigma), the factor by which the credit shrinks per layer; sigma in [0, 1]."""
    return 0.0 if sigma == 0 else (1 - math.sqrt(1 - sigma * sigma)) / sigma


def relaxation_factor(sigma: float) -> float:
    """omega of the accelerated relaxation; 1 (plain) from sigma = 1 upwards, where the map need not contract."""
    return 1.0 if sigma > 1 else 2 / (1 + math.sqrt(1 - min(sigma, ACCELERATED_UP_TO) ** 2))


class HopfieldChain(Chain):
    """L layers of N neurons coupled to both neighbours by one matrix each; state s (L, B, 3, N)."""

    kind = "hopfield"
    couplings = ("W",)
    state_names = ("s",)
    recurrent = ("W",)
    scratch_rows = 10
    lazy_kind = LazyHopfield
    on_device = (PLAIN, ACCELERATED)

    def _knobs(self) -> dict[str, Knob]:
        words = (
            " Accelerated: Chebyshev limit. Red-black: odd layers, then even, over-relaxed. Both plain above sigma 1."
        )
        return common_knobs((PLAIN, ACCELERATED, RED_BLACK, LAZY), words)

    def _initial_weights(self, rng: np.random.Generator, pixels: int, classes: int) -> dict[str, Array]:
        layers, neurons = self.layout.layers, self.layout.neurons
        return {
            **super()._initial_weights(rng, pixels, classes),
            "W": orthogonal_stack(rng, layers, neurons).astype(self.dtype),
        }

    def severed(self, dead: NDArray[np.bool_]) -> dict[str, NDArray[np.bool_]]:
        """A dead neuron's links to both neighbours, its bias and, at the top, its column of the read-out."""
        below = np.concatenate([np.zeros_like(dead[:1]), dead[:-1]])
        W_out = np.broadcast_to(dead[-1], self.weights["W_out"].shape)
        return {"W": dead[:, :, None] | below[:, None], "b": dead, "W_out": W_out}

    def _relaxation(self) -> float:
        over = self.parameters["dynamics"].choice in (ACCELERATED, RED_BLACK)
        return relaxation_factor(self.value("sigma")) if over else 1.0

    def _advance(self, columns: int) -> None:
        (s,), (s_out,) = self._states, self._next_states
        red_black = self.parameters["dynamics"].choice == RED_BLACK
        tick = self._backend.hopfield_red_black_tick if red_black else self._backend.hopfield_tick
        tick(
            *self._stacks, self._drive, self._inflow, self._force, self.value("sigma"), self._relaxation(), s, s_out,
            self._velocity, self._flips, self._sums, self._products, columns,
        )  # fmt: skip

    def _products_per_weight(self, nudged: bool) -> int:
        return 6 if nudged else 2

    def energy(self) -> NDArray[np.float64]:
        """E of the free copy, (B,), as far as possible from products that the last tick has left.

        After plain and accelerated ticks that is E before the last tick, after lazy ticks E at the values sent.
        """
        self._fetch()
        if isinstance(self._lazy, LazyHopfield):
            state, forward = self._lazy.sent, self._lazy.up
        elif self.parameters["dynamics"].choice == RED_BLACK:
            state = self._states[0]
            below = np.concatenate([self._inflow[None], state[:-1, :, 0]])
            forward = np.matmul(below, self.acting["W"].swapaxes(1, 2))[:, :, None]
        else:
            state, forward = self._next_states[0], self._products
        s = state[:, :, 0].astype(np.float64)
        inside = np.clip(s, -1 + 1e-15, 1 - 1e-15)
        own = 0.5 * ((1 + inside) * np.log1p(inside) + (1 - inside) * np.log1p(-inside))
        own[-1] /= 2
        coupling = s * (self.value("sigma") / 2 * forward[:, :, 0].astype(np.float64) + self.acting["b"][:, None])
        energy: NDArray[np.float64] = (own - coupling).sum((0, 2))
        return energy

    def decay_theory(self) -> float | None:
        """lambda(sigma) up to the edge, None above it."""
        sigma = self.value("sigma")
        return decay_law(sigma) if sigma <= 1 else None
