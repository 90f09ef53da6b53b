r"""Neurogenesis and pruning: at a fixed budget of synapses the nudge decides where they are.

How loud the nudge is at a place of the lattice is the correlation of the two voxels that a synapse would join there,

    c_ij <- c_ij + SHARE (mean over the batch of |g_i s_j| - c_ij),

with g the credit of the pre-activation: local, and known for synapses that do not exist too. Every PERIOD updates the
quietest of those that exist die (their weight becomes 0) and the loudest that do not exist are born, with a weight so
small that learning decides what becomes of it. A budget that is not kept yet is approached by PACE at a time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.lattice import Lattice

Array = NDArray[Any]
SHARE = 0.1
PERIOD = 10
"""Updates between two rounds of death and birth."""
PACE = 0.05
"""Share of the lattice's places by which the number of synapses changes in a round, at most."""
TURNOVER = 0.01
NEWBORN = 1e-4
"""Size of a weight at its birth."""


class Growth:
    """Moves the synapses U (L, 9, N) and R (L, 18, N) in `weights` towards a `budget`, a share of the lattice's places.

    `turnover` is the share of the budget that dies, and is born elsewhere, in a round. `blind`: who dies and who is
    born is drawn at random (control).
    """

    def __init__(
        self,
        space: Lattice,
        weights: Mapping[str, Array],
        budget: float,
        seed: int = 0,
        *,
        turnover: float = TURNOVER,
        blind: bool = False,
    ) -> None:
        self.budget, self._turnover = budget, turnover
        self._places = space.mask
        self._space, self._seed, self._blind = space, seed, blind
        self._exists = np.concatenate([weights["U"], weights["R"]], axis=1) != 0
        self._loudness = np.zeros(space.mask.shape, np.float32)
        self._updates = 0

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do: every synapse may exist, and does."""
        return self.budget >= 1 and self._exists.sum() == self._places.sum()

    def hear(self, s: Array, g: Array) -> None:
        """Take in a batch: states and credits of the pre-activations, (L, N, B)."""
        if self.idle:
            return
        heard = self._space.correlated(np.abs(g), np.abs(s)) / g.shape[2]
        self._loudness += (SHARE if self._updates else 1.0) * (heard - self._loudness)
        self._updates += 1

    def keep(self, weights: Mapping[str, Array]) -> None:
        """The weights have moved: what is dead stays dead."""
        below = weights["U"].shape[1]
        weights["U"][~self._exists[:, :below]] = 0
        weights["R"][~self._exists[:, below:]] = 0

    def step(self, weights: Mapping[str, Array]) -> bool:
        """After `hear` and `keep`: a round of death and birth if it is time; whether there was one."""
        if self.idle or not self._updates or self._updates % PERIOD:
            return False
        K = np.concatenate([weights["U"], weights["R"]], axis=1)
        self._round(K)
        self._exists = K != 0
        weights["U"][...], weights["R"][...] = np.split(K, [weights["U"].shape[1]], axis=1)
        return True

    def _round(self, K: Array) -> None:
        rng = np.random.default_rng((self._seed, 10, self._updates))
        loudness = rng.random(K.shape, np.float32) if self._blind else self._loudness
        places, exists = self._places, K != 0
        room, wanted = int(places.sum()), round(self.budget * places.sum())
        change = int(np.clip(wanted - exists.sum(), -PACE * room, PACE * room))
        absent = places & ~exists
        turned = min(round(self._turnover * wanted), int(absent.sum()))
        dying = _least(loudness, exists, turned + max(-change, 0))
        born = _least(-loudness, absent, turned + max(change, 0))
        K[dying] = 0
        K[born] = NEWBORN * rng.choice([-1, 1], len(born[0]))

    def state_dict(self) -> dict[str, Array]:
        """What a checkpoint must keep."""
        return {"loudness": self._loudness, "exists": self._exists, "heard": np.array([self._updates])}

    def load_state_dict(self, state: Mapping[str, Array]) -> None:
        """Take it over again."""
        self._loudness, self._exists = state["loudness"].copy(), state["exists"].copy()
        self._updates = int(state["heard"][0])


def _least(values: Array, among: NDArray[np.bool_], count: int) -> tuple[NDArray[np.int64], ...]:
    """Where the `count` smallest of the values lie, as an index."""
    places = np.flatnonzero(among)
    if 0 < count < len(places):
        places = places[np.argpartition(values.reshape(-1)[places], count)[:count]]
    return np.unravel_index(places if count else places[:0], values.shape)
