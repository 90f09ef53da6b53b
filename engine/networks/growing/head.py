"""The distribution head: from one predicted outcome to a distribution, where the data ask for it.

Cold, a head has no components and costs nothing: a prediction is a point, its spread the residuals' standard
deviation. It grows Gaussian components one at a time,

    p(y | x) = sum_c softmax_c(a_c phi(x)) prod_j N(y_j; b_j(x) + m_cj phi(x), exp(s_cj phi(x)))

with b(x) the point prediction and phi(x) a constant, the inputs and hinges max(x - knot, 0) of each input (a mixture
density network, Bishop 1994, of one sparse layer). A component is proposed where outcomes are ambiguous (two modes
among neighbours in state space, or a calibration error beyond sampling noise at PATIENCE checks in a row), and kept if
the negative log likelihood of outcomes that it was not fitted to improves by twice its standard error.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.networks.growing.ambiguity import LEAST_SPREAD, Ambiguity, ambiguity

Array = NDArray[np.float64]
KNOTS = 5
"""Hinges of each input."""
PATIENCE = 3
MISFIT = 0.01
"""p-value of the Kolmogorov-Smirnov test under which a check counts as miscalibrated."""
HELD_OUT = 0.25
"""Share of the outcomes, the newest, that components are judged by."""
STEPS = 250
"""Iterations of a fit."""
PIECE = 20
"""Iterations in one go, where a check is done in pieces."""
FLOOR = 1e-3
"""Least standard deviation of a component, in those of the residuals."""
MORE = 1.5
"""After a component that did not pay, the next is proposed with this many times the outcomes."""
LEAST = 200
"""Outcomes without which nothing is decided."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What a check has found, and done."""

    why: str
    """Evidence for a component: "two modes", "calibration", or empty."""
    ambiguity: Ambiguity
    p_value: float
    """Of the calibration test, on held-out outcomes."""
    gain: float
    """By how much the component improved the held-out negative log likelihood, nats per outcome."""
    error: float
    """Standard error of that."""
    grew: bool


@dataclass(frozen=True, slots=True)
class _Basis:
    centre: Array
    spread: Array
    knots: Array
    """(KNOTS, m)."""

    def __call__(self, inputs: Array) -> Array:
        """phi (N, F)."""
        x = (inputs - self.centre) / self.spread
        hinges = np.maximum(x[:, None] - self.knots, 0).reshape(len(x), -1)
        return np.concatenate([np.ones((len(x), 1)), x, hinges], 1)


