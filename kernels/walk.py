"""Walks through a matrix: four rows at a time, a quarter of it apart, each weight read once for all columns.

Four streams run through memory side by side, and a block of four rows stays in the first-level cache while each column
uses it. What the live window and the Hopfield chain do is written in vector instructions (`kernels.rows`); the rest,
and double precision, is left to the compiler.
"""

from __future__ import annotations

from typing import Any

from numba import njit

from kernels.half import weight
from kernels.rows import both_ways, vectors_fit

FAST = {"reassoc", "contract", "nsz", "arcp"}


@njit(error_model="numpy", fastmath=FAST, inline="always")
def _four_rows(A: Any, i: int, quarter: int, x: Any, y: Any) -> None:
    """y[rows] = A[rows] x for the four rows of block i."""
    r0, r1, r2, r3 = A[i], A[i + quarter], A[i + 2 * quarter], A[i + 3 * quarter]
    a0 = a1 = a2 = a3 = x.dtype.type(0)
    for j in range(x.size):
        a0 += weight(r0[j]) * x[j]
        a1 += weight(r1[j]) * x[j]
        a2 += weight(r2[j]) * x[j]
        a3 += weight(r3[j]) * x[j]
    y[i] = a0
    y[i + quarter] = a1
    y[i + 2 * quarter] = a2
    y[i + 3 * quarter] = a3


@njit(error_model="numpy", fastmath=FAST, inline="always")
def _four_rows_back(A: Any, i: int, quarter: int, g: Any, v: Any) -> None:
    """v += A[rows]^T g[rows] for the four rows of block i."""
    r0, r1, r2, r3 = A[i], A[i + quarter], A[i + 2 * quarter], A[i + 3 * quarter]
    g0, g1, g2, g3 = g[i], g[i + quarter], g[i + 2 * quarter], g[i + 3 * quarter]
    for j in range(v.size):
        v[j] += weight(r0[j]) * g0 + weight(r1[j]) * g1 + weight(r2[j]) * g2 + weight(r3[j]) * g3


@njit(error_model="numpy", fastmath=FAST, inline="always")
def _four_rows_both(A: Any, i: int, quarter: int, x: Any, y: Any, g: Any, v: Any) -> None:
    """Both in the same walk."""
    r0, r1, r2, r3 = A[i], A[i + quarter], A[i + 2 * quarter], A[i + 3 * quarter]
    g0, g1, g2, g3 = g[i], g[i + quarter], g[i + 2 * quarter], g[i + 3 * quarter]
    a0 = a1 = a2 = a3 = x.dtype.type(0)
    for j in range(x.size):
        m0, m1, m2, m3 = weight(r0[j]), weight(r1[j]), weight(r2[j]), weight(r3[j])
        a0 += m0 * x[j]
        a1 += m1 * x[j]
        a2 += m2 * x[j]
        a3 += m3 * x[j]
        v[j] += m0 * g0 + m1 * g1 + m2 * g2 + m3 * g3
    y[i] = a0
    y[i + quarter] = a1
    y[i + 2 * quarter] = a2
    y[i + 3 * quarter] = a3


@njit(error_model="numpy", fastmath=FAST)
def through(A: Any, X: Any, Y: Any, G: Any, V: Any, columns: int, first: int, following: Any) -> None:
    """One pass over A: Y[c] = A X[c] for c < columns, and V[c - first] = A^T G[c - first] for first <= c < columns.

    `following` is the matrix that is walked through next.
    """
    n = A.shape[0]
    quarter = n // 4
    for c in range(columns - first):
        V[c, :] = 0
    if vectors_fit(A, X, columns, first):
        both_ways(A, X, Y, G, V, columns, first, following)
    else:
        for i in range(quarter):
            for c in range(first):
                _four_rows(A, i, quarter, X[c], Y[c])
            for c in range(first, columns):
                _four_rows_both(A, i, quarter, X[c], Y[c], G[c - first], V[c - first])
    for i in range(4 * quarter, n):
        for c in range(columns):
            total = X.dtype.type(0)
            for j in range(n):
                total += weight(A[i, j]) * X[c, j]
            Y[c, i] = total
        for c in range(columns - first):
            for j in range(n):
                V[c, j] += weight(A[i, j]) * G[c, i]


@njit(error_model="numpy", fastmath=FAST)
def forward(A: Any, X: Any, Y: Any, columns: int) -> None:
    """Y[c] = A X[c]."""
    through(A, X, Y, X, Y, columns, columns, A)


@njit(error_model="numpy", fastmath=FAST)
def backward(A: Any, G: Any, V: Any, columns: int) -> None:
    """V[c] = A^T G[c]."""
    n = A.shape[0]
    quarter = n // 4
    for c in range(columns):
        V[c, :] = 0
    for i in range(quarter):
        for c in range(columns):
            _four_rows_back(A, i, quarter, G[c], V[c])
    for i in range(4 * quarter, n):
        for c in range(columns):
            for j in range(n):
                V[c, j] += weight(A[i, j]) * G[c, i]
