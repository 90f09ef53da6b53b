"""How far a replayed value may lie from the live one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

EPSILON = 5e-5
"""Largest error of an activation. Differences of two are then within `VELOCITY_EPSILON`."""
VELOCITY_EPSILON = 1e-4
"""Largest error of a velocity up to a hundred times this, one per cent beyond: what the view calls rest stays dark."""


@dataclass(frozen=True, slots=True)
class Tolerance:
    """A value x is replayed within relative * max(knee, |x|): absolute up to the knee, relative beyond it."""

    relative: float
    knee: float

    def __post_init__(self) -> None:
        if not 1e-6 <= self.relative <= 0.5 or not 0 < self.knee < 1e6:
            raise ValueError(f"a tolerance of {self.relative:g} with its knee at {self.knee:g} cannot be kept")

    @staticmethod
    def absolute(epsilon: float, knee: float) -> Tolerance:
        """`epsilon` up to the knee."""
        return Tolerance(epsilon / knee, knee)

    @property
    def epsilon(self) -> float:
        """Largest error below the knee."""
        return self.relative * self.knee


FINE = Tolerance(1e-6, 1e-9)
TOLERANCES: Mapping[str, Tolerance] = {
    "activation": Tolerance.absolute(EPSILON, 32.0),
    "velocity": Tolerance.absolute(VELOCITY_EPSILON, 100 * VELOCITY_EPSILON),
    "nudge": Tolerance(0.01, 1e-20),
    "image": Tolerance.absolute(1 / 512, 1.0),
    "scene.picture": Tolerance.absolute(1 / 512, 1.0),
    "metrics.probabilities": Tolerance.absolute(5e-4, 1.0),
    **{f"growth.wiring.{name}": FINE for name in ("knots", "centre", "spread", "unit", "scale")},
}
"""By the name of an array in a frame. Pictures are kept to half a grey level, the nudge, which spans many decades, to
one per cent of itself. Units of a growing graph, which hardly ever change, are kept well enough to write equations."""
OTHERWISE = Tolerance(0.01, 1e-20)
"""For every other array of real numbers."""
