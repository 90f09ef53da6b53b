"""A copy of what a running network is made of, for work that must neither wait for the engine nor hold it up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from engine.preset import Preset


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One moment's network; its arrays belong to the reader.

    weights: those that ticks read, lesions and weight noise included, in the network's dtype; knobs: number or name
    of the choice; tick, epoch: as in a frame.
    """

    preset: Preset
    weights: dict[str, NDArray[Any]]
    knobs: dict[str, float | str]
    tick: int
    epoch: int
