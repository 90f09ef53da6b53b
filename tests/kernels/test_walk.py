"""A walk through a matrix agrees with NumPy, whichever way it is computed."""

from __future__ import annotations

import numpy as np
import pytest

from kernels import half
from kernels.rows import LANES, both_ways, vectors_fit
from kernels.walk import through

CASES = [(columns, first) for columns in (1, 3) for first in range(columns + 1)]


@pytest.mark.parametrize("neurons", [1, 5, LANES, 50, 64, 257])
@pytest.mark.parametrize(("columns", "first"), CASES)
@pytest.mark.parametrize("kind", ["float32", "float64", "half"])
def test_both_directions(neurons: int, columns: int, first: int, kind: str) -> None:
    """Y = A X and V = A^T G, for every number of columns, with rows and entries left over."""
    rng = np.random.default_rng(neurons)
    dtype = np.float64 if kind == "float64" else np.float32
    stack = rng.standard_normal((2, neurons, neurons)).astype(dtype)
    weights, exact = (half.stored(stack), half.rounded(stack)) if kind == "half" else (stack, stack)
    X, G = (rng.standard_normal((count, neurons)).astype(dtype) for count in (columns, columns - first))
    Y, V = np.full_like(X, np.nan), np.full_like(G, np.nan)
    through(weights[0], X, Y, G, V, columns, first, weights[1])
    A = exact[0].astype(np.float64)
    tolerance = 1e-13 if kind == "float64" else 1e-6
    np.testing.assert_allclose(Y, X @ A.T, rtol=0, atol=tolerance * neurons)
    np.testing.assert_allclose(V, G @ A, rtol=0, atol=tolerance * neurons)


@pytest.mark.parametrize(("columns", "first"), [(1, 0), (3, 0), (3, 1)])
def test_vectors_are_used_where_they_fit(columns: int, first: int) -> None:
    """The vector walk itself, by name: it adds to V, and a NaN reaches all that its row and column feed."""
    n = 2 * LANES
    rng = np.random.default_rng(0)
    A = rng.standard_normal((n, n)).astype(np.float32)
    X, G = (rng.standard_normal((count, n)).astype(np.float32) for count in (columns, columns - first))
    assert vectors_fit(A, X, columns, first)
    assert not vectors_fit(A.astype(np.float64), X.astype(np.float64), columns, first)
    assert not vectors_fit(A.T, X, columns, first)
    Y, V = np.zeros_like(X), np.ones_like(G)
    both_ways(A, X, Y, G, V, columns, first, A)
    np.testing.assert_allclose(V - 1, G @ A, atol=1e-5 * n)
    A[3, 5] = np.nan
    both_ways(A, X, Y, G, V, columns, first, A)
    assert np.isnan(Y[:, 3]).all()
    assert np.isnan(V[:, 5]).all()
    assert np.isfinite(np.delete(Y, 3, 1)).all()
