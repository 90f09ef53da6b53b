"""What a view may ask of the engine: small frozen values, carried out between two ticks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from engine.mailbox import Mailbox
from engine.preset import Preset
from engine.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class SetParameter:
    """Move a knob; acts at the next tick."""

    name: str
    value: float | str
    """A number, or the name of a choice."""


@dataclass(frozen=True, slots=True)
class LoadPreset:
    """Replace the network."""

    preset: Preset


@dataclass(frozen=True, slots=True)
class SelectSample:
    """Clamp sample `index` of the data set (taken modulo its length)."""

    index: int


@dataclass(frozen=True, slots=True)
class SetInput:
    """Clamp a picture, float32 of the data set's shape in 0..1.

    `label` is the class to nudge towards, None the predicted one.
    """

    image: NDArray[np.float32]
    label: int | None = None


@dataclass(frozen=True, slots=True)
class SetTarget:
    """Nudge towards this class."""

    label: int


@dataclass(frozen=True, slots=True)
class Pause:
    """Stop or go on ticking."""

    on: bool


@dataclass(frozen=True, slots=True)
class Step:
    """Tick `count` times, then pause."""

    count: int = 1


@dataclass(frozen=True, slots=True)
class Reset:
    """Back to rest with the same weights and sample."""


@dataclass(frozen=True, slots=True)
class Ablate:
    """Cut out a random share (0 to 1) of every layer's neurons, beside those that are cut out already."""

    share: float = 0.15


@dataclass(frozen=True, slots=True)
class AblateRegion:
    """Cut out chosen neurons: where `neurons` (layers, neurons) is true."""

    neurons: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Heal:
    """All neurons live again, with the weights they had."""


@dataclass(frozen=True, slots=True)
class Nudge:
    """Switch the nudge on or off."""

    on: bool


@dataclass(frozen=True, slots=True)
class Dream:
    """Let the input go, so that it moves towards the class that is nudged to; or hold it where it is."""

    on: bool


@dataclass(frozen=True, slots=True)
class Learn:
    """Switch learning on or off; while it is on, training samples come in random order."""

    on: bool


@dataclass(frozen=True, slots=True)
class SaveWeights:
    """Write the weights as they are now to a .safetensors file."""

    path: Path


@dataclass(frozen=True, slots=True)
class TakeSnapshot:
    """Put a copy of the network as it is now into `reply`."""

    reply: Mailbox[Snapshot]


@dataclass(frozen=True, slots=True)
class Throttle:
    """At most this many ticks per second; 0 means as fast as it goes."""

    ticks_per_second: float


Command: TypeAlias = (
    SetParameter
    | LoadPreset
    | SelectSample
    | SetInput
    | SetTarget
    | Pause
    | Step
    | Reset
    | Ablate
    | AblateRegion
    | Heal
    | Nudge
    | Learn
    | Dream
    | SaveWeights
    | TakeSnapshot
    | Throttle
)
