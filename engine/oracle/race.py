r"""The competitive read-out: a leaky competing accumulator that the network's logits drive.

    dx_i/dt = I_i - leak x_i + excitation f(x_i) - inhibition sum_(j != i) f(x_j),     f(x) = max(x, 0)
    I_i     = logit_i - mean_j logit_j

(Usher & McClelland 2001, Psychological Review 108, 550-592; without their noise, so that the same logits always take
the same time.) Taking the mean away makes I, like softmax, blind to what all logits share. Every x starts at 0, and
one tick is one Euler step. The first x_i to reach the threshold decides; between two ticks its time is interpolated.

While classes 1 and 2 are both positive and no other is, their difference e and sum s obey

    de/dt = (excitation + inhibition - leak) e + I_1 - I_2,     ds/dt = (excitation - inhibition - leak) s + I_1 + I_2,

so e grows exponentially from what separates the logits, and the time to decide grows like log(1 / (I_1 - I_2)) at a
tie: e = 0 is the separatrix that a contracting network lacks. With logits that no longer move, x is a function of the
logits alone. The time then knows what the logits know, as softmax confidence does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels.race import race_tick

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Rules:
    """How accumulators compete. Set on noisy training digits: rank correlation with confidence, and a pace that suits.

    leak, excitation, inhibition: 1/tick; threshold: logit ticks. Doubling the threshold and halving the rates doubles
    all times. excitation + inhibition > leak, or the closest contests end in a draw below the threshold.
    """

    leak: float = 0.01
    excitation: float = 0.01
    inhibition: float = 0.04
    threshold: float = 300.0


class Race:
    """Accumulators of a batch. A decision stands: what has decided moves no more."""

    def __init__(self, samples: int, classes: int, rules: Rules | None = None) -> None:
        self._rules = Rules() if rules is None else rules
        self._x = np.zeros((samples, classes))
        self.ticks = 0
        self.running = samples
        """How many have not decided yet."""
        self.time = np.full(samples, np.inf)
        """Ticks until the decision, inf while there is none."""
        self.choice = np.full(samples, -1)
        """The class that won, -1 while there is none."""

    @property
    def activity(self) -> NDArray[np.float64]:
        """The accumulators in thresholds, (samples, classes); negative ones are out of the race for now."""
        return self._x / self._rules.threshold

    def tick(self, logits: Array) -> None:
        """One tick under these logits (samples, classes). NaN and infinity never decide."""
        rules = self._rules
        self.running = race_tick(
            logits, rules.leak, rules.excitation, rules.inhibition, rules.threshold, self.ticks, self._x, self.time,
            self.choice,
        )  # fmt: skip
        self.ticks += 1


def race(logits: Array, rules: Rules | None = None, most: int = 5000) -> Race:
    """Run a race under logits (samples, classes) that stay as they are, for `most` ticks at most."""
    samples, classes = logits.shape
    run = Race(samples, classes, rules)
    while run.running and run.ticks < most:
        run.tick(logits)
    return run
