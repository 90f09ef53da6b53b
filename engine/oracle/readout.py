"""The race beside a running network, and what a view is told about it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.network import Network
from engine.oracle.race import Race, Rules

SLOW = 45.0
"""Racing ticks within which nineteen of twenty training digits (noise 0.3) that are read right decide in `deep-100`."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Where the race of one sample stands. Ticks count from the moment its picture was shown."""

    race: NDArray[np.float32]
    """Every class's accumulator in thresholds, float32 (classes,); 1 decides, below 0 is out of the race."""
    waited: int
    """Ticks so far."""
    opens: int
    """The tick that opens the race."""
    slow: float
    """A decision that takes longer than this is slow, by the yardstick of trained digits (SLOW)."""
    ticks: float | None
    """When it was decided, None while it is not."""
    choice: int | None
    """The class that won."""

    @property
    def late(self) -> bool:
        """Whether it is slow, decided or not."""
        return (self.waited if self.ticks is None else self.ticks) > self.slow


class ReadOut:
    """A race that opens once the picture can have reached the top layer, which news climb one layer a tick.

    Before that the logits still answer the picture before. Times count from `begin`.
    """

    def __init__(self, network: Network, rules: Rules | None = None) -> None:
        self._network, self._rules = network, rules
        self._shape = network.samples, network.logits().shape[1]
        self.opens = network.layout.layers
        self.begin()

    def begin(self) -> None:
        """Another picture, or a knob has moved: start anew."""
        self.waited = 0
        self._race = Race(*self._shape, self._rules)

    def tick(self) -> None:
        """Follow one tick of the network; its logits are only asked for while somebody still runs."""
        self.waited += 1
        if self._race.running and self.waited >= self.opens:
            self._race.tick(self._network.logits())

    @property
    def running(self) -> int:
        """How many samples have not decided yet."""
        return self._race.running

    @property
    def time(self) -> NDArray[np.float64]:
        """Ticks from `begin` until the decision, (samples,); inf while there is none."""
        return self._race.time + (self.opens - 1)

    @property
    def choice(self) -> NDArray[np.int64]:
        """The classes that won, (samples,), -1 while there is none."""
        return self._race.choice

    def decision(self, sample: int) -> Decision:
        """Where the race of one sample stands."""
        decided = self._race.choice[sample] >= 0
        return Decision(
            race=self._race.activity[sample].astype(np.float32),
            waited=self.waited,
            opens=self.opens,
            slow=self.opens - 1 + SLOW,
            ticks=float(self.time[sample]) if decided else None,
            choice=int(self._race.choice[sample]) if decided else None,
        )