class DistributionHead:
    """Of outcomes of d numbers; at most `limit` components."""

    def __init__(self, outcomes: int, *, limit: int = 6) -> None:
        self.limit = limit
        self._d = outcomes
        self._theta = np.zeros((0, 1 + 2 * outcomes, 1))
        self._basis: _Basis | None = None
        self._scale = np.ones(outcomes)
        self._misfits = 0
        self._again = 0

    @property
    def components(self) -> int:
        """0 is Cold."""
        return len(self._theta)

    def check(self, inputs: Array, predicted: Array, outcomes: Array) -> Decision:
        """Look at outcomes (N, d), what was predicted (N, d) and from what (N, m), oldest first; grow by one at most.

        Existing components are fitted anew first, without those held out; with them once it stays at that number.
        """
        pieces = self.checking(inputs, predicted, outcomes, len(inputs), piece=STEPS)
        while True:
            try:
                next(pieces)
            except StopIteration as done:
                found: Decision = done.value
                return found

    def checking(
        self, inputs: Array, predicted: Array, outcomes: Array, heard: int, *, piece: int = PIECE
    ) -> Generator[None, None, Decision]:
        """The same check, in pieces of `piece` iterations. `heard`: outcomes there were so far, not only these."""
        residuals = outcomes - predicted
        first = int(len(inputs) * (1 - HELD_OUT))
        fit, held = slice(0, first), slice(first, None)
        if len(inputs) < LEAST:
            return Decision("", Ambiguity(0.0, 0.0, False), 1.0, 0.0, 0.0, False)
        if self.components == 0:
            self._scale = np.maximum(np.sqrt(np.square(residuals[fit]).mean(0)), 1e-12)
            self._basis = _basis(inputs[fit])
        else:
            self._theta = yield from self._fitted(self._theta, inputs[fit], residuals[fit], piece)
        seen = ambiguity(inputs, residuals, np.maximum(outcomes.std(0), 1e-12))
        p_value = min(_uniform(level) for level in self.levels(inputs[held], predicted[held], outcomes[held]).T)
        self._misfits = self._misfits + 1 if p_value < MISFIT and seen.spread > LEAST_SPREAD else 0
        why = "calibration" if self._misfits >= PATIENCE else ""
        if seen.beyond_chance:
            why = "two modes"
        if not why or self.components >= self.limit or heard < self._again:
            yield from self._settle(inputs, residuals, piece)
            return Decision(why, seen, p_value, 0.0, 0.0, False)
        yield
        before = self.log_density(inputs[held], predicted[held], outcomes[held])
        kept = self._theta
        self._theta = yield from self._grown(inputs[fit], residuals[fit], piece)
        gains = self.log_density(inputs[held], predicted[held], outcomes[held]) - before
        gain, error = float(gains.mean()), float(gains.std() / np.sqrt(len(gains)))
        grew = gain > 2 * error
        if not grew:
            self._theta, self._again = kept, int(MORE * heard)
            yield from self._settle(inputs, residuals, piece)
        return Decision(why, seen, p_value, gain, error, grew)

    def _settle(self, inputs: Array, residuals: Array, piece: int) -> Generator[None]:
        """Fit to all outcomes, once nothing has to be held out any more."""
        if self.components == 0:
            self._scale = np.maximum(np.sqrt(np.square(residuals).mean(0)), 1e-12)
        else:
            self._theta = yield from self._fitted(self._theta, inputs, residuals, piece)

    def log_density(self, inputs: Array, predicted: Array, outcomes: Array) -> Array:
        """log p(outcome | input), (N,)."""
        share, mean, deviation = self._parts(inputs)
        z = ((outcomes - predicted)[:, None] - mean) / deviation
        each = np.log(share) - (0.5 * z**2 + np.log(deviation) + 0.5 * np.log(2 * np.pi)).sum(2)
        return _log_sum(each)

    def log_densities(self, inputs: Array, predicted: Array, outcomes: Array) -> Array:
        """log p(number | input) of each number of the outcome by itself, (N, d)."""
        share, mean, deviation = self._parts(inputs)
        z = ((outcomes - predicted)[:, None] - mean) / deviation
        each = np.log(share)[:, :, None] - 0.5 * z**2 - np.log(deviation) - 0.5 * np.log(2 * np.pi)
        return _log_sum(each.transpose(0, 2, 1))

    def levels(self, inputs: Array, predicted: Array, outcomes: Array) -> Array:
        """P(number <= what came | input) of each number of the outcome by itself, (N, d)."""
        from scipy.special import ndtr

        share, mean, deviation = self._parts(inputs)
        below = ndtr(((outcomes - predicted)[:, None] - mean) / deviation)
        found: Array = (share[:, :, None] * below).sum(1)
        return found

    def mean(self, inputs: Array, predicted: Array) -> Array:
        """The expected outcome, (N, d)."""
        share, mean, _ = self._parts(inputs)
        found: Array = predicted + (share[:, :, None] * mean).sum(1)
        return found

    def draw(self, inputs: Array, predicted: Array, rng: np.random.Generator) -> Array:
        """One outcome for each input, (N, d); no draw knows of another."""
        share, mean, deviation = self._parts(inputs)
        chosen = (share.cumsum(1) < rng.random((len(inputs), 1))).sum(1).clip(max=share.shape[1] - 1)
        rows = np.arange(len(inputs))
        normal = rng.standard_normal((len(inputs), self._d))
        found: Array = predicted + mean[rows, chosen] + deviation[rows, chosen] * normal
        return found

    def _parts(self, inputs: Array) -> tuple[Array, Array, Array]:
        """Shares (N, C), means (N, C, d) beside the point prediction, and deviations (N, C, d)."""
        if self.components == 0 or self._basis is None:
            shape = (len(inputs), 1, self._d)
            return np.ones(shape[:2]), np.zeros(shape), np.broadcast_to(self._scale, shape)
        share, mean, deviation = _mixture(self._theta, self._basis(inputs))
        return share, mean * self._scale, deviation * self._scale

    def _grown(self, inputs: Array, residuals: Array, piece: int) -> Generator[None, None, Array]:
        """With one component more: each in turn is split in two along its deviation, and the best fit is taken."""
        assert self._basis is not None
        if self.components == 0:
            start = np.zeros((1, 1 + 2 * self._d, 1 + 6 * inputs.shape[1]))
            return (yield from self._fitted(start, inputs, residuals, piece))
        fits = []
        for parent in range(self.components):
            for j in range(self._d):
                child = self._theta.copy()[[parent]]
                start = np.concatenate([self._theta, child])
                step = np.exp(np.clip(child[0, 1 + self._d + j, 0], -3, 1))
                start[parent, 1 + j, 0] -= step
                start[-1, 1 + j, 0] += step
                start[[parent, -1], 0, 0] -= np.log(2)
                theta = yield from self._fitted(start, inputs, residuals, piece)
                fits.append((_loss(theta, self._basis(inputs), residuals / self._scale)[0], theta))
        return min(fits, key=lambda fit: fit[0])[1]

    def _fitted(
        self, theta: Array, inputs: Array, residuals: Array, piece: int
    ) -> Generator[None, None, Array]:  # fmt: skip
        """Parameters (C, 1 + 2 d, F) of the largest likelihood near by."""
        from scipy.optimize import minimize

        assert self._basis is not None
        phi, y = self._basis(inputs), residuals / self._scale

        def loss(flat: Array) -> tuple[float, Array]:
            value, gradient = _loss(flat.reshape(theta.shape), phi, y)
            return value, gradient.reshape(-1)

        found = theta.reshape(-1)
        for _ in range(STEPS // piece):
            done = minimize(loss, found, jac=True, method="L-BFGS-B", options={"maxiter": piece, "ftol": 1e-7})
            found = np.asarray(done.x, np.float64)
            if done.success:
                break
            yield
        return found.reshape(theta.shape)


def _basis(inputs: Array) -> _Basis:
    centre, spread = inputs.mean(0), inputs.std(0)
    spread = np.where(spread > 0, spread, 1.0)
    knots = np.quantile((inputs - centre) / spread, np.linspace(0, 1, KNOTS + 2)[1:-1], axis=0)
    return _Basis(centre, spread, knots)


def _mixture(theta: Array, phi: Array) -> tuple[Array, Array, Array]:
    """Shares (N, C), means (N, C, d) and deviations (N, C, d)."""
    d = (theta.shape[1] - 1) // 2
    out = (phi @ theta.reshape(-1, phi.shape[1]).T).reshape(len(phi), *theta.shape[:2])
    logits = out[:, :, 0]
    share = np.exp(logits - _log_sum(logits)[:, None])
    return np.maximum(share, 1e-12), out[:, :, 1 : 1 + d], np.exp(np.clip(out[:, :, 1 + d :], np.log(FLOOR), 3))


def _loss(theta: Array, phi: Array, y: Array) -> tuple[float, Array]:
    """Negative log likelihood per outcome of y (N, d), and its gradient."""
    d = y.shape[1]
    share, mean, deviation = _mixture(theta, phi)
    z = (y[:, None] - mean) / deviation
    each = np.log(share) - (0.5 * z**2 + np.log(deviation) + 0.5 * np.log(2 * np.pi)).sum(2)
    total = _log_sum(each)
    blame = np.exp(each - total[:, None])
    inside = (deviation > FLOOR * 1.0000001) & (deviation < np.exp(3) * 0.9999999)
    back = np.empty((len(y), len(theta), 1 + 2 * d))
    back[:, :, 0] = share - blame
    back[:, :, 1 : 1 + d] = -blame[:, :, None] * z / deviation
    back[:, :, 1 + d :] = -blame[:, :, None] * (z**2 - 1) * inside
    return -float(total.mean()), (back.reshape(len(y), -1).T @ phi).reshape(theta.shape) / len(y)


def _log_sum(logs: Array) -> Array:
    """log sum exp over the last axis."""
    top = logs.max(-1, keepdims=True)
    found: Array = top[..., 0] + np.log(np.exp(logs - top).sum(-1))
    return found


def _uniform(levels: Array) -> float:
    from engine.dynamics.scores import calibration

    return calibration(levels)
