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
    apply: Apply, start: Array, steps: int = 30, tolerance: float = 1e-3, restarts: int = 4
) -> tuple[float, Array]:
    """Largest |eigenvalue| of A and a vector (n,) to look from next time, by Arnoldi's method (Arnoldi 1951).

    It is restarted from the leading Ritz vector until the residual of the leading pair is under `tolerance` times its
    value, `restarts` times at most. NaN where A is not finite.
    """
    radius = 0.0
    for _ in range(restarts + 1):
        size = float(np.linalg.norm(start))
        if not NOTHING < size < np.inf:
            break
        basis = np.zeros((steps + 1, start.size), start.dtype)
        basis[0] = start / size
        H = np.zeros((steps + 1, steps))
        count = steps
        for k in range(steps):
            x, H[: k + 1, k] = _orthogonalised(apply(basis[k]), basis[: k + 1])
            H[k + 1, k] = np.linalg.norm(x)
            if not H[k + 1, k] > INVARIANT * np.abs(H).max():
                H[k + 1, k], count = 0.0, k + 1
                break
            basis[k + 1] = x / H[k + 1, k]
        if not np.isfinite(H).all():
            return math.nan, start
        values, vectors = np.linalg.eig(H[:count, :count])
        leading = int(np.abs(values).argmax())
        radius = float(np.abs(values[leading]))
        residual = float(H[count, count - 1] * abs(vectors[-1, leading]))
        start = (vectors[:, leading].real + vectors[:, leading].imag).astype(start.dtype) @ basis[:count]
        if residual <= tolerance * radius:
            break
    return radius, start
