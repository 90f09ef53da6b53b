"""Outcome memory: what came of like states, curated into distributions, and the futures that branch from them.

States within one radius of each other share a cell (leader clustering, Hartigan 1975). A cell keeps a fair sample of
what came of its states (reservoir sampling, Vitter 1985), as changes, and tells their distribution as buckets of the
same radius. When there are too many cells, the least visited one goes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
HORIZON = 64
"""Ticks that a roll-out goes at most."""


@dataclass(frozen=True, slots=True)
class Futures:
    """A branching roll-out: after tick h there are branches `states[h]` (n_h, d) of probability `weights[h]` (n_h,)."""

    states: tuple[Array, ...]
    weights: tuple[Array, ...]
    lost: float
    """Probability of the branches that were cut off because there were too many."""


class _Cell:
    def __init__(self, centre: Array, kept: int) -> None:
        self.centre = centre
        self.visits = 0
        self.changes = np.zeros((kept, len(centre)))

    def keep(self, change: Array, rng: np.random.Generator) -> None:
        place = self.visits if self.visits < len(self.changes) else int(rng.integers(self.visits + 1))
        if place < len(self.changes):
            self.changes[place] = change
        self.visits += 1

    @property
    def sample(self) -> Array:
        return self.changes[: min(self.visits, len(self.changes))]


class OutcomeMemory:
    """Of states of d numbers. `radius` is a cell's, in standard deviations `scale` (d,) of the states."""

    def __init__(self, scale: Array, *, radius: float = 0.2, cells: int = 500, kept: int = 128, seed: int = 0) -> None:
        self._scale, self._radius, self._most, self._kept = scale, radius, cells, kept
        self._rng = np.random.default_rng((seed, 32))
        self._cells: list[_Cell] = []
        self._centres = np.zeros((cells, len(scale)))

    def __len__(self) -> int:
        """Cells there are."""
        return len(self._cells)

    def remember(self, state: Array, outcome: Array) -> None:
        """One tick: what came of a state, both (d,)."""
        number, distance = self._nearest(state)
        if distance > self._radius:
            if len(self._cells) == self._most:
                number = min(range(len(self._cells)), key=lambda i: self._cells[i].visits)
                self._cells[number] = _Cell(state.copy(), self._kept)
            else:
                number = len(self._cells)
                self._cells.append(_Cell(state.copy(), self._kept))
            self._centres[number] = state / self._scale
        self._cells[number].keep(outcome - state, self._rng)

    def outcomes(self, state: Array) -> Array:
        """What came of states like this one, from here, (n, d); none where there was none like it."""
        number, distance = self._nearest(state)
        if distance > self._radius:
            return np.zeros((0, len(state)))
        return state + self._cells[number].sample

    def buckets(self, state: Array) -> tuple[Array, Array]:
        """The distribution of what comes next: weights (n,) and outcomes (n, d), those within a radius as one.

        Of the nearest cell if none is like the state; without any cell the outcome is the state itself.
        """
        number, _ = self._nearest(state)
        if number < 0:
            return np.ones(1), state[None]
        changes = self._cells[number].sample
        share = 1 / len(changes)
        merged = self._merged([(share, state + change) for change in changes])
        return np.array([weight for weight, _ in merged]), np.stack([end for _, end in merged])

    def futures(self, state: Array, horizon: int, *, width: int = 32) -> Futures:
        """What may come, up to HORIZON ticks; the `width` most probable branches go on.

        Branches within a radius of each other become one.
        """
        states, weights, lost = [state[None]], [np.ones(1)], 0.0
        for _ in range(min(horizon, HORIZON)):
            ends = [(w * share, end) for w, s in zip(weights[-1], states[-1], strict=True)
                    for share, end in zip(*self.buckets(s), strict=True)]  # fmt: skip
            merged = self._merged(ends)
            lost += sum(weight for weight, _ in merged[width:])
            weights.append(np.array([weight for weight, _ in merged[:width]]))
            states.append(np.stack([end for _, end in merged[:width]]))
        return Futures(tuple(states[1:]), tuple(weights[1:]), lost)

    def paths(self, state: Array, horizon: int, count: int, rng: np.random.Generator) -> Array:
        """So many futures drawn at random, (count, horizon, d): each tick one of the outcomes of the nearest cell."""
        found = np.empty((count, min(horizon, HORIZON), len(state)))
        now = np.repeat(state[None], count, 0)
        for tick in range(found.shape[1]):
            if self._cells:
                centres = self._centres[: len(self._cells)]
                number = np.square(now[:, None] / self._scale - centres).sum(2).argmin(1)
                samples = [self._cells[i].sample for i in number]
                now = now + np.stack([s[int(u * len(s))] for s, u in zip(samples, rng.random(count), strict=True)])
            found[:, tick] = now
        return found

    def _merged(self, branches: list[tuple[float, Array]]) -> list[tuple[float, Array]]:
        """The most probable first."""
        merged: list[tuple[float, Array]] = []
        for weight, end in sorted(branches, key=lambda branch: -branch[0]):
            for i, (total, other) in enumerate(merged):
                if np.linalg.norm((end - other) / self._scale) < self._radius:
                    merged[i] = total + weight, (total * other + weight * end) / (total + weight)
                    break
            else:
                merged.append((weight, end))
        return sorted(merged, key=lambda branch: -branch[0])

    def _nearest(self, state: Array) -> tuple[int, float]:
        """The cell and its distance in radii's unit; -1 and inf without any."""
        if not self._cells:
            return -1, float("inf")
        distances = np.square(self._centres[: len(self._cells)] - state / self._scale).sum(1)
        number = int(distances.argmin())
        return number, float(np.sqrt(distances[number]))
