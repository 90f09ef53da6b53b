"""The program's own CPU ticks as contestants: Numba with float32 weights, and with weights stored in half precision."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from engine.bench.problem import SIGMA, Array, Problem
from engine.networks.hopfield_chain import HopfieldChain
from engine.networks.recursive_chain import RecursiveChain
from kernels import SUMS, half
from kernels.backends import load_backend

_SCRATCH = {"recursive": RecursiveChain.scratch_rows, "hopfield": HopfieldChain.scratch_rows}


class NumbaTick:
    """One tick of a problem, over and over, by the backend that the program itself uses on a CPU.

    `matrices` are the problem's own, or the same stored in half precision.
    """

    burst = 1

    def __init__(self, problem: Problem, matrices: list[Array]) -> None:
        shape = problem.shape
        L, N, B = shape.layers, shape.neurons, shape.batch
        self.matrices = matrices
        self.note = ""
        """How many threads the tick has chosen."""
        self._columns = shape.columns
        self._now = [state.copy() for state in problem.states]
        self._then = [state.copy() for state in problem.states]
        self._fed = problem.drive, problem.inflow, problem.force
        self._observed: tuple[Array, ...] = (
            np.zeros((L, B, N), np.float32),
            np.zeros((L, B, N), np.uint8),
            np.zeros((L, B, SUMS)),
            np.zeros((L, B, _SCRATCH[shape.network], N), np.float32),
        )
        backend = load_backend("numba")
        recursive = shape.network == "recursive"
        self._advance = backend.recursive_tick if recursive else backend.hopfield_tick
        self._knobs: tuple[float, ...] = (SIGMA,) if recursive else (SIGMA, 1.0)

    def prepare(self) -> None:
        """The tick chooses its number of threads by itself."""

    def tick(self) -> None:
        """Advance once."""
        arguments: tuple[Any, ...] = (*self.matrices, *self._fed, *self._knobs, *self._now, *self._then)
        self._advance(*arguments, *self._observed, self._columns)
        self._now, self._then = self._then, self._now

    def first(self) -> int:
        """Advance as little as possible; the number of ticks."""
        self.tick()
        threads = numba.get_num_threads()
        self.note = f"{threads} thread{'s' if threads > 1 else ''}"
        return 1

    def states(self) -> list[Array]:
        """Where the states are now, each (L, B, columns, N)."""
        return [state[:, :, : self._columns] for state in self._now]


def half_matrices(matrices: list[Array]) -> list[Array]:
    """Couplings as `kernels.half` stores them."""
    return [half.stored(matrix) for matrix in matrices]
