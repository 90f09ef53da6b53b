"""What is timed: one network in mid-flight, the same arrays for every contestant, and its next tick in float64."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels import SUMS, reference

Array = NDArray[Any]
SIGMA = 0.9
BETA = 0.1


@dataclass(frozen=True, slots=True)
class Shape:
    """L layers, N neurons, B samples; `columns` 1 ticks the free copy only, 3 the two nudged copies with it."""

    network: str
    layers: int
    neurons: int
    batch: int = 1
    columns: int = 1

    @property
    def weights(self) -> int:
        """Number of weights in the couplings."""
        return (2 if self.network == "recursive" else 1) * self.layers * self.neurons**2


class Problem:
    """Random float32 arrays of a shape, in the layouts of `kernels`.

    Weights are Gaussian with spectral norm near 1, states of the order that a settling chain has. `matrices` holds R
    and W, or W alone; `states` z and s, or s alone, (L, B, 3, N). Couplings can be shared between shapes that differ
    in batch and columns only.
    """

    def __init__(self, shape: Shape, matrices: list[Array] | None = None) -> None:
        self.shape = shape
        self._expected: dict[int, list[Array]] = {}
        self._judged = sorted({0, shape.batch - 1})
        """Of a batch, the first sample and the last: a float64 tick of all would take long."""
        L, N, B = shape.layers, shape.neurons, shape.batch
        rng = np.random.default_rng((L, N, B, shape.columns))
        self.matrices = matrices or random_matrices(shape)

        def normal(*size: int, scale: float = 1.0) -> Array:
            return rng.standard_normal(size, np.float32) * np.float32(scale)

        self.drive = normal(L, B, N, scale=0.1)
        self.inflow = normal(B, N, scale=0.5)
        self.force = normal(B, N, scale=0.3 * BETA)
        state = np.stack([np.tanh(normal(L, B, N)), normal(L, B, N, scale=BETA), normal(L, B, N, scale=BETA)], 2)
        self.states = [state, state.copy()] if shape.network == "recursive" else [state]

    def expected(self, ticks: int = 1) -> list[Array]:
        """The judged samples' states after some ticks of the float64 reference, each (L, B, 3, N)."""
        if ticks not in self._expected:
            self._expected[ticks] = self._reference(ticks)
        return self._expected[ticks]

    def _reference(self, ticks: int) -> list[Array]:
        L, N, B = self.shape.layers, self.shape.neurons, len(self._judged)
        states = [state[:, self._judged].astype(np.float64) for state in self.states]
        after = [state.copy() for state in states]
        observed = np.zeros((L, B, N)), np.zeros((L, B, N), np.uint8), np.zeros((L, B, SUMS))
        products = np.zeros((L, B, 16, N))
        matrices = [matrix.astype(np.float64) for matrix in self.matrices]
        fed = [
            self.drive[:, self._judged].astype(np.float64),
            self.inflow[self._judged].astype(np.float64),
            self.force[self._judged].astype(np.float64),
        ]
        recursive = self.shape.network == "recursive"
        tick: Callable[..., None] = reference.recursive_tick if recursive else reference.hopfield_tick
        knobs = (SIGMA,) if recursive else (SIGMA, 1.0)
        for _ in range(ticks):
            tick(*matrices, *fed, *knobs, *states, *after, *observed, products, self.shape.columns)
            states, after = after, states
        return states

    def error(self, got: list[Array], ticks: int = 1) -> float:
        """Largest deviation from `expected`, relative to the largest magnitude of the same array and column.

        States and displacements are judged apart, so that small displacements cannot hide behind large states; of a
        batch the first and the last sample are. Raises RuntimeError for NaN or infinity.
        """
        worst = 0.0
        for state, wanted in zip(got, self.expected(ticks), strict=True):
            if not np.isfinite(state).all():
                raise RuntimeError(f"a tick of {self.shape} gave NaN or infinity")
            for column in range(self.shape.columns):
                right = wanted[:, :, column]
                wrong = np.abs(state[:, self._judged, column] - right)
                worst = max(worst, float(wrong.max()) / float(np.abs(right).max()))
        return worst


def random_matrices(shape: Shape) -> list[Array]:
    """Couplings of a shape, each (L, N, N) float32."""
    rng = np.random.default_rng((shape.layers, shape.neurons))
    scale = np.float32(0.5 / np.sqrt(shape.neurons))
    size = (shape.layers, shape.neurons, shape.neurons)
    count = 2 if shape.network == "recursive" else 1
    return [rng.standard_normal(size, np.float32) * scale for _ in range(count)]
