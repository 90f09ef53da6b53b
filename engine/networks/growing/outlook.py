"""What a growing graph expects, for a view: one number's predicted distribution beside what came, and its troubles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.float32]
GRID = 96
"""Places of a density, K."""
RECENT = 200
"""Outcomes that are shown and judged, M."""
BINS = 10
"""Of a calibration histogram."""
PATHS, AHEAD = 24, 16
"""Futures P, and ticks T that they go."""
NONE, NASCENT, CACHED = 0, 1, 2
"""What a node's transient module began with."""


@dataclass(frozen=True, slots=True)
class OutcomeView:
    """One number of the state: what was predicted for this moment, and what came. All in the stream's own units."""

    node: int
    feature: int
    components: int
    """Of the node's distribution head; 0 is Cold, then the density is a Gaussian of the residuals' deviation."""
    evidence: str
    """Of the head's last check: "two modes", "calibration" or nothing."""
    grid: Reals
    """(K,) evenly spaced."""
    density: Reals
    """(K,): predicted for this moment, before it came."""
    alike: Reals
    """(K,): density of what came of states like the last one, a histogram."""
    plain: float
    """The plain prediction for this moment."""
    came: float
    """What came."""
    recent: Reals
    """(M,): the last outcomes. A ring; NaN where there was none yet."""
    newest: int
    """Where in that ring the newest is; what came before it lies to its left, and on from the right end."""
    levels: NDArray[np.int32]
    """(BINS,): of the recent outcomes, how many had a P(number <= what came) in each tenth; level if calibrated."""
    ks_p: float | None
    """Kolmogorov-Smirnov test that those are uniform; None with fewer than 20."""
    nll: float | None
    """Mean negative log density of the recent outcomes, in nats, each as predicted before it came."""
    plain_nll: float | None
    """The same of the plain prediction with a Gaussian of the residuals' deviation."""
    futures: Reals
    """(P, T): paths from this moment on, drawn from what came of like states; T ticks, the next one first."""


@dataclass(frozen=True, slots=True)
class TransientView:
    """Which nodes are in trouble and have a transient module, and the cache that modules come from."""

    origin: NDArray[np.uint8]
    """(nodes,): NONE, NASCENT, or CACHED for a module that began with a prototype."""
    source: NDArray[np.int32]
    """(nodes,): whom the module looks at; -1 where there is none."""
    cells: NDArray[np.int32]
    """(nodes,): places in which the node's module has learned something."""
    cached: int
    """Prototypes in the cache."""
    hits: int
    """Modules that began with one so far."""
    spawned: int
    """Modules so far."""
