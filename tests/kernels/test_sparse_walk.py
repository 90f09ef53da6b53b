"""Products with sparse cells and their gradients, tile by tile, beside dense float64 NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numba.core.errors import TypingError

from kernels import sparse
from kernels import sparse_reference as reference

SAMPLES = [1, 2, 5, 8, 9, 16, 17, 31, 33, 64, 65, 128, 129, 150]
"""Every tile, full and in part, one after another too."""
ROUNDING = {"float32": 1e-5, "float64": 1e-13}


def cells(mask: np.ndarray, rng: np.random.Generator, dtype: str) -> dict[str, np.ndarray]:
    """The cells of a mask, as `kernels.sparse` describes them."""
    row, column = np.nonzero(mask)
    order = np.lexsort((row, column))
    return {
        "starts": np.searchsorted(row, np.arange(mask.shape[0] + 1)),
        "columns": column.astype(np.int32),
        "values": rng.standard_normal(len(row)).astype(dtype),
        "column_starts": np.searchsorted(column[order], np.arange(mask.shape[1] + 1)),
        "order": order.astype(np.int32),
        "rows": row[order].astype(np.int32),
    }


def holed(rng: np.random.Generator, rows: int = 23, columns: int = 38) -> np.ndarray:
    """A mask with rows and columns of no, one, some and many cells."""
    mask = rng.random((rows, columns)) < 0.3
    mask[9], mask[:, 11] = True, True
    mask[[0, 2, 4, -1]], mask[:, [0, 7, -1]] = False, False
    mask[2, 5] = True
    return mask


def products(c: dict[str, np.ndarray], x: np.ndarray, e: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """y, gradient of the cells and of x, from arrays full of NaN."""
    y, back = np.full_like(e, np.nan), np.full_like(x, np.nan)
    found = np.full_like(c["values"], np.nan)
    sparse.weigh(c["starts"], c["columns"], c["values"], x, y)
    sparse.gradients(*c.values(), e, x, found, back)
    return y, found, back


@pytest.mark.parametrize("dtype", sorted(ROUNDING))
@pytest.mark.parametrize("samples", SAMPLES)
def test_any_number_of_samples(samples: int, dtype: str) -> None:
    rng = np.random.default_rng(samples)
    mask = holed(rng)
    c = cells(mask, rng, dtype)
    x, e = (rng.standard_normal((size, samples)).astype(dtype) for size in mask.shape[::-1])
    y, found, back = products(c, x, e)
    W, x, e = (a.astype(float) for a in (reference.matrix(c["starts"], c["columns"], c["values"], mask.shape[1]), x, e))
    tolerance = ROUNDING[dtype] * np.sqrt(samples)
    np.testing.assert_allclose(y, W @ x, rtol=0, atol=tolerance)
    np.testing.assert_allclose(back, W.T @ e, rtol=0, atol=tolerance)
    np.testing.assert_allclose(found, (e @ x.T)[mask], rtol=0, atol=5 * tolerance)
    assert not y[[0, 4, -1]].any()
    assert not back[[0, 7, -1]].any()


@pytest.mark.parametrize("samples", [1, 6, 20])
def test_no_cells_at_all(samples: int) -> None:
    c = cells(np.zeros((3, 4), bool), np.random.default_rng(0), "float32")
    y, found, back = products(c, np.ones((4, samples), "f"), np.ones((3, samples), "f"))
    assert not y.any()
    assert not back.any()
    assert not found.size


@pytest.mark.parametrize("samples", [3, 11, 40])
def test_what_is_no_number_stays_in_its_sample(samples: int) -> None:
    """And nothing beyond the last sample is read or written: the arrays are parts of wider ones full of NaN."""
    rng = np.random.default_rng(1)
    mask = holed(rng)
    c = cells(mask, rng, "float32")
    wide: Any = {
        name: np.full((size, samples + 70), np.nan, "f") for name, size in zip("xeyb", (38, 23, 23, 38), strict=True)
    }
    x, e, y, back = (a[:, 1 : samples + 1] for a in wide.values())
    x[:], e[:] = 1, 1
    x[11, 2] = np.inf
    sparse.weigh(c["starts"], c["columns"], c["values"], x, y)
    found = np.empty_like(c["values"])
    sparse.gradients(*c.values(), e, x, found, back)
    sound = np.delete(np.arange(samples), 2)
    assert np.isfinite(y[:, sound]).all()
    assert np.isfinite(back).all()
    np.testing.assert_array_equal(np.isfinite(y[:, 2]), ~mask[:, 11])
    np.testing.assert_array_equal(np.isfinite(found), c["columns"] != 11)
    for a in wide.values():
        assert np.isnan(a[:, 0]).all()
        assert np.isnan(a[:, samples + 1 :]).all()


def test_samples_that_do_not_lie_side_by_side_are_refused() -> None:
    c = cells(np.ones((3, 4), bool), np.random.default_rng(0), "float32")
    with pytest.raises(ValueError, match="side by side"):
        products(c, np.ones((5, 4), "f").T, np.ones((3, 5), "f"))


def test_mixed_types_are_refused() -> None:
    c = cells(np.ones((3, 4), bool), np.random.default_rng(0), "float32")
    with pytest.raises(TypingError, match="all be float32 or all float64"):
        products(c, np.ones((4, 5)), np.ones((3, 5)))
    with pytest.raises(TypingError, match="must be int64"):
        products(c | {"columns": c["columns"].astype(np.int64)}, np.ones((4, 5), "f"), np.ones((3, 5), "f"))
