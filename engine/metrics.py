"""What the observatory measures, as plain functions of arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

REACH = 1e-3
"""A layer is reached by the nudge when its RMS exceeds this share of the top layer's."""
ABOVE_FLOOR = 10.0
"""... and this multiple of the numerical floor."""


def nudge_depth(rms_nudge: NDArray[np.floating], floor: float) -> int:
    """D_nudge: consecutive layers from the top, the top included, that the nudge reaches; rms_nudge is (layers,)."""
    threshold = max(REACH * float(rms_nudge[-1]), ABOVE_FLOOR * floor)
    silent = np.flatnonzero(~(rms_nudge[::-1] > threshold))
    return int(silent[0]) if silent.size else len(rms_nudge)


def credit_decay(rms_nudge: NDArray[np.floating], depth: int) -> float | None:
    """Geometric mean factor per layer by which the nudge shrinks downwards over the `depth` layers it reaches."""
    if depth < 2:
        return None
    return float((rms_nudge[-depth] / rms_nudge[-1]) ** (1 / (depth - 1)))


class Settling:
    """Remembers per sample the first tick at which a velocity fell under a tolerance (T_relax)."""

    def __init__(self, samples: int) -> None:
        self.ticks = 0
        self.first = np.full(samples, -1)
        """First settled tick of each sample, -1 while it still moves."""

    def observe(self, velocity_max: NDArray[np.float64], tolerance: float) -> None:
        """Count one tick; velocity_max is (samples,). NaN never settles."""
        self.ticks += 1
        self.first[(self.first < 0) & (velocity_max < tolerance)] = self.ticks

    @property
    def of_batch(self) -> int | None:
        """The tick at which the last sample settled; None while any still moves."""
        return None if (self.first < 0).any() else int(self.first.max())
