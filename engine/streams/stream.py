"""What a stream offers: a picture at every tick, for as long as the network ticks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from engine.data import Dataset
from engine.knobs import Knob

LONGEST_PERIOD = 400
"""Ticks. The states of a whole period are kept, to be compared with those of the next."""


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """What comes in: an encoded picture (pixels,), and the class that is told with it, None where none is."""

    x: NDArray[np.float32]
    label: int | None = None


class Stream(Protocol):
    """Pictures for one network. Everything random follows from the seed, everything timed from the ticks."""

    kind: str

    knobs: dict[str, Knob]
    """Its knobs as they stand at the beginning; where they stand now is told with every call."""

    def reset(self, seed: int) -> None:
        """Begin again."""

    def period(self, knobs: Mapping[str, Knob]) -> int | None:
        """Ticks after which it repeats itself; None if it never does."""

    def at(self, tick: int, knobs: Mapping[str, Knob]) -> Heard:
        """What comes in at this tick; ticks follow each other. The same object as long as nothing has changed."""


def period_knob() -> Knob:
    """The period of a stream that repeats itself."""
    return Knob(32, 2, LONGEST_PERIOD, "ticks", "After so many ticks the input repeats itself.", "integer")


def every_channel(data: Dataset, grey: NDArray[Any]) -> NDArray[np.float32]:
    """A grey picture (height, width) in the shape of the data set's pictures."""
    picture = grey if len(data.shape) == 2 else np.broadcast_to(grey[..., None], data.shape)
    return np.asarray(picture, np.float32)
