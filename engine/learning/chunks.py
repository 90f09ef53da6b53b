"""Batches as kernels like them: chunks of samples that lie innermost."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def chunked(rows: Array, dtype: np.dtype[Any], size: int) -> Array:
    """(B, N) as (chunks, N, size), the last chunk padded with zeros."""
    count = -(-len(rows) // size)
    padded = np.zeros((count * size, rows.shape[1]), dtype)
    padded[: len(rows)] = rows
    return np.ascontiguousarray(padded.reshape(count, size, -1).swapaxes(1, 2))


def unchunked(chunks: Array, samples: int) -> Array:
    """The inverse, (B, N)."""
    rows: Array = chunks.swapaxes(1, 2).reshape(-1, chunks.shape[1])[:samples]
    return rows
