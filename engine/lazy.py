"""What the event-driven ticks remember between ticks: values sent, accumulated inputs, which layers are awake."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.linalg import transposed
from kernels import lazy

Array = NDArray[Any]


class LazyState:
    """What both chains remember; shapes as in `kernels.lazy`.

    Subclasses name their kernel, the weights it reads and the `memory` between ticks that it adds to.
    """

    def __init__(self, kernel: Callable[..., int], weights: list[Array], state: Array, inflow: Array) -> None:
        layers, samples, _, neurons = state.shape
        self._kernel = kernel
        self._weights = [form for stack in weights for form in (stack, transposed(stack))]
        self._state_shape, self._dtype = state.shape, state.dtype
        self._sent_in = np.zeros_like(inflow)
        self._scratch = np.zeros((5, neurons), self._dtype)
        self._which = np.zeros(neurons, np.int32)
        self._thresholds = np.zeros(3, self._dtype)
        self.hot = np.ones((layers, samples, 6), np.uint8)
        self.skipped = np.zeros((layers, samples, neurons), np.uint8)
        self.memory: list[Array] = []

    def _columns(self, count: int = 3) -> Array:
        layers, samples, _, neurons = self._state_shape
        return np.zeros((layers, samples, count, neurons), self._dtype)

    def set_thresholds(self, epsilon: float, push: float) -> None:
        """Epsilon for the free copy; for the displacements epsilon times the largest push, beta |f|."""
        self._thresholds[:] = epsilon, epsilon * push, epsilon * push

    def release(self) -> None:
        """The displacements have been set to zero: so is all that they had sent."""
        for array in self.memory:
            array[:, :, -2:] = 0

    def tick(
        self, drive: Array, inflow: Array, force: Array, sigma: float, states: list[Array], observed: tuple[Array, ...],
        columns: int, stirred: bool, pulled: bool,
    ) -> float:  # fmt: skip
        """Advance `states` in place; `observed` are velocity, flips and sums. The multiply-adds done."""
        inputs = (drive, inflow, force, sigma, self._thresholds)
        room = (self._scratch, self._which, self.hot, self.skipped)
        return float(
            self._kernel(
                *self._weights,
                *inputs,
                *states,
                *observed,
                self._sent_in,
                *self.memory,
                *room,
                columns,
                stirred,
                pulled,
            )
        )


class LazyRecursive(LazyState):
    """Memory of `kernels.lazy.recursive_tick`."""

    def __init__(self, weights: dict[str, Array], state: Array, inflow: Array) -> None:
        super().__init__(lazy.recursive_tick, [weights["R"], weights["W"]], state, inflow)
        sent_z, sent_s, own, up = (self._columns() for _ in range(4))
        sent_g, back_r, back_w, curved = (self._columns(2) for _ in range(4))
        self.memory = [sent_z, sent_s, sent_g, own, up, back_r, back_w, curved]


class LazyHopfield(LazyState):
    """Memory of `kernels.lazy.hopfield_tick`."""

    def __init__(self, weights: dict[str, Array], state: Array, inflow: Array) -> None:
        super().__init__(lazy.hopfield_tick, [weights["W"]], state, inflow)
        self.sent, self.up, down = (self._columns() for _ in range(3))
        self.memory = [self.sent, self.up, down]
