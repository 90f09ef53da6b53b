"""Terms: what cells weigh. The constant 1, a line as it is, hinges of a line, products of two lines.

Lines as they are make up a node's linear part; hinges bend it (identity plus sparse hinges), products are sigma-pi
synapses (Rumelhart, Hinton & McClelland 1986). Hinges and products count against a budget of their own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.networks.growing.core import BudgetError
from kernels.sparse import ABOVE, BELOW, CONSTANT, LINE, PRODUCT

Array = NDArray[Any]
NAMES = ("constant", "line", "hinge", "hinge", "product")
NOBODY = -1


def made_of(kind: int, a: Array, b: Array, knot: float) -> Array:
    """A term of this kind (B,), from its line a and, of a product, the other one, b."""
    found: Array = np.ones_like(a) if kind == CONSTANT else a
    if kind == PRODUCT:
        found = a * b
    elif kind in (ABOVE, BELOW):
        found = np.maximum(a - knot if kind == ABOVE else knot - a, 0)
    return found


class Terms:
    """`kinds` uint8, `left`, `right` int64 line numbers, `knots`, `owner` int64 node, all (F,). Term 0 is the constant,
    which all nodes share and nobody owns."""

    def __init__(self, limit: int, dtype: Any = np.float32) -> None:
        self.limit = limit
        self.kinds = np.array([CONSTANT], np.uint8)
        self.left, self.right = np.zeros(1, np.int64), np.zeros(1, np.int64)
        self.knots = np.zeros(1, dtype)
        self.owner = np.full(1, NOBODY)

    def __len__(self) -> int:
        return len(self.kinds)

    @property
    def struct(self) -> int:
        """Hinges and products, never above `limit`."""
        return int((self.kinds >= ABOVE).sum())

    def find(self, kind: int, left: int, right: int = 0, knot: float = 0.0) -> int:
        """The first such term, or -1."""
        same = (self.kinds == kind) & (self.left == left) & (self.right == right) & np.isclose(self.knots, knot)
        hits = np.flatnonzero(same)
        return int(hits[0]) if len(hits) else -1

    def add(self, kind: int, owner: int, left: int, right: int = 0, knot: float = 0.0) -> int:
        """The number of this term, new or not. A product's lines are sorted. Raises BudgetError."""
        if kind == CONSTANT:
            return 0
        if kind not in (LINE, ABOVE, BELOW, PRODUCT):
            raise ValueError(f"no kind of term {kind}")
        if kind == PRODUCT:
            left, right = min(left, right), max(left, right)
        found = self.find(kind, left, right, knot)
        if found >= 0:
            return found
        if kind >= ABOVE and self.struct >= self.limit:
            raise BudgetError(f"no room for another hinge or product: the budget is {self.limit}")
        for name, value in (("kinds", kind), ("left", left), ("right", right), ("knots", knot), ("owner", owner)):
            old = getattr(self, name)
            setattr(self, name, np.append(old, np.asarray(value, old.dtype)))
        return len(self) - 1

    def reads(self, line: int) -> NDArray[np.bool_]:
        """Terms that a line goes into, (F,)."""
        found: NDArray[np.bool_] = (self.kinds != CONSTANT) & (self.left == line)
        found |= (self.kinds == PRODUCT) & (self.right == line)
        return found

    def keep(self, terms: NDArray[np.int64]) -> None:
        """Forget all other terms; the constant must stay."""
        for name in ("kinds", "left", "right", "knots", "owner"):
            setattr(self, name, getattr(self, name)[terms])

    def lines_used(self) -> NDArray[np.int64]:
        """Lines that go into some term, sorted."""
        return np.unique(np.concatenate([self.left[self.kinds != CONSTANT], self.right[self.kinds == PRODUCT]]))

    def renumber(self, lines: NDArray[np.int64]) -> None:
        """Line k becomes lines[k]."""
        some, both = self.kinds != CONSTANT, self.kinds == PRODUCT
        self.left[some], self.right[both] = lines[self.left[some]], lines[self.right[both]]
