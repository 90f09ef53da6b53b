"""When a block of cells is better computed as a dense matrix.

Below a density of 0.05 sparse, above 0.6 dense; between them the costs of forward and gradient decide,

    alpha cells samples    against    beta rows columns samples

with alpha and beta measured on this device at a density where the two are near each other (an empty row costs something
too, so alpha falls a little as cells grow more). A block changes its form only after several checks that agree, and
then keeps it for some checks more.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from engine.networks.growing.core import Form, SparseCore

Array = NDArray[Any]
LOW, HIGH = 0.05, 0.6
"""Densities below and above which nothing is compared."""
AGREEING = 3
"""Checks in a row that must ask for the other form."""
COOL_DOWN = 10
"""Checks after a change before the next may come."""
MIDDLE = 0.3
"""Density at which costs are measured."""
TRIES = 25


@dataclass(frozen=True, slots=True)
class Costs:
    """Seconds of forward and gradient: alpha for a cell and sample, beta for an entry and sample."""

    alpha: float
    beta: float

    def faster(self, cells: int, rows: int, columns: int) -> Form:
        """The form that should be faster."""
        density = cells / (rows * columns)
        if density < LOW or density > HIGH:
            return "sparse" if density < LOW else "dense"
        return "sparse" if self.alpha * cells <= self.beta * rows * columns else "dense"


class Judge(Protocol):
    """Says which form should be faster."""

    def faster(self, cells: int, rows: int, columns: int) -> Form:
        """Of a block with so many cells."""
        ...


@dataclass(frozen=True, slots=True)
class OnThisDevice:
    """Costs for so many samples, measured when they are first asked for."""

    samples: int

    def faster(self, cells: int, rows: int, columns: int) -> Form:
        """As `Costs`; blocks of like size, to a power of two, are measured once."""
        if LOW <= cells / (rows * columns) <= HIGH:
            return measured(rows, 1 << (columns - 1).bit_length(), self.samples).faster(cells, rows, columns)
        return Costs(0.0, 0.0).faster(cells, rows, columns)


class Crossover:
    """The form of one block (rows, columns), which may become wider."""

    def __init__(self, costs: Judge, rows: int, columns: int) -> None:
        self.costs, self.rows, self.columns = costs, rows, columns
        self.form: Form = "sparse"
        self._agreed, self._rest = 0, 0

    def check(self, cells: int, columns: int | None = None) -> Form:
        """The form from now on, with so many cells, and columns if they are no longer as many as they were."""
        self.columns = self.columns if columns is None else columns
        other = self.costs.faster(cells, self.rows, self.columns) != self.form
        self._rest = max(self._rest - 1, 0)
        self._agreed = self._agreed + 1 if other else 0
        if self._agreed >= AGREEING and not self._rest:
            self.form = "dense" if self.form == "sparse" else "sparse"
            self._agreed, self._rest = 0, COOL_DOWN
        return self.form


class DenseBlock:
    """The same function as a `SparseCore`, by whole matrices."""

    def __init__(self, W: Array) -> None:
        self.W, self._gradient = W, np.empty_like(W)

    def forward(self, x: Array) -> Array:
        """W x, (rows, samples)."""
        found: Array = self.W @ x
        return found

    def gradient(self, x: Array, e: Array) -> tuple[Array, Array]:
        """Of all entries (rows, columns), overwritten by the next call, and of x."""
        if x.shape[1] == 1:
            np.multiply(e, x.T, out=self._gradient)
        else:
            np.matmul(e, x.T, out=self._gradient)
        return self._gradient, self.W.T @ e


def random_core(rows: int, columns: int, density: float, seed: int = 0) -> SparseCore:
    """Cells anywhere with this chance, float32."""
    rng = np.random.default_rng(seed)
    cells = np.argwhere(rng.random((rows, columns)) < density)
    core = SparseCore(rows, columns, rows * columns)
    core.add(cells, rng.standard_normal(len(cells)).astype(np.float32))
    return core


def seconds(core: SparseCore, samples: int, tries: int = TRIES) -> dict[Form, float]:
    """Forward and gradient of either form, the best of some tries, in turn: CPU time with one thread, for the dense one
    also wall time with as many BLAS threads as it likes, whichever is less."""
    rng = np.random.default_rng(1)
    x, e = (rng.standard_normal((size, samples)).astype(np.float32) for size in core.shape[::-1])
    dense = DenseBlock(core.dense())
    forms: dict[Form, SparseCore | DenseBlock] = {"sparse": core, "dense": dense}
    found: dict[Form, float] = dict.fromkeys(forms, np.inf)
    with threadpool_limits(1, user_api="blas"):
        for _ in range(tries):
            for form, block in forms.items():
                found[form] = min(found[form], _time(block, x, e, time.thread_time))
    for _ in range(tries):
        found["dense"] = min(found["dense"], _time(dense, x, e, time.perf_counter))
    return found


@lru_cache
def measured(rows: int, columns: int, samples: int) -> Costs:
    """Costs of blocks of this shape on this device; a fraction of a second, once."""
    core = random_core(rows, columns, MIDDLE)
    found = seconds(core, samples)
    return Costs(found["sparse"] / (max(core.struct, 1) * samples), found["dense"] / (rows * columns * samples))


def _time(block: SparseCore | DenseBlock, x: Array, e: Array, clock: Callable[[], float]) -> float:
    begun = clock()
    block.forward(x)
    block.gradient(x, e)
    return clock() - begun
