"""Matrices of a given norm: orthogonal starts and clipped singular values."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def semi_orthogonal(rng: np.random.Generator, rows: int, columns: int) -> NDArray[np.float64]:
    """A random (rows, columns) matrix with orthonormal rows or columns, whichever are fewer (Haar measure)."""
    tall = rng.standard_normal((max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(tall)
    q = q * np.where(np.diagonal(r) < 0, -1.0, 1.0)
    return q if rows >= columns else q.T


def orthogonal_stack(rng: np.random.Generator, count: int, size: int) -> NDArray[np.float64]:
    """`count` random orthogonal matrices, (count, size, size)."""
    return np.stack([semi_orthogonal(rng, size, size) for _ in range(count)])


def clip_singular_values(stack: NDArray[Any]) -> NDArray[Any]:
    """The nearest matrices (Frobenius norm) whose singular values are all at most 1; (..., n, n), dtype kept.

    Never rescale instead: dividing by the norm shrinks every other singular value with the largest.
    """
    u, singular, vt = np.linalg.svd(stack.astype(np.float64), full_matrices=False)
    clipped: NDArray[Any] = ((u * np.minimum(singular, 1)[..., None, :]) @ vt).astype(stack.dtype)
    return clipped


def spectral_norms(stack: NDArray[Any]) -> NDArray[np.float64]:
    """Largest singular value of each matrix, (...,)."""
    norms: NDArray[np.float64] = np.linalg.norm(stack.astype(np.float64), ord=2, axis=(-2, -1))
    return norms


def softmax(logits: NDArray[Any]) -> NDArray[Any]:
    """Probabilities along the last axis."""
    raised = np.exp(logits - logits.max(-1, keepdims=True))
    probabilities: NDArray[Any] = raised / raised.sum(-1, keepdims=True)
    return probabilities


def transposed(stack: NDArray[Any]) -> NDArray[Any]:
    """Each matrix transposed, in memory order."""
    return np.ascontiguousarray(stack.swapaxes(-1, -2))


def polar(stack: NDArray[Any]) -> NDArray[Any]:
    """The nearest (semi-)orthogonal matrices: all singular values put to 1; (..., m, n), dtype kept."""
    u, _, vt = np.linalg.svd(stack.astype(np.float64), full_matrices=False)
    nearest: NDArray[Any] = (u @ vt).astype(stack.dtype)
    return nearest
