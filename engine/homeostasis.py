r"""Homeostasis: sigma regulated from the measured velocity alone, so that a network finds its edge by itself.

Per disturbance (a sample, a moved knob, a lesion) there is one verdict. The state rested: that is stagnation, and
sigma goes up once the sample is over. Or its velocity does not fall any more although every wave has crossed the chain:
that is divergence, and sigma goes down at once. Steps are relative and adapt as in Rprop (Riedmiller & Braun 1993):
they grow while verdicts agree and are halved when these turn, so sigma hurries to the edge and then hovers there.

Where a network measures the spectral radius of its Jacobian, the edge is RADIUS: a state that rests with a larger one
counts as diverging, and sigma never goes up by more than what is left to RADIUS.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Any, Literal

import numpy as np

from engine.knobs import Knob

Verdict = Literal["rests", "diverges", "undecided"]
FIRST_STEP, SMALLEST_STEP, LARGEST_STEP = 0.05, 0.01, 0.25
"""Relative changes of sigma."""
GROWTH, SHRINKAGE = 1.2, 0.5
"""Of the step, when a verdict agrees with the one before, and when it does not."""
LOWEST = 0.1
"""Braking ends here; boosting begins here from anything below."""
STALLED = 0.5
"""A velocity that keeps more than this share of itself over a window does not come to rest."""
SHORTEST_WINDOW = 25
RADIUS = 0.95
"""A measured spectral radius is kept under this."""
ROUNDINGS = 100
"""A velocity under this many roundings of the state's dtype is rest, however small the tolerance."""
MOVING = 1e-3
"""A velocity above this is no rest, however large the tolerance: a frozen attractor still creeps."""


def homeostasis_knobs() -> dict[str, Knob]:
    """The switch."""
    doc = "Sigma regulates itself by the velocity: up when the state rests, down when it does not come to rest."
    return {"homeostasis": Knob(0, 0, 1, "", doc, "switch")}


class Homeostat:
    """Watches the velocity of a chain of `layers` and says where sigma should go.

    A wave crosses a layer in a tick, so nothing is said of divergence before `layers` ticks and two windows of half as
    many have passed since the last disturbance.
    """

    def __init__(self, layers: int, dtype: np.dtype[Any]) -> None:
        self._layers = layers
        self._window = max(layers // 2, SHORTEST_WINDOW)
        self._least = ROUNDINGS * float(np.finfo(dtype).eps)
        self._step = FIRST_STEP
        self._direction = 0
        self._room = math.inf
        self.disturbed()

    def disturbed(self) -> None:
        """The input, sigma or the network has changed: what was measured before says nothing now."""
        self._ticks = 0
        self._recent: deque[float] = deque(maxlen=2 * self._window)
        self.verdict: Verdict = "undecided"
        """On the time since the last disturbance."""

    def observe(self, velocity: float, tolerance: float, radius: float | None = None) -> Verdict:
        """Take in the largest |velocity| of a tick, and the spectral radius at rest where it is measured.

        A state that has rested once has rested.
        """
        self._ticks += 1
        self._room = RADIUS / radius if radius else math.inf
        self._recent.append(velocity)
        if not math.isfinite(velocity):
            self.verdict = "diverges"
        elif velocity < max(min(tolerance, MOVING), self._least):
            self.verdict = "rests"
        elif self.verdict == "undecided" and self._ticks > self._layers + 2 * self._window:
            seen = list(self._recent)
            before, now = max(seen[: self._window]), max(seen[self._window :])
            if now > STALLED * before:
                self.verdict = "diverges"
        if self.verdict == "rests" and not self._room >= 1:
            self.verdict = "diverges"
        return self.verdict

    def regulated(self, sigma: float, highest: float) -> float:
        """Where sigma goes after the present verdict; at most `highest`."""
        if self.verdict == "undecided":
            return sigma
        direction = 1 if self.verdict == "rests" else -1
        if self._direction:
            factor = GROWTH if direction == self._direction else SHRINKAGE
            self._step = min(max(self._step * factor, SMALLEST_STEP), LARGEST_STEP)
        self._direction = direction
        moved = max(sigma, LOWEST) * min((1 + self._step) ** direction, self._room if direction > 0 else 1)
        return min(max(moved, LOWEST), highest)
