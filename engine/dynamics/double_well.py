"""A particle that is shaken in a potential with two wells: two outcomes for one state.

    dx = (x - x^3) dt + sigma dW

Its transition density solves the Fokker-Planck equation: on a grid that is a jump process between neighbouring cells
whose rates obey detailed balance (Scharfetter & Gummel 1969), and its matrix exponential gives the density exactly in
time. States are drawn from that density.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.dynamics.stream import Stream, StreamError, Truth, observed

Array = NDArray[np.float64]
EDGE = 3.0
"""The grid goes from -EDGE to EDGE."""
CELLS = 601


@dataclass(frozen=True, slots=True)
class GridDensity:
    """p(x' | x) on a grid: `mass` (cells, cells), rows sum to 1, [now, later]."""

    centres: Array
    mass: Array
    cumulated: Array
    """(cells, cells + 1): P(x' <= right edge of the cell before | x)."""

    def log_density(self, now: Array, later: Array) -> Array:
        """log p(later | now), both (N,); linear between the cells' centres."""
        width = self.centres[1] - self.centres[0]
        (left, share), (place, beyond) = self._between(now), self._between(later)
        rows = [(1 - beyond) * self.mass[left + i, place] + beyond * self.mass[left + i, place + 1] for i in (0, 1)]
        density: Array = ((1 - share) * rows[0] + share * rows[1]) / width
        return np.log(np.maximum(density, 1e-300))

    def distribution(self, now: Array, later: Array) -> Array:
        """P(x' <= later | now), both (N,)."""
        width = self.centres[1] - self.centres[0]
        left, share = self._between(now)
        at = np.clip((later - (self.centres[0] - width / 2)) / width, 0, len(self.centres) - 1e-9)
        cell = at.astype(int)
        rows = [self.cumulated[left + i, cell] + (at - cell) * self.mass[left + i, cell] for i in (0, 1)]
        below: Array = (1 - share) * rows[0] + share * rows[1]
        return below

    def draw(self, now: float, uniform: float) -> float:
        """The state at which the distribution reaches `uniform`."""
        width = self.centres[1] - self.centres[0]
        left, share = self._between(np.array([now]))
        steps = (1 - share) * self.cumulated[left[0]] + share * self.cumulated[left[0] + 1]
        return float(np.interp(uniform, steps, self.centres[0] - width / 2 + width * np.arange(len(steps))))

    def _between(self, x: Array) -> tuple[NDArray[np.int64], Array]:
        """The cell whose centre lies to the left, and the share of the next."""
        width = self.centres[1] - self.centres[0]
        at = np.clip((x - self.centres[0]) / width, 0, len(self.centres) - 1.000001)
        cell = at.astype(np.int64)
        return cell, at - cell


def transition(dt: float, sigma: float) -> GridDensity:
    """Of the double well, one tick of `dt` later."""
    from scipy.linalg import expm

    centres = np.linspace(-EDGE, EDGE, CELLS)
    width, diffusion = centres[1] - centres[0], sigma**2 / 2
    between = (centres[1:] + centres[:-1]) / 2
    drop = (between - between**3) * width / diffusion
    up, down = (diffusion / width**2 * _bernoulli(-sign * drop) for sign in (1, -1))
    generator = np.diag(up, 1) + np.diag(down, -1)
    generator -= np.diag(generator.sum(1))
    mass = np.maximum(expm(generator * dt), 0)
    mass /= mass.sum(1, keepdims=True)
    return GridDensity(centres, mass, np.pad(np.cumsum(mass, 1), ((0, 0), (1, 0))))


def _bernoulli(x: Array) -> Array:
    """x / (e^x - 1), and 1 at 0."""
    return np.where(np.abs(x) < 1e-12, 1.0, x / np.where(np.abs(x) < 1e-12, 1.0, np.expm1(x)))


def double_well(*, steps: int = 6000, dt: float = 2.0, noise: float = 0.0, seed: int = 0, sigma: float = 0.6) -> Stream:
    """One node of one number. Raises StreamError for a sigma that the grid cannot hold.

    A tick is long enough for a particle at the top to have fallen into either well.
    """
    if not 0.2 <= sigma <= 1.5:
        raise StreamError(f"doublewell: sigma is {sigma:g}, expected 0.2 to 1.5")
    density = transition(dt, sigma)
    rng = np.random.default_rng(seed)
    clean = np.empty(steps)
    x = 1.0
    for tick, uniform in enumerate(rng.random(steps)):
        clean[tick] = x = density.draw(x, uniform)

    def rate(_time: float, state: Array) -> Array:
        return state - state**3

    truth = Truth(rate, np.ones((1, 1), bool), density=density, equations=("dx = (x - x^3) dt + sigma dW",),
                  written=(f"x - x^3 + {sigma:.4g} dW/dt",))  # fmt: skip
    return observed("doublewell", clean[:, None, None], dt, noise=noise, seed=seed, truth=truth, names=("x",))
