"""The sparse cores of all nodes: one sorted list of cells, of which each node owns its rows.

A cell (row, column) weighs one term in one number that the graph predicts. What is Cold is not in the list and costs
nothing. Only the planner edits the list; the learner moves values. Two counters watch it:

    C_struct    cells in the list, never above `limit` (hard)
    C_active    cells with |w| > eps (soft: what the barrier of `economy` looks at)
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from kernels import sparse

Array = NDArray[Any]
Cells = NDArray[np.int64]
"""(n, 2): row and column."""
Form = Literal["sparse", "dense"]


class BudgetError(ValueError):
    """An edit that would need more cells than the budget allows; nothing was changed."""


class Heat(IntEnum):
    """How far a cell is in its life. Cold ones are not stored."""

    COLD = 0
    WARM = 1
    """Under probe: a shadow beside the list."""
    HOT = 2
    """Takes part and learns."""
    COOLING = 3
    """Fades out; learns no more."""


class SparseCore:
    """Sorted, coalesced cells of a matrix (rows, columns), the columns of which can become more.

    `M_idx` (nnz, 2) int64, `W_vals` (nnz,); `mean`, `square` and `age` are Adam's, `born` the tick of each.
    """

    def __init__(self, rows: int, columns: int, limit: int, dtype: Any = np.float32) -> None:
        self.shape = rows, columns
        self.limit = limit
        self.dtype = np.dtype(dtype)
        self.M_idx: Cells = np.empty((0, 2), np.int64)
        self.W_vals: Array = np.empty(0, dtype)
        self.mean, self.square = np.empty(0, dtype), np.empty(0, dtype)
        self.age, self.born = np.empty(0, np.int64), np.empty(0, np.int64)
        self.heat = np.empty(0, np.uint8)
        self.form: Form = "sparse"
        """How it is computed; the function is the same."""
        self._index()

    @property
    def struct(self) -> int:
        """C_struct."""
        return len(self.W_vals)

    def active(self, eps: float = 1e-3) -> int:
        """C_active: cells with |w| > eps."""
        return int((np.abs(self.W_vals) > eps).sum())

    @property
    def room(self) -> int:
        """Cells that may still be added."""
        return self.limit - self.struct

    @property
    def hot(self) -> NDArray[np.bool_]:
        """Cells that learn."""
        found: NDArray[np.bool_] = self.heat == Heat.HOT
        return found

    def widen(self, columns: int) -> None:
        """Make room for more columns."""
        self.shape = self.shape[0], max(columns, self.shape[1])
        self._index()

    def find(self, cells: Cells) -> NDArray[np.int64]:
        """Where each of the cells (n, 2) is in the list, -1 for a Cold one."""
        keys, wanted = self._keys(self.M_idx), self._keys(np.asarray(cells, np.int64).reshape(-1, 2))
        if not len(keys):
            return np.full(len(wanted), -1)
        at = np.searchsorted(keys, wanted).clip(max=len(keys) - 1)
        return np.where(keys[at] == wanted, at, -1)

    def add(self, cells: Cells, values: Array, tick: int = 0) -> None:
        """Make cells (n, 2) Hot with these values; one that is there already is added to. Raises BudgetError."""
        cells = np.asarray(cells, np.int64).reshape(-1, 2)
        if len(cells) and ((cells < 0) | (cells >= self.shape)).any():
            raise ValueError(f"cells outside the matrix of shape {self.shape}")
        unique, back = np.unique(cells, axis=0, return_inverse=True)
        sums = np.zeros(len(unique), self.dtype)
        np.add.at(sums, back.reshape(-1), np.asarray(values, self.dtype))
        at = self.find(unique)
        new = at < 0
        if new.sum() > self.room:
            raise BudgetError(f"{int(new.sum())} more cells, but the budget of {self.limit} has room for {self.room}")
        self.W_vals[at[~new]] += sums[~new]
        self.heat[at[~new]] = Heat.HOT
        count = int(new.sum())
        self.M_idx = np.concatenate([self.M_idx, unique[new]])
        self.W_vals = np.concatenate([self.W_vals, sums[new]])
        self.mean, self.square = (np.concatenate([a, np.zeros(count, self.dtype)]) for a in (self.mean, self.square))
        self.age = np.concatenate([self.age, np.zeros(count, np.int64)])
        self.born = np.concatenate([self.born, np.full(count, tick)])
        self.heat = np.concatenate([self.heat, np.full(count, Heat.HOT, np.uint8)])
        self._keep(np.argsort(self._keys(self.M_idx), kind="stable"))

    def shift(self, cells: Cells, by: Array) -> None:
        """Add to the values of those of the cells (n, 2) that are there."""
        at = self.find(cells)
        self.W_vals[at[at >= 0]] += by[at >= 0].astype(self.dtype)

    def remove(self, where: NDArray[Any]) -> None:
        """Cells at these places of the list, or of a mask over it, become Cold."""
        keep = np.ones(self.struct, bool)
        keep[where] = False
        self._keep(np.flatnonzero(keep))

    def forward(self, x: Array) -> Array:
        """W x, (rows, samples) from (columns, samples)."""
        x = np.ascontiguousarray(x, self.dtype)
        if self.form == "dense":
            found: Array = self.dense() @ x
            return found
        y = np.empty((self.shape[0], x.shape[1]), self.dtype)
        sparse.weigh(self.starts, self.columns, self.W_vals, x, y)
        return y

    def gradient(self, x: Array, e: Array) -> tuple[Array, Array]:
        """Of the cells (nnz,), summed over samples, and of x (columns, samples), where e = dL/dy (rows, samples)."""
        x, e = np.ascontiguousarray(x, self.dtype), np.ascontiguousarray(e, self.dtype)
        if self.form == "dense":
            return (e @ x.T)[tuple(self.M_idx.T)], self.dense().T @ e
        cells, back = np.empty(self.struct, self.dtype), np.empty_like(x)
        sparse.gradients(
            self.starts, self.columns, self.W_vals, self.column_starts, self.order, self.rows, e, x, cells, back
        )
        return cells, back

    def step(self, gradient: Array, rate: float, threshold: float = 0.0) -> None:
        """Adam and a soft threshold on what is Hot."""
        sparse.adam_step(self.W_vals, gradient, self.mean, self.square, self.age, self.hot, rate, threshold)

    def dense(self) -> Array:
        """The matrix, (rows, columns)."""
        W = np.zeros(self.shape, self.dtype)
        W[tuple(self.M_idx.T)] = self.W_vals
        return W

    def of_rows(self, first: int, last: int) -> slice:
        """Where the cells of rows first to last - 1 lie in the list."""
        return slice(int(self.starts[first]), int(self.starts[last]))

    def hot_of_row(self, row: int) -> NDArray[np.int64]:
        """Places of a row's Hot cells in the list."""
        own = self.of_rows(row, row + 1)
        found: NDArray[np.int64] = own.start + np.flatnonzero(self.heat[own] == Heat.HOT)
        return found

    def renumber(self, columns: NDArray[np.int64]) -> None:
        """Column c becomes columns[c]; order is kept, so the new numbers must grow. Columns without cells may be -1."""
        self.M_idx[:, 1] = columns[self.M_idx[:, 1]]
        self.shape = self.shape[0], int((columns >= 0).sum())
        self._index()

    def _keys(self, cells: Cells) -> NDArray[np.int64]:
        return cells[:, 0] * (2**31) + cells[:, 1]

    def _keep(self, order: NDArray[np.int64]) -> None:
        self.M_idx, self.W_vals = self.M_idx[order], self.W_vals[order]
        self.mean, self.square = self.mean[order], self.square[order]
        self.age, self.born, self.heat = self.age[order], self.born[order], self.heat[order]
        self._index()

    def _index(self) -> None:
        """Lists that the kernels walk along."""
        rows, columns = self.M_idx.T
        self.starts = np.searchsorted(rows, np.arange(self.shape[0] + 1))
        self.columns = np.ascontiguousarray(columns, np.int32)
        self.order = np.lexsort((rows, columns)).astype(np.int32)
        self.rows = rows[self.order].astype(np.int32)
        self.column_starts = np.searchsorted(columns[self.order], np.arange(self.shape[1] + 1))
