r"""The flagship: a residual stream of recursive blocks, nudged by asymmetric equilibrium propagation.

    z_l <- tanh(sigma R_l z_l + W_l s_(l-1) + b_l)        state of block l, what red shows
    s_l <- s_(l-1) + z_l / sqrt(L),   s_0 = W_in x        the stream;  logits = W_out s_L

R_l and W_l start orthogonal, so ||R_l||_2 = 1 and sigma is the Lipschitz constant of every block's own recurrence.
The Jacobian J is block lower-triangular, its spectrum is that of the diagonal blocks: the contraction edge is
sigma = 1 at any depth. The nudged copies follow

    x' = F(x) + (J^T - J)(x - x0) + beta f,     d = x - x0 -> beta (I - J^T)^-1 f     as beta -> 0,

so the displacement is the credit (Scurria, Vanden Abeele, Mognetti, Massar 2026, arXiv 2602.03670; centred over
+beta and -beta after Laborieux et al. 2021). The nudge that blue shows is that of the stream, (s_plus - s_minus)/2:
divided by beta it is -dC/ds_l.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.knobs import Knob
from engine.lazy import LazyRecursive
from engine.linalg import orthogonal_stack
from engine.networks.chain import LAZY, PLAIN, Array, Chain, common_knobs


class RecursiveChain(Chain):
    """L recursive blocks of N neurons on a residual stream; states z and s, each (L, B, 3, N)."""

    kind = "recursive"
    couplings = ("R", "W")
    state_names = ("z", "s")
    recurrent = ("R",)
    scratch_rows = 16
    lazy_kind = LazyRecursive

    def _knobs(self) -> dict[str, Knob]:
        return common_knobs((PLAIN, LAZY))

    def _columns(self) -> list[Array]:
        return [*super()._columns(), *super()._columns()]

    def _initial_weights(self, rng: np.random.Generator, pixels: int, classes: int) -> dict[str, Array]:
        layers, neurons = self.layout.layers, self.layout.neurons
        return {
            **super()._initial_weights(rng, pixels, classes),
            "R": orthogonal_stack(rng, layers, neurons).astype(self.dtype),
            "W": orthogonal_stack(rng, layers, neurons).astype(self.dtype),
        }

    def severed(self, dead: NDArray[np.bool_]) -> dict[str, NDArray[np.bool_]]:
        """A dead block's row and column of R, its row of W and its bias; the stream passes it by."""
        row = dead[:, :, None]
        W = np.broadcast_to(row, self.weights["W"].shape)
        return {"R": row | dead[:, None], "W": W, "b": dead}

    def _advance(self, columns: int) -> None:
        (z, s), (z_out, s_out) = self._states, self._next_states
        self._backend.recursive_tick(
            *self._stacks, self._drive, self._inflow, self._force, self.value("sigma"), z, s, z_out, s_out,
            self._velocity, self._flips, self._sums, self._products, columns,
        )  # fmt: skip

    def _products_per_weight(self, nudged: bool) -> int:
        return 3 + 2 if nudged else 1
