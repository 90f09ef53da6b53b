r"""How a network follows a stream: is its response as periodic as what it hears, and what path does the state take?

A contraction has exactly one response of period T to an input of period T, whatever it started from, so

    entrainment(t) = max |x(t) - x(t - T)|

falls to round-off (Lohmiller & Slotine 1998; Sontag 2010). Above the edge nothing says so: the response may have a
multiple of the period, or none. A strong input can still entrain such a network (Rajan, Abbott & Sompolinsky 2010).

The path is watched in a few layers, each as two coordinates, the layer's activation along two fixed random directions
of unit length, at right angles to each other. Taken once a period they are a Poincare section.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
TICKS = 1024
"""Length of what is remembered of the path."""
MOMENTS = 256
"""Length of what is remembered of the section."""


@dataclass(frozen=True, slots=True, eq=False)
class Rhythm:
    """One moment's measurement; its arrays belong to the reader.

    layers: those that are watched, from 1; path: float32 (ticks, watched, 2), the newest last, one row a tick;
    section: float32 (moments, watched, 2), the rows of the path at whole periods; entrainments: float32 (ticks,), NaN
    while there is no period before it. Without a period the section is empty. right: share of the path's ticks with a
    told class at whose end the network answered that class, None where the stream has told none.
    """

    stream: str
    period: int | None
    entrainment: float | None
    layers: tuple[int, ...]
    path: NDArray[np.float32]
    section: NDArray[np.float32]
    entrainments: NDArray[np.float32]
    right: float | None = None


class _Recent:
    """The last `size` rows that were written."""

    def __init__(self, size: int, *shape: int) -> None:
        self._rows = np.zeros((size, *shape), np.float32)
        self._count = 0

    def clear(self) -> None:
        self._count = 0

    def add(self, row: Array | float) -> None:
        self._rows[self._count % len(self._rows)] = row
        self._count += 1

    def copy(self) -> NDArray[np.float32]:
        """Oldest first."""
        if self._count <= len(self._rows):
            return self._rows[: self._count].copy()
        return np.roll(self._rows, -self._count, 0)


class RhythmMeter:
    """Watches a network of `layers` by `neurons`, tick by tick; directions follow from `seed`."""

    def __init__(self, layers: int, neurons: int, seed: int) -> None:
        rng = np.random.default_rng((seed, 14))
        self._watched = sorted({0, layers // 2, layers - 1})
        drawn = rng.standard_normal((len(self._watched), neurons, min(2, neurons)))
        self._directions = np.zeros((len(self._watched), neurons, 2), np.float32)
        self._directions[..., : drawn.shape[2]] = np.linalg.qr(drawn)[0]
        self._shape = layers, neurons
        self._path = _Recent(TICKS, len(self._watched), 2)
        self._entrainments = _Recent(TICKS)
        self._answers = _Recent(TICKS)
        self._section = _Recent(MOMENTS, len(self._watched), 2)
        self._period: int | None = None
        self._before = np.zeros((0, *self._shape), np.float32)
        self._since = 0
        self.entrainment: float | None = None
        """Of the last tick; None before a whole period has passed, NaN where the state is not finite."""

    def observe(self, activation: Array, period: int | None, right: bool | None = None) -> None:
        """Take in the activations (layers, neurons) of the next tick; another period begins anew.

        right: whether the network now answers the class that the stream tells, None where it tells none.
        """
        if period != self._period:
            self._period, self._since, self.entrainment = period, 0, None
            self._before = np.zeros((period or 0, *self._shape), np.float32)
            self._section.clear()
        place = np.einsum("wn,wnd->wd", activation[self._watched], self._directions)
        self._path.add(place)
        if period is not None:
            before = self._before[self._since % period]
            if self._since >= period:
                np.subtract(activation, before, out=before)
                np.abs(before, out=before)
                self.entrainment = float(before.max())
            before[...] = activation
            if self._since % period == 0:
                self._section.add(place)
        self._entrainments.add(np.nan if self.entrainment is None else self.entrainment)
        self._answers.add(np.nan if right is None else right)
        self._since += 1

    def rhythm(self, stream: str) -> Rhythm:
        """What is known, copied out."""
        answers = self._answers.copy()
        told = answers[np.isfinite(answers)]
        return Rhythm(
            stream, self._period, self.entrainment, tuple(layer + 1 for layer in self._watched), self._path.copy(),
            self._section.copy(), self._entrainments.copy(), float(told.mean()) if len(told) else None,
        )  # fmt: skip
