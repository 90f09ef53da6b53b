"""PySINDy: sparse regression of derivatives on polynomials (Brunton, Proctor & Kutz 2016; de Silva et al. 2020)."""

from __future__ import annotations

import warnings
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.grow_bench.problem import PAST, Problem

Array = NDArray[np.float64]
QUADRATIC, LINEAR = 45, 100
"""Most numbers of a state with polynomials of degree 2, and of degree 1."""
SUBSTEPS = 4
"""Runge-Kutta steps in a tick."""


def has_pysindy() -> bool:
    """Whether PySINDy is installed."""
    return find_spec("pysindy") is not None


class Equations:
    """Equations found in the training part. `degree` of the polynomials, `threshold` under which a term goes."""

    def __init__(self, problem: Problem, *, degree: int, threshold: float) -> None:
        import pysindy

        stream = problem.stream
        self._shape, self._dt = (stream.nodes, stream.features), stream.dt
        flat = problem.training.reshape(len(problem.training), -1)
        noisy = not np.array_equal(stream.states, stream.clean)
        difference = pysindy.SmoothedFiniteDifference if noisy else pysindy.FiniteDifference
        self._model: Any = pysindy.SINDy(
            optimizer=pysindy.STLSQ(threshold=threshold),
            feature_library=pysindy.PolynomialLibrary(degree=degree),
            differentiation_method=difference() if noisy else difference(order=4),
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._model.fit(flat, t=stream.dt)
        self._coefficients = np.asarray(self._model.coefficients(), np.float64)
        library = self._model.feature_library
        self._powers = np.asarray(library.powers_, np.int64)
        self.weights = self.tokens = int((self._coefficients != 0).sum())

    def one_step(self, states: Array) -> Array:
        """See `Model`."""
        flat = states[PAST - 1 :].reshape(-1, int(np.prod(self._shape)))
        return self._tick(flat).reshape(-1, *self._shape)

    def roll_out(self, past: Array, steps: int) -> Array:
        """See `Model`."""
        now = past[:, -1].reshape(len(past), -1)
        ahead = np.empty((len(past), steps, now.shape[1]))
        for step in range(steps):
            ahead[:, step] = now = np.clip(self._tick(now), -1e9, 1e9)
        return ahead.reshape(len(past), steps, *self._shape)

    def adjacency(self) -> NDArray[np.bool_]:
        """Nodes in the terms that are left."""
        nodes, d = self._shape
        reads = ((self._coefficients != 0).astype(float) @ (self._powers > 0)) > 0
        found: NDArray[np.bool_] = reads.reshape(nodes, d, nodes, d).any((1, 3))
        return found

    def _tick(self, now: Array) -> Array:
        h = self._dt / SUBSTEPS
        with np.errstate(over="ignore", invalid="ignore"):
            for _ in range(SUBSTEPS):
                k1 = self._rate(now)
                k2 = self._rate(now + h / 2 * k1)
                k3 = self._rate(now + h / 2 * k2)
                k4 = self._rate(now + h * k3)
                now = np.nan_to_num(now + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4), posinf=1e9, neginf=-1e9)
        return now

    def _rate(self, now: Array) -> Array:
        """Derivatives (B, S): polynomials of degree one or two are products of at most two numbers."""
        padded = np.concatenate([np.ones((len(now), 1)), now], 1)
        left, right = _pairs(self._powers)
        found: Array = (padded[:, left] * padded[:, right]) @ self._coefficients.T
        return found


def _pairs(powers: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The two factors of each term: 0 is the constant, k + 1 number k."""
    factors = [[k + 1 for k, power in enumerate(row) for _ in range(power)] for row in powers]
    padded = np.array([[0] * (2 - len(found)) + found for found in factors])
    return padded[:, 0], padded[:, 1]
