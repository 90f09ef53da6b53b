"""Every time an answer took: a batch of samples ticked to rest with the race beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.metrics import Settling
from engine.network import Network
from engine.networks.chain import softmax
from engine.oracle.race import Rules
from engine.oracle.readout import ReadOut

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Answers:
    """What a batch of samples answered. Ticks count from rest; inf stands for never."""

    logits: Array
    """At rest, (samples, classes)."""
    t_relax: NDArray[np.float64]
    """First tick at which no neuron of the sample's network changed by more than the tolerance, (samples,)."""
    decided: NDArray[np.float64]
    """When the race was over, (samples,); a fraction of a tick counts."""
    choice: NDArray[np.int64]
    """The class that won it, (samples,), -1 for none."""

    @property
    def confidence(self) -> Array:
        """Largest softmax probability at rest, (samples,)."""
        largest: Array = softmax(self.logits).max(-1)
        return largest


def answers(
    network: Network, x: Array, *, tolerance: float = 1e-4, most: int = 2000, rules: Rules | None = None
) -> Answers:
    """Tick `network` with the encoded pictures x (samples, pixels) from rest until every sample rests and has decided.

    Both may take `most` ticks; once the network rests only the race goes on. The race reads the running network.
    """
    network.reset(0)
    network.clamp(x, None)
    settling = Settling(network.samples)
    readout = ReadOut(network, rules)
    for _ in range(most):
        if settling.of_batch is None:
            network.tick(nudged=False)
            settling.observe(network.observe().velocity_max, tolerance)
        elif not readout.running:
            break
        readout.tick()
    t_relax = np.where(settling.first < 0, np.inf, settling.first.astype(np.float64))
    return Answers(network.logits(), t_relax, readout.time, readout.choice)
