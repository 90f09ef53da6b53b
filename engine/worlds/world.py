"""What a world offers: an observation and the right answer at every tick, and room for the answer to matter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from engine.knobs import Knob


@dataclass(frozen=True, slots=True)
class Scene:
    """What a person may see of a world."""

    kind: str
    picture: NDArray[np.float32]
    """What the network looks at, float32 (height, width) in 0..1."""
    points: dict[str, tuple[float, float]]
    """Things with a place (x, y), both in 0..1, y upwards."""
    task: str
    answers: tuple[str, ...]
    """Names of the actions."""
    due: int | None
    """The action that is right for the output as it stands; None while nobody tells."""
    wanted: str
    """The action that was right in the last tick."""
    action: str
    """What the network did instead, or just so."""
    right: bool
    accuracy: float | None
    """Share of right actions over the last WINDOW ticks; None in the first tick."""


GROUP = "World"
"""Under which a world's knobs stand."""
WINDOW = 200
"""Ticks over which a world counts right actions."""


class World(Protocol):
    """A world of one network. Everything random follows from the seed, everything timed from the ticks."""

    kind: str

    @property
    def shape(self) -> tuple[int, ...]:
        """Of an observation."""

    @property
    def answers(self) -> tuple[str, ...]:
        """Names of the actions."""

    parameters: dict[str, Knob]

    latency: int
    """Ticks that the network takes to answer; set by the network."""

    def reset(self, seed: int) -> None:
        """Begin again."""

    def observe(self) -> NDArray[Any]:
        """What the network sees now, of `shape`."""

    def answer(self) -> int | None:
        """The right action now, None while it is not told."""

    def act(self, action: int) -> None:
        """One tick passes in which the network does `action`."""

    def scene(self) -> Scene:
        """Where things stand."""
