"""Sparse state functions of a whole graph in one call: cost grows with the number of cells, not with rows times
columns.

A graph predicts R numbers at once. Lines read its memory through temporal taps, terms are made of lines, and the cells
of a sparse matrix weigh terms:

    line_l = sum_h taps[l, h] seen[latency_l, h, source_l]
    term_f = 1  |  line_a  |  max(0, line_a - knot)  |  max(0, knot - line_a)  |  line_a line_b
    y_r    = sum_f W[r, f] term_f

(taps where `active` only; hinges and their products as in Friedman 1991, "Multivariate adaptive regression splines"). A
column of every array is a sample:

    seen      (lags, H, S, B)   what is remembered: for each latency the last H backward differences of each source
    taps      (L, H)            and `active` (L, H) bool
    terms     kinds (F,) uint8, left (F,), right (F,), knots (F,)
    cells     sorted by row, then column: `starts` (R + 1,) where each row begins, `columns` (nnz,), `values` (nnz,)
    by_column                   the same cells sorted by column: `starts` (F + 1,), `order` (nnz,) into the cells,
    `rows`

Samples of a row lie side by side in memory. The arrays that come out are overwritten whole. `kernels.sparse_reference`
is the same in NumPy.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from kernels.sparse_one import gradients_one, weigh_one
from kernels.sparse_walk import gradients_many, weigh_many
from kernels.walk import FAST

CONSTANT, LINE, ABOVE, BELOW, PRODUCT = range(5)
"""Kinds of terms."""


@njit(nogil=True, cache=True, error_model="numpy")
def weigh(starts: Any, columns: Any, values: Any, x: Any, y: Any) -> None:
    """y (R, B) = W x (F, B)."""
    if x.shape[1] == 1:
        weigh_one(starts, columns, values, np.ascontiguousarray(x[:, 0]), y[:, 0])
    else:
        weigh_many(starts, columns, values, x, y)


@njit(nogil=True, cache=True, error_model="numpy")
def gradients(
    starts: Any, columns: Any, values: Any, column_starts: Any, order: Any, rows: Any, e: Any, x: Any, cells: Any,
    back: Any,
) -> None:  # fmt: skip
    """cells (nnz,) = e[row] . x[column], only of cells that are there, and back (F, B) = W^T e; e (R, B), x (F, B)."""
    if x.shape[1] == 1:
        whole = np.empty(x.shape[0], back.dtype)
        gradients_one(starts, columns, values, e[:, 0], np.ascontiguousarray(x[:, 0]), cells, whole)
        back[:, 0] = whole
    else:
        gradients_many(column_starts, order, rows, values, e, x, cells, back)


@njit(nogil=True, cache=True, error_model="numpy", fastmath=FAST)
def read_lines(seen: Any, source: Any, latency: Any, taps: Any, active: Any, lines: Any) -> None:
    """Lines (L, B) from what is remembered."""
    for k in range(source.size):
        out = lines[k]
        out[:] = 0
        for h in range(taps.shape[1]):
            if active[k, h]:
                w, x = taps[k, h], seen[latency[k], h, source[k]]
                for b in range(out.size):
                    out[b] += w * x[b]


@njit(nogil=True, cache=True, error_model="numpy", fastmath=FAST)
def make_terms(kinds: Any, left: Any, right: Any, knots: Any, lines: Any, terms: Any) -> None:
    """Terms (F, B) of lines (L, B)."""
    zero = lines.dtype.type(0)
    for f in range(kinds.size):
        out, kind, knot = terms[f], kinds[f], knots[f]
        if kind == CONSTANT:
            out[:] = 1
            continue
        a = lines[left[f]]
        if kind == LINE:
            out[:] = a
        elif kind == ABOVE:
            for b in range(out.size):
                out[b] = max(a[b] - knot, zero)
        elif kind == BELOW:
            for b in range(out.size):
                out[b] = max(knot - a[b], zero)
        else:
            other = lines[right[f]]
            for b in range(out.size):
                out[b] = a[b] * other[b]


@njit(nogil=True, cache=True, error_model="numpy", fastmath=FAST)
def terms_back(kinds: Any, left: Any, right: Any, knots: Any, lines: Any, back: Any, back_lines: Any) -> None:
    """Gradient of the lines (L, B) from that of the terms (F, B)."""
    zero = lines.dtype.type(0)
    back_lines[:] = 0
    for f in range(kinds.size):
        g, kind, knot = back[f], kinds[f], knots[f]
        if kind == CONSTANT:
            continue
        a, into = lines[left[f]], back_lines[left[f]]
        if kind == LINE:
            for b in range(g.size):
                into[b] += g[b]
        elif kind == ABOVE:
            for b in range(g.size):
                into[b] += g[b] if a[b] > knot else zero
        elif kind == BELOW:
            for b in range(g.size):
                into[b] -= g[b] if a[b] < knot else zero
        else:
            other, into_other = lines[right[f]], back_lines[right[f]]
            for b in range(g.size):
                into[b] += g[b] * other[b]
            for b in range(g.size):
                into_other[b] += g[b] * a[b]


@njit(nogil=True, cache=True, error_model="numpy", fastmath=FAST)
def tap_gradients(seen: Any, source: Any, latency: Any, back_lines: Any, gradient: Any) -> None:
    """gradient (L, H) of all taps, those that are absent too: a prospective gradient costs no more here."""
    for k in range(source.size):
        g = back_lines[k]
        for h in range(gradient.shape[1]):
            x = seen[latency[k], h, source[k]]
            s = g.dtype.type(0)
            for b in range(g.size):
                s += g[b] * x[b]
            gradient[k, h] = s


@njit(nogil=True, cache=True, error_model="numpy")
def forward(
    seen: Any, source: Any, latency: Any, taps: Any, active: Any, kinds: Any, left: Any, right: Any, knots: Any,
    starts: Any, columns: Any, values: Any, lines: Any, terms: Any, y: Any,
) -> None:  # fmt: skip
    """Lines, terms and outputs of all modules."""
    read_lines(seen, source, latency, taps, active, lines)
    make_terms(kinds, left, right, knots, lines, terms)
    weigh(starts, columns, values, terms, y)


@njit(nogil=True, cache=True, error_model="numpy")
def backward(
    seen: Any, source: Any, latency: Any, kinds: Any, left: Any, right: Any, knots: Any, starts: Any, columns: Any,
    values: Any, column_starts: Any, order: Any, rows: Any, e: Any, lines: Any, terms: Any, back: Any, back_lines: Any,
    cells: Any, taps: Any,
) -> None:  # fmt: skip
    """Gradients of cells (nnz,) and taps (L, H) summed over samples, from e (R, B) = dL/dy and the forward's arrays."""
    gradients(starts, columns, values, column_starts, order, rows, e, terms, cells, back)
    terms_back(kinds, left, right, knots, lines, back, back_lines)
    tap_gradients(seen, source, latency, back_lines, taps)


@njit(nogil=True, cache=True, error_model="numpy")
def adam_step(
    values: Any, gradient: Any, mean: Any, square: Any, age: Any, hot: Any, rate: float, threshold: float
) -> None:
    """Adam (Kingma & Ba 2015; 0.9, 0.999), then a soft threshold; all (n,), in place, of entries that are `hot` only.

    Every entry counts its own steps in `age`, since entries are born at different times. The threshold is that of the
    proximal operator of threshold |w|: what it takes to zero stays zero until the gradient lifts it again.
    """
    for i in range(values.size):
        if not hot[i]:
            continue
        age[i] += 1
        mean[i] += 0.1 * (gradient[i] - mean[i])
        square[i] += 0.001 * (gradient[i] * gradient[i] - square[i])
        m = mean[i] / (1 - 0.9 ** age[i])
        s = square[i] / (1 - 0.999 ** age[i])
        w = values[i] - rate * m / (np.sqrt(s) + 1e-8)
        shrunk = max(abs(w) - rate * threshold, 0.0)
        values[i] = shrunk if w > 0 else -shrunk
