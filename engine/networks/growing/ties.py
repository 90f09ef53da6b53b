"""Ties: cells of like places in like stencils that share one weight, value = centre + residual.

A centre learns from the gradients of all its cells together, by an Adam of its own: N nodes give it N times the data. A
cell's residual takes what its own step has beyond the centre's, behind a soft threshold (the proximal step of the
penalty |residual|), so that only a gradient that keeps its direction moves one, and most are 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.networks.growing.places import find

Array = NDArray[Any]
Integers = NDArray[np.int64]
SPARSE = 0.7
"""Threshold of a residual, in steps of its own."""


class Ties:
    """Centres of groups of weights: `at` (m,) are the weights, `group` (m,) the tie of each. Of `count` ties, `value`
    is in shared units, `mean`, `square` and `age` are Adam's."""

    def __init__(self) -> None:
        self.at, self.group, self._codes = (np.empty(0, np.int64) for _ in range(3))
        self.value, self.mean, self.square, self.age = (np.empty(0) for _ in range(4))

    @property
    def count(self) -> int:
        """How many ties there are."""
        return len(self.value)

    @property
    def sizes(self) -> Integers:
        """Cells of each."""
        return np.bincount(self.group, minlength=self.count)

    def arrange(self, at: Integers, codes: Integers, ties: Integers, values: Array) -> None:
        """Tie those of these weights (m,) together that have one number in `ties`. `codes` name them for good, `values`
        are what they have. Centres that they had are kept, but what most of a tie was shifted by is its centre's."""
        _, group = np.unique(ties, return_inverse=True)
        group, count = group.reshape(-1), int(group.max(initial=-1)) + 1
        members = np.maximum(np.bincount(group, minlength=count), 1)
        old = find(self._codes, codes)
        known = old >= 0
        heirs = np.bincount(group[known], minlength=count)
        fresh = {"value": np.bincount(group, values, count) / members}
        for name in ("value", "mean", "square", "age"):
            past = getattr(self, name)[self.group[old[known]]]
            kept = np.bincount(group[known], past, count) / np.maximum(heirs, 1)
            setattr(self, name, np.where(heirs > 0, kept, fresh.get(name, 0.0)))
        self.at, self.group, self._codes = at, group, codes
        self.value = self.value + _medians(values - self.value[group], group, count)

    def step(self, values: Array, gradient: Array, scale: Array, rate: float) -> Array:
        """New values (m,) of the tied weights, from those after steps of their own; `gradient` (m,) in shared units, of
        which a weight's own unit makes `scale` (m,)."""
        members = np.maximum(self.sizes, 1)
        total = np.bincount(self.group, gradient, self.count)
        self.age += 1
        self.mean += 0.1 * (total - self.mean)
        self.square += 0.001 * (total**2 - self.square)
        size = rate * np.bincount(self.group, scale, self.count) / members
        move = self.mean / (1 - 0.9**self.age) / (np.sqrt(self.square / (1 - 0.999**self.age)) + 1e-12)
        residual = values - self.value[self.group]
        self.value = self.value - size * move
        residual = residual + (size * move)[self.group]
        left = np.maximum(np.abs(residual) - SPARSE * rate * scale, 0)
        return self.value[self.group] + np.copysign(left, residual)


def _medians(values: Array, group: Integers, count: int) -> Array:
    """Lower median of each group, (count,)."""
    order = np.lexsort((values, group))
    first = np.searchsorted(group[order], np.arange(count))
    found: Array = values[order[first + (np.bincount(group, minlength=count) - 1) // 2]]
    return found
