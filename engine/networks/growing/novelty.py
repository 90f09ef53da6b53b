"""The novelty signal of a module: does its trouble leave what is usual, and what kind of trouble is it?

At every tick a module has residuals r (n, d), one row a sample, and the gradient of its squared error in its weights,
g_i = r_i x_i^T of its inputs x (n, m). Moving averages (EMA) make up the signature

    log10 residual energy           E |r_i|^2
    log10 gradient energy           E |g_i|^2
    coherence of the residuals      |E r_i|^2 / E |r_i|^2     1: all samples are wrong in the same way
    coherence of the gradients      |E g_i|^2 / E |g_i|^2     1: one step would mend all; the rest is variance
    concentration                   (E |r_i|^2)^2 / E |r_i|^4   1: all are equally wrong, 1 / n: a single one is

Novelty is how many standard deviations the residual energy (its logarithm) lies above what is usual in quiet times.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
FAST, SLOW = 0.9, 0.998
"""What remains after a tick of a signature's and of the usual moving averages."""
ENTER, LEAVE = 6.0, 3.0
"""Novelty at which trouble begins, and under which it is over."""
SETTLE = 100
"""Ticks that it takes to know what is usual."""
WEIGHTS = np.array([0.25, 0.25, 1.0, 1.0, 1.0])
"""Of the signature's parts in a distance: a factor of ten counts as much as a quarter of full coherence."""


class Novelty:
    """Watches one module."""

    def __init__(self) -> None:
        self.troubled = False
        self.level = 0.0
        """Standard deviations above the usual."""
        self.ticks = 0
        """In the present state, troubled or quiet."""
        self._seen = 0
        self._usual, self._spread = 0.0, 1.0
        self._moments: Array | None = None
        self._means: tuple[Array, Array] | None = None

    def observe(self, residuals: Array, inputs: Array) -> None:
        """One tick: residuals (n, d) and inputs (n, m)."""
        gradients = residuals[:, :, None] * inputs[:, None]
        energy = np.square(residuals).sum(1)
        moments = np.array([energy.mean(), np.square(gradients).sum((1, 2)).mean(), np.square(energy).mean()])
        means = residuals.mean(0), gradients.mean(0)
        if self._moments is None or self._means is None:
            self._moments, self._means = moments, means
        self._moments = FAST * self._moments + (1 - FAST) * moments
        self._means = (
            FAST * self._means[0] + (1 - FAST) * means[0],
            FAST * self._means[1] + (1 - FAST) * means[1],
        )
        self._judge(float(np.log10(self._moments[0] + 1e-300)))

    def _judge(self, now: float) -> None:
        self._seen += 1
        self.level = (now - self._usual) / max(np.sqrt(self._spread), 0.02) if self._seen > SETTLE else 0.0
        before = self.troubled
        self.troubled = self.level > (LEAVE if before else ENTER)
        self.ticks = self.ticks + 1 if self.troubled == before else 1
        if not self.troubled and self.level <= LEAVE:
            share = max(1 - SLOW, 1 / self._seen)
            off = now - self._usual
            self._usual += share * off
            self._spread = (1 - share) * (self._spread + share * off**2)

    @property
    def signature(self) -> Array:
        """(5,), see above; zeros before the first tick."""
        if self._moments is None or self._means is None:
            return np.zeros(len(WEIGHTS))
        residual, gradient, fourth = np.maximum(self._moments, 1e-300)
        alike = [
            float(np.square(mean).sum()) / total for mean, total in zip(self._means, (residual, gradient), strict=True)
        ]
        logs = np.log10([residual, gradient])
        return np.array([*logs, *alike, residual**2 / fourth])


def distance(one: Array, other: Array) -> float:
    """Of two signatures."""
    return float(np.linalg.norm(WEIGHTS * (one - other)))
