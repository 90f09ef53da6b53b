"""Norms and spectra of operators that are only known by what they do to a vector (Krylov subspaces).

Vectors are flat, (n,). All reorthogonalisation is full: the subspaces are small.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Apply = Callable[[Array], Array]
NOTHING = 1e-30
"""A vector shorter than this is taken for zero."""
INVARIANT = 1e-6
"""A subspace that the operator leaves by less than this share is taken for invariant."""


def _orthogonalised(x: Array, basis: Array) -> tuple[Array, Array]:
    """x without its parts along the rows of an orthonormal basis, and these parts."""
    parts = basis @ x
    x = x - parts @ basis
    more = basis @ x
    return x - more @ basis, parts + more


def singular_pairs(apply: Apply, apply_back: Apply, start: Array, steps: int) -> tuple[Array, Array, Array]:
    """Estimates of the largest singular values of A and their vectors: u (k, n), values (k,) falling, v (k, n).

    `steps` steps of Golub-Kahan-Lanczos bidiagonalisation from `start` (Golub & Kahan 1965); `apply_back` is A
    transposed. Estimates lie below the true values.
    """
    size = max(float(np.linalg.norm(start)), NOTHING)
    right, left = np.zeros((steps, start.size), start.dtype), np.zeros((steps, start.size), start.dtype)
    right[0] = start / size
    B = np.zeros((steps, steps))
    count = steps
    for k in range(steps):
        u, _ = _orthogonalised(apply(right[k]), left[:k])
        B[k, k] = np.linalg.norm(u)
        if B[k, k] <= INVARIANT * B.max() or B[k, k] < NOTHING:
            B[k, k], count = 0.0, k + 1
            break
        left[k] = u / B[k, k]
        v, _ = _orthogonalised(apply_back(left[k]), right[: k + 1])
        length = float(np.linalg.norm(v))
        if k + 1 == steps or length <= INVARIANT * B.max():
            count = k + 1
            break
        B[k, k + 1] = length
        right[k + 1] = v / length
    p, values, qt = np.linalg.svd(B[:count, :count])
    return (p.T @ left[:count]).astype(start.dtype), values, (qt @ right[:count]).astype(start.dtype)


def spectral_radius(
    apply: Apply, start: Array, waves: int, steps: int = 12, tolerance: float = 2e-3, rounds: int = 10
) -> tuple[float, Array]:
    """Largest |eigenvalue| of A and a vector (n,) to look from next time. NaN where A is not finite.

    Each round applies A `waves` times and then looks at the Krylov subspace of what is left (Arnoldi 1951), until two
    rounds agree to `tolerance` of their value. Where signals only pass through, as they cross a network of `waves`
    layers, they grow for a while whatever the eigenvalues are; without the waves their growth would be taken for one.
    """
    radius = 0.0
    for _ in range(rounds):
        for _ in range(waves):
            size = float(np.linalg.norm(start))
            if not NOTHING < size < np.inf:
                return (0.0 if size <= NOTHING else math.nan), start
            start = apply(start / start.dtype.type(size))
        before, radius = radius, _leading_ritz_value(apply, start, steps)
        if not abs(radius - before) > tolerance * radius:
            break
    return radius, start


def _leading_ritz_value(apply: Apply, start: Array, steps: int) -> float:
    """Largest |Ritz value| of A in the Krylov subspace of `start`; NaN where it is not finite."""
    size = float(np.linalg.norm(start))
    if not NOTHING < size < np.inf:
        return 0.0 if size <= NOTHING else math.nan
    basis = np.zeros((steps, start.size), start.dtype)
    basis[0] = start / size
    H = np.zeros((steps, steps))
    count = steps
    for k in range(steps):
        x, H[: k + 1, k] = _orthogonalised(apply(basis[k]), basis[: k + 1])
        length = float(np.linalg.norm(x))
        if k + 1 == steps or not length > INVARIANT * np.abs(H).max():
            count = k + 1
            break
        H[k + 1, k] = length
        basis[k + 1] = x / length
    if not np.isfinite(H).all():
        return math.nan
    return float(np.abs(np.linalg.eigvals(H[:count, :count])).max())
