r"""A lattice of voxels as a linear operator: products, transposes, and a spectral norm that is kept at 1.

Couplings K are (L, 27, N) as in `kernels.lattice_reference`, values (L, N). The norm is lowered by the smallest change
on the synapses that exist which takes the excess off the largest singular values, to first order:

    K <- K - sum_p t_p M (u_p v_p^T),       sum_q <M (u_p v_p^T), u_q v_q^T> t_q = s_p - 1,

with (s_p, u_p, v_p) the singular triples above 1 and M the mask of the synapses. Never by rescaling, which would crush
every smaller singular value with the largest.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.krylov import NOTHING, singular_pairs, spectral_radius
from kernels.lattice_reference import lattice_mask

Array = NDArray[Any]
STEPS = 24
"""Size of the Krylov subspace in which singular values are looked for."""
WAVES = 32
"""Applications of the Jacobian between two looks at its spectrum, at most."""
PAIRS = 6
"""Singular triples that are lowered at once, at most."""
ROUNDS = 30
"""Lowering ends after this many times."""
DEPENDENT = 1e-3
"""Pairs whose overlaps differ by less than this share are lowered as one."""
NEAR = 1e-4
"""A norm is at 1 when it is above it by no more than this."""


class Lattice:
    """L layers of side x side voxels; `kernels` computes (`kernels.lattice` or `kernels.lattice_reference`).

    `symmetric`: couplings are their own transposes, and whatever changes them keeps them so.
    """

    def __init__(self, layers: int, side: int, kernels: ModuleType, symmetric: bool = False) -> None:
        self.layers, self.side, self.symmetric = layers, side, symmetric
        self._kernels = kernels
        self.mask = lattice_mask(layers, side)
        """Which rows of K are synapses within the lattice, (L, 27, N)."""

    def applied(self, K: Array, x: Array) -> Array:
        """K x."""
        out = np.empty_like(x)
        self._kernels.applied(K, np.ascontiguousarray(x, K.dtype), self.side, out)
        return out

    def transposed(self, K: Array, out: Array | None = None) -> Array:
        """K transposed, in the layout of K."""
        out = np.empty_like(K) if out is None else out
        self._kernels.turned(K, self.side, out)
        return out

    def correlated(self, g: Array, x: Array) -> Array:
        """sum over samples of g_i x_j for every row of K; g, x (L, N, B)."""
        out = np.empty((self.layers, 27, g.shape[1]), g.dtype)
        self._kernels.correlated(np.ascontiguousarray(g), np.ascontiguousarray(x), self.side, out)
        return out

    def _flat(self, K: Array) -> Any:
        shape = (self.layers, self.side**2)
        return lambda x: self.applied(K, x.reshape(shape).astype(K.dtype, copy=False)).reshape(-1)

    def singular_pairs(self, K: Array, start: Array, steps: int = STEPS) -> tuple[Array, Array, Array]:
        """Estimates of the largest singular values of K and their vectors, see `engine.krylov`."""
        return singular_pairs(self._flat(K), self._flat(self.transposed(K)), start, steps)

    def normed(self, K: Array, start: Array) -> Array:
        """K divided by its spectral norm: how couplings begin, never what learning does to them."""
        K = K / max(float(self.singular_pairs(K, start, 2 * STEPS)[1][0]), NOTHING)
        self.lower(K, start)
        return K

    def spectral_radius(self, K: Array, slope: Array, start: Array) -> tuple[float, Array]:
        """Largest |eigenvalue| of the Jacobian D K with D the `slope` (L, N) of each voxel; where to look next time."""
        through = self._flat(K)
        start = start / max(float(np.linalg.norm(start)), NOTHING) + self._anywhere(K)
        return spectral_radius(lambda x: slope.reshape(-1) * through(x), start, min(self.layers, WAVES))

    def lower(self, K: Array, start: Array, slack: float = NEAR) -> Array:
        """Bring the spectral norm of K to 1, in place, if it is above 1 + slack; the leading singular vector (n,).

        `start` (n,) is where to look for it first: what the last call returned. What is not finite is left alone.
        """
        if not np.isfinite(K).all():
            return start
        exists = (K != 0).astype(K.dtype)
        shape = (self.layers, self.side**2, -1)
        for _ in range(ROUNDS):
            u, values, v = self.singular_pairs(K, start)
            above = int((values > 1).sum())
            start = (values**2 @ v).astype(K.dtype) + self._anywhere(K)
            if not values[0] > 1 + slack:
                break
            slack = min(slack, NEAR)
            u, v = u[: min(above, PAIRS)], v[: min(above, PAIRS)]
            overlap = np.array([[(a * c) @ self._flat(exists)(b * d) for c, d in zip(u, v, strict=True)]
                                for a, b in zip(u, v, strict=True)])  # fmt: skip
            amount = np.linalg.lstsq(overlap, values[: len(u)] - 1, rcond=DEPENDENT)[0]
            change = self.correlated((amount * u.T).astype(K.dtype).reshape(shape), v.T.astype(K.dtype).reshape(shape))
            if self.symmetric:
                change = (change + self.transposed(change)) / 2
            K -= exists * change
        return start

    def _anywhere(self, K: Array) -> Array:
        """A fixed random vector, so that no singular vector is out of sight."""
        count = self.layers * self.side**2
        drawn: Array = np.random.default_rng(9).standard_normal(count) * (0.3 / count**0.5)
        return drawn.astype(K.dtype)

    def bound(self, U: Array, R: Array, start: Array, slack: float = NEAR) -> Array:
        """`lower` for what recurs: R (L, 18, N), or in a symmetric lattice U (L, 9, N) and R together."""
        K = np.concatenate([U if self.symmetric else np.zeros_like(U), R], axis=1)
        start = self.lower(K, start, slack)
        R[...] = K[:, len(U[0]) :]
        if self.symmetric:
            U[...] = K[:, : len(U[0])]
        return start
