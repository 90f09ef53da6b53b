"""The novelty signal of a module: does its trouble leave what is usual, and what kind of trouble is it?

At every tick a module has residuals r (n, d), one row a sample, and the gradient of its squared error in its weights,
g_i = r_i x_i^T of its inputs x (n, m). Moving averages (EMA) make up the signature

    log10 residual energy           E |r_i|^2
    log10 gradient energy           E |g_i|^2
    coherence of the residuals      |E r_i|^2 / E |r_i|^2     1: all samples are wrong in the same way
    coherence of the gradients      |E g_i|^2 / E |g_i|^2     1: one step would mend all; the rest is variance
    concentration                   (E |r_i|^2)^2 / E |r_i|^4   1: all are equally wrong, 1 / n: a single one is

Novelty is how many standard deviations the residual energy (its logarithm) lies above what is usual in quiet times. Of
a module that still learns the energy is measured in that of its errors on what it remembers, which falls as it learns.
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
    """Watches modules that go through the same trouble, if there is one: each by itself, and all by their upper
    quartile, so that a trouble is what a quarter of them has."""

    def __init__(self, modules: int = 1) -> None:
        self.troubled = False
        self.level = 0.0
        """Standard deviations of the quartile above the usual."""
        self.ticks = 0
        """In the present state, troubled or quiet."""
        self.levels = np.zeros(modules)
        """Of each by itself."""
        self._seen = 0
        self._usual, self._spread = np.zeros(modules + 1), np.ones(modules + 1)
        self._lately = np.zeros(modules)
        self._moments: Array | None = None
        self._means: tuple[Array, Array] | None = None

    def observe(self, residuals: Array, inputs: Array, expected: Array | float = 1.0) -> None:
        """One tick: residuals (n, d) and inputs (n, m), as many of the n samples for each module, in their order.

        `expected` (modules,): energy that a module which still learns leaves of what it remembers.
        """
        r, x = (a.reshape(len(self.levels), -1, a.shape[-1]) for a in (residuals, inputs))
        energy = np.square(r).sum(2)
        steep = energy * np.square(x).sum(2)
        moments = np.stack([energy.mean(1), steep.mean(1), np.square(energy).mean(1)])
        means = r.mean(1), np.matmul(r.transpose(0, 2, 1), x) / r.shape[1]
        lately = moments[0] / expected
        if self._moments is None or self._means is None:
            self._moments, self._means, self._lately = moments, means, lately
        self._moments = FAST * self._moments + (1 - FAST) * moments
        self._means = (
            FAST * self._means[0] + (1 - FAST) * means[0],
            FAST * self._means[1] + (1 - FAST) * means[1],
        )
        self._lately = FAST * self._lately + (1 - FAST) * lately
        each = np.log10(self._lately + 1e-300)
        self._judge(np.append(each, np.quantile(each, 0.75)))

    def _judge(self, now: Array) -> None:
        self._seen += 1
        levels = (now - self._usual) / np.maximum(np.sqrt(self._spread), 0.02)
        if self._seen <= SETTLE:
            levels[:] = 0.0
        self.levels, self.level = levels[:-1], float(levels[-1])
        before = self.troubled
        self.troubled = self.level > (LEAVE if before else ENTER)
        self.ticks = self.ticks + 1 if self.troubled == before else 1
        share = np.where((levels <= LEAVE) & (not self.troubled), max(1 - SLOW, 1 / self._seen), 0.0)
        off = now - self._usual
        self._usual = self._usual + share * off
        self._spread = (1 - share) * (self._spread + share * off**2)

    def signature(self, modules: NDArray[np.bool_] | None = None) -> Array:
        """(5,), see above, over the samples of these modules, or all; zeros before the first tick."""
        if self._moments is None or self._means is None:
            return np.zeros(len(WEIGHTS))
        chosen = np.ones(len(self.levels), bool) if modules is None else modules
        residual, gradient, fourth = np.maximum(self._moments[:, chosen].mean(1), 1e-300)
        alike = [
            float(np.square(mean[chosen].mean(0)).sum()) / total
            for mean, total in zip(self._means, (residual, gradient), strict=True)
        ]
        logs = np.log10([residual, gradient])
        return np.array([*logs, *alike, residual**2 / fourth])


def distance(one: Array, other: Array) -> float:
    """Of two signatures."""
    return float(np.linalg.norm(WEIGHTS * (one - other)))
