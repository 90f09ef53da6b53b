"""NumPy's ways to multiply a stack of matrices by a stack of columns; see `rivals.Multiplier`."""

from __future__ import annotations

from functools import cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

Array = NDArray[Any]
Way = Literal["gemv", "gemm", "matmul"]


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController().select(user_api="blas")


class NumpyMultiplier:
    """`gemv`: one product a layer and column; `gemm`: one a layer; `matmul`: np.matmul over the stack.

    Columns along axis 1 multiply from the left as rows, x A^T; along axis 2 from the right, A x.
    """

    xp = np

    def __init__(self, way: Way, axis: int, threads: int) -> None:
        self.way: Way = way
        self.axis = axis
        self.threads = threads

    @property
    def note(self) -> str:
        """Which variant this is."""
        layout = "(L, C, N)" if self.axis == 1 else "(L, N, C)"
        return f"{self.way}, columns {layout}, {self.threads} BLAS thread{'s' if self.threads > 1 else ''}"

    def prepare(self) -> None:
        """Set the number of BLAS threads."""
        _controller().limit(limits=self.threads)

    def array(self, values: Array) -> Array:
        """NumPy is at home here."""
        return values

    def host(self, values: Array) -> Array:
        """NumPy is at home here."""
        return values

    def bind(self, matrices: Array, x: Array, out: Array, transposed: bool) -> Any:
        """What computes out[l] = A[l] x[l] for all layers and columns."""
        if transposed:
            matrices = matrices.swapaxes(1, 2)
        if self.way == "gemv":
            return self._bound([
                (matrix, x[k, c, b], out[k, c, b])
                for k, matrix in enumerate(matrices)
                for c in range(x.shape[1])
                for b in range(x.shape[2])
            ])  # fmt: skip
        columns, columns_out = flat(x, self.axis), flat(out, self.axis)
        first, second = (columns, matrices.swapaxes(1, 2)) if self.axis == 1 else (matrices, columns)
        if self.way == "matmul":
            return lambda: np.matmul(first, second, out=columns_out)
        return self._bound(list(zip(first, second, columns_out, strict=True)))

    @staticmethod
    def _bound(jobs: list[tuple[Array, Array, Array]]) -> Any:
        dot = np.dot

        def walk() -> None:
            for a, x, y in jobs:
                dot(a, x, y)

        return walk


def flat(x: Any, axis: int) -> Any:
    """Columns and samples as one axis: (L, C B, N) or (L, N, C B)."""
    a, b, c, d = x.shape
    return x.reshape(a, b * c, d) if axis == 1 else x.reshape(a, b, c * d)
