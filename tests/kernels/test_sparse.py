"""Sparse kernels beside dense NumPy, and beside finite differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import sparse
from kernels import sparse_reference as reference

ROUNDING = {"float32": 2e-5, "float64": 1e-12}


def case(rng: np.random.Generator, dtype: str, samples: int, density: float) -> dict[str, Any]:
    """A random graph's arrays, as `kernels.sparse` describes them."""
    rows, lines, width, depth, lags = 9, 8, 7, 4, 3
    kinds = np.array([sparse.CONSTANT, *rng.integers(1, 5, 11)], np.uint8)
    mask = rng.random((rows, len(kinds))) < density
    mask[3] = False
    row, column = np.nonzero(mask)
    order = np.lexsort((row, column))
    return {
        "seen": rng.standard_normal((lags, depth, width, samples)).astype(dtype),
        "source": rng.integers(0, width, lines),
        "latency": rng.integers(0, lags, lines),
        "taps": rng.standard_normal((lines, depth)).astype(dtype),
        "active": rng.random((lines, depth)) < 0.6,
        "kinds": kinds,
        "left": rng.integers(0, lines, len(kinds)),
        "right": rng.integers(0, lines, len(kinds)),
        "knots": rng.standard_normal(len(kinds)).astype(dtype),
        "starts": np.searchsorted(row, np.arange(rows + 1)),
        "columns": column.astype(np.int32),
        "values": rng.standard_normal(len(row)).astype(dtype),
        "order": order.astype(np.int32),
        "rows": row[order].astype(np.int32),
        "column_starts": np.searchsorted(column[order], np.arange(len(kinds) + 1)),
    }


LINES = ("seen", "source", "latency", "taps", "active")
TERMS = ("kinds", "left", "right", "knots")
CELLS = ("starts", "columns", "values")


def run(c: dict[str, Any]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    samples, dtype = c["seen"].shape[-1], c["seen"].dtype
    sizes = len(c["source"]), len(c["kinds"]), len(c["starts"]) - 1
    lines, terms, y = (np.full((size, samples), np.nan, dtype) for size in sizes)
    sparse.forward(*(c[k] for k in LINES + TERMS + CELLS), lines, terms, y)
    return lines, terms, y


def gradients(c: dict[str, Any], e: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    lines, terms, _ = run(c)
    cells, taps = np.full(len(c["values"]), np.nan, e.dtype), np.full(c["taps"].shape, np.nan, e.dtype)
    back_lines = np.full_like(lines, np.nan)
    sparse.backward(
        c["seen"], c["source"], c["latency"], *(c[k] for k in TERMS + CELLS), c["column_starts"], c["order"],
        c["rows"], e, lines, terms, np.full_like(terms, np.nan), back_lines, cells, taps,
    )  # fmt: skip
    return cells, taps, back_lines


@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(sorted(ROUNDING)),
    st.sampled_from([1, 2, 8, 40]),
    st.floats(0, 1),
)
@settings(max_examples=30, deadline=None)
def test_forward_and_backward_agree_with_dense_numpy(seed: int, dtype: str, samples: int, density: float) -> None:
    rng = np.random.default_rng(seed)
    c = case(rng, dtype, samples, density)
    lines, terms, y = run(c)
    expected_lines = reference.lines_of(*(c[k] for k in LINES))
    expected_terms = reference.terms_of(*(c[k] for k in TERMS), expected_lines)
    W = reference.matrix(c["starts"], c["columns"], c["values"], len(c["kinds"]))
    close = {"rtol": ROUNDING[dtype], "atol": 30 * ROUNDING[dtype]}
    np.testing.assert_allclose(lines, expected_lines, **close)
    np.testing.assert_allclose(terms, expected_terms, **close)
    np.testing.assert_allclose(y, W @ expected_terms, **close)
    e = rng.standard_normal(y.shape).astype(dtype)
    cells, taps, back_lines = gradients(c, e)
    slopes = reference.slopes_of(*(c[k] for k in TERMS), expected_lines)
    expected_back = np.einsum("fb,flb->lb", W.T @ e, slopes)
    close["atol"] *= 10
    np.testing.assert_allclose(cells, (e @ terms.T)[W.nonzero()], **close)
    np.testing.assert_allclose(back_lines, expected_back, **close)
    expected_taps = np.einsum("lb,lhb->lh", expected_back, c["seen"][c["latency"], :, c["source"]])
    np.testing.assert_allclose(taps, expected_taps, **close)


def test_gradients_agree_with_finite_differences() -> None:
    rng = np.random.default_rng(5)
    c = case(rng, "float64", 11, 0.4)
    e = rng.standard_normal(run(c)[2].shape)
    cells, taps, _ = gradients(c, e)
    step = 1e-6
    for name, found in (("values", cells), ("taps", np.where(c["active"], taps, 0))):
        measured = np.zeros_like(found)
        for at in np.ndindex(found.shape):
            ends = []
            for sign in (1, -1):
                moved = {**c, name: c[name].copy()}
                moved[name][at] += sign * step
                ends.append(float((run(moved)[2] * e).sum()))
            measured[at] = (ends[0] - ends[1]) / (2 * step)
        np.testing.assert_allclose(found, measured, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("threshold", [0.0, 0.3])
def test_adam_moves_what_is_hot_and_nothing_else(threshold: float) -> None:
    rng = np.random.default_rng(2)
    hot = rng.random(50) < 0.6
    arrays = {name: rng.standard_normal(50) for name in ("values", "gradient", "mean")}
    arrays |= {"square": rng.random(50), "age": rng.integers(0, 9, 50)}
    mine, theirs = ({name: a.copy() for name, a in arrays.items()} for _ in range(2))
    for _ in range(3):
        sparse.adam_step(*mine.values(), hot, 0.05, threshold)
        reference.adam_step(*theirs.values(), hot, 0.05, threshold)
    for name, before in arrays.items():
        np.testing.assert_allclose(mine[name], theirs[name], rtol=1e-12, atol=1e-15, err_msg=name)
        assert np.array_equal(mine[name][~hot], before[~hot])
    assert not np.array_equal(mine["values"][hot], arrays["values"][hot])
    if threshold:
        assert (np.abs(mine["values"]) < np.abs(arrays["values"]) + 0.05 * 3 * 2)[hot].all()


def test_the_soft_threshold_takes_small_weights_to_zero() -> None:
    values = np.array([0.004, -0.004, 0.5])
    none = np.zeros(3)
    sparse.adam_step(values, none, none.copy(), none.copy(), np.zeros(3, int), np.ones(3, bool), 0.1, 0.1)
    np.testing.assert_allclose(values, [0, 0, 0.49], atol=1e-15)
