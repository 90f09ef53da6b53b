"""The watch on one number of a running graph: what was predicted of it, what came, and what may come next.

The newest predictions of all numbers are kept with what came. Those of the watched number are judged by the head that
made them. The outcomes of like states of its node are stored, those of the remembered past too, some at each tick.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from engine.dynamics.scores import calibration
from engine.networks.growing.heads import Heads
from engine.networks.growing.learner import Learner
from engine.networks.growing.outcomes import Futures, OutcomeMemory
from engine.networks.growing.outlook import AHEAD, BINS, GRID, PATHS, RECENT, OutcomeView

Array = NDArray[Any]
CATCH_UP = 32
"""Outcomes of the past that are stored in a tick."""
SMOOTHING = 0.01
"""Share of the newest error in the deviation of a plain prediction."""
MORE = 1.2
"""So many times as open the outcomes of another node must be to be watched instead, with as many components."""
EDGE = 0.1
"""Of the range of outcomes, how much a grid goes beyond it."""
FEW = 20
"""Outcomes without which nothing is judged."""


class Watch:
    """On a graph with its learner; `heads` are its own. Arrays (RECENT, ...) are rings."""

    def __init__(self, learner: Learner, seed: int) -> None:
        graph = self.graph = learner.graph
        self.heads = Heads(learner, seed, self._judge)
        self._before, self._predicted, self._came = np.zeros((3, RECENT, graph.states))
        self._deviation = np.ones((RECENT, graph.states))
        self._variance = np.ones(graph.states)
        self._noted = 0
        self._seed = seed
        self._number = -1
        self.watch(0)

    # ---- which number

    def watch(self, number: int) -> None:
        """Turn to another number of the state."""
        if number == self._number:
            return
        self._number = number
        node, self._feature = divmod(number, self.graph.features)
        self._node, self._own = node, self.heads.rows(node)
        self.outcomes = OutcomeMemory(np.ones(self.graph.features), seed=self._seed)
        self._stored = 0
        self._levels, self._density, self._plain = np.full((3, RECENT), np.nan)
        self._judged = max(0, self._noted - RECENT)

    def most_ambiguous(self) -> int:
        """The first number of the node with the most components, or whose outcomes its neighbours leave most open."""
        heads, checks = self.heads.each, self.heads.checks
        rank = [(h.components, c.ambiguity.spread if c else 0.0) for h, c in zip(heads, checks, strict=True)]
        best, now = max(rank), rank[self._node]
        stays = best[0] == now[0] and best[1] <= MORE * now[1]
        return self._number if stays else rank.index(best) * self.graph.features

    # ---- what came

    def note(self, before: Array, predicted: Array, came: Array) -> None:
        """One tick: a state, what was predicted to follow and what followed, all (S,)."""
        row = self._noted % RECENT
        self._before[row], self._predicted[row], self._came[row] = before, predicted, came
        self._deviation[row] = np.sqrt(self._variance)
        error = np.maximum(np.square(self._came[row] - self._predicted[row]), 1e-12)
        self._noted += 1
        self._variance += max(SMOOTHING, 1 / self._noted) * (error - self._variance)

    def remember(self) -> None:
        """Store the outcomes of like states that are not stored yet, CATCH_UP of them at most."""
        memory = self.graph.memory
        first = max(self._stored, memory.first)
        self._stored = max(first, min(first + CATCH_UP, memory.count - 1))
        ticks = np.arange(first, self._stored)
        ticks = ticks[memory.sound(ticks)]
        now, later = (memory.states_at(t)[self._own].T.astype(np.float64) for t in (ticks, ticks + 1))
        for state, outcome in zip(now, later, strict=True):
            self.outcomes.remember(state, outcome)

    def _judge(self) -> None:
        """Predictions since the last time, by the head that made them."""
        rows = np.arange(max(self._judged, self._noted - RECENT), self._noted) % RECENT
        self._judged = self._noted
        if not len(rows):
            return
        predicted, came, deviation = (
            ring[rows, self._number] for ring in (self._predicted, self._came, self._deviation)
        )
        z = (came - predicted) / deviation
        self._plain[rows] = -0.5 * z**2 - np.log(deviation * np.sqrt(2 * np.pi))
        self._levels[rows], self._density[rows] = ndtr(z), self._plain[rows]
        head = self.heads.each[self._node]
        if head.components:
            inputs = self._before[rows][:, self.heads.seen[self._node]]
            what = inputs, self._predicted[rows, self._own], self._came[rows, self._own]
            self._levels[rows] = head.levels(*what)[:, self._feature]
            self._density[rows] = head.log_densities(*what)[:, self._feature]

    # ---- what may come

    def futures(self, horizon: int) -> Futures:
        """What may come of the watched node, as its own past alone tells it: branches in units of its spread."""
        return self.outcomes.futures(self.graph.state[self._own].astype(np.float64), horizon)

    def _expected(self, places: Array) -> Array:
        """Density of the watched number at these places (K,), as predicted for the newest outcome."""
        row, head = (self._noted - 1) % RECENT, self.heads.each[self._node]
        if not head.components:
            deviation = self._deviation[row, self._number]
            z = (places - self._predicted[row, self._number]) / deviation
            found: Array = np.exp(-0.5 * z**2) / (deviation * np.sqrt(2 * np.pi))
            return found
        inputs = self._before[row, self.heads.seen[self._node]]
        now, plain, came = (
            np.repeat(a[None], len(places), 0)
            for a in (inputs, self._predicted[row, self._own], self._came[row, self._own])
        )
        came[:, self._feature] = places
        found = np.exp(head.log_densities(now, plain, came)[:, self._feature])
        return found

    def view(self) -> OutcomeView | None:
        """Copied out; None before the first outcome."""
        if not self._noted:
            return None
        self._judge()
        n, newest = self._number, (self._noted - 1) % RECENT
        unit, centre = float(self.graph.spread[n]), float(self.graph.centre[n])
        filled = min(self._noted, RECENT)
        recent, levels = self._came[:filled, n], self._levels[:filled]
        margin = EDGE * (np.ptp(recent) or 1.0)
        grid = np.linspace(recent.min() - margin, recent.max() + margin, GRID)
        alike = self.outcomes.outcomes(self._before[newest, self._own])[:, self._feature]
        width = grid[1] - grid[0]
        counted = np.histogram(alike, GRID, (grid[0] - width / 2, grid[-1] + width / 2))[0] / max(len(alike), 1) / width
        rng = np.random.default_rng((self._seed, 35, self._noted))
        paths = self.outcomes.paths(self.graph.state[self._own].astype(np.float64), AHEAD, PATHS, rng)
        check = self.heads.checks[self._node]
        return OutcomeView(
            node=self._node,
            feature=self._feature,
            components=self.heads.each[self._node].components,
            evidence=check.why if check else "",
            grid=_real(grid * unit + centre),
            density=_real(self._expected(grid) / unit),
            alike=_real(counted / unit),
            plain=float(self._predicted[newest, n]) * unit + centre,
            came=float(self._came[newest, n]) * unit + centre,
            recent=_real(np.where(np.arange(RECENT) < filled, self._came[:, n] * unit + centre, np.nan)),
            newest=newest,
            levels=np.histogram(levels, BINS, (0, 1))[0].astype(np.int32),
            ks_p=calibration(levels) if filled >= FEW else None,
            nll=float(np.log(unit) - self._density[:filled].mean()) if filled >= FEW else None,
            plain_nll=float(np.log(unit) - self._plain[:filled].mean()) if filled >= FEW else None,
            futures=_real(paths[:, :, self._feature] * unit + centre),
        )


def _real(values: Array) -> NDArray[np.float32]:
    return values.astype(np.float32)
