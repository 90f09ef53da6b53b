"""Chase or avoid: an agent, a wandering target, and a task that is switched twice.

The agent starts in the middle of the unit square, the target anywhere. Four actions move the agent by STEP; the target
jitters. Right is, when chasing, the move along the larger of |dx|, |dy| towards the target, and when avoiding, away
from it. Many games run side by side, one per lane, each with random numbers of its own.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CHASE, AVOID = 0, 1
STEP = 0.02
JITTER = 0.005
FEATURES, ACTIONS = 8, 4
MOVES = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
"""Right, left, up, down."""


class Game:
    """`lanes` games; positions (lanes, 2)."""

    def __init__(self, lanes: int, seed: int) -> None:
        self._rngs = [np.random.default_rng((seed, lane)) for lane in range(lanes)]
        self.agent = np.full((lanes, 2), 0.5)
        self.target = np.stack([rng.uniform(0.1, 0.9, 2) for rng in self._rngs])
        self.task = CHASE

    def observe(self) -> NDArray[np.float64]:
        """[ax, ay, tx, ty, tx - ax, ty - ay, distance, task], (lanes, 8)."""
        between = self.target - self.agent
        distance = np.linalg.norm(between, axis=1, keepdims=True)
        task = np.full((len(between), 1), float(self.task))
        return np.concatenate([self.agent, self.target, between, distance, task], 1)

    def answer(self) -> NDArray[np.int64]:
        """The right action of this moment, (lanes,)."""
        between = self.target - self.agent
        across = np.abs(between[:, 0]) < np.abs(between[:, 1])
        along = between[np.arange(len(between)), across.astype(int)]
        away = (along < 0) ^ (self.task == AVOID)
        return np.asarray(2 * across + away, np.int64)

    def move(self, actions: NDArray[np.int64]) -> None:
        """One tick: the agent acts, the target jitters."""
        self.push(actions)
        jitter = np.stack([rng.uniform(-JITTER, JITTER, 2) for rng in self._rngs])
        self.target = np.clip(self.target + jitter, 0.1, 0.9)

    def push(self, actions: NDArray[np.int64]) -> None:
        """Move the agent alone."""
        self.agent = np.clip(self.agent + STEP * MOVES[actions], 0, 1)


def task_at(tick: int, ticks: int) -> int:
    """CHASE, AVOID, CHASE in thirds of the run."""
    return AVOID if ticks // 3 <= tick < 2 * (ticks // 3) else CHASE
