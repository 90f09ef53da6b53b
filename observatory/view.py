"""How a frame is looked at: what a user may set, and the exposure that follows the picture. No Qt, no OpenGL."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal, SignalGroupDescriptor

from engine.frame import Frame

VELOCITY_FLOOR = 1e-4
"""Velocities up to here count as rest and stay dark, on both scales."""
DECADES = 4.0
"""A logarithmic channel shows this many decades below its top."""

_PEAKS = (3.0, 1.8, 1.8)
"""Tops of the automatic exposure, in RMS values of the brightest layer, so no single neuron dims the others.
The state glows in the background; what moves and what is nudged is lit up."""
_DECAY = 0.97
"""How much of the old top is kept per frame when the picture fades."""
_LOWEST_TOP = (1e-2, 5e-3)
"""Activation and velocity are never magnified beyond these tops."""
_LOWEST_NUDGE = 1e-30
"""The nudge is shown however weak it is: a network that is sure of a right answer is hardly corrected."""
_FLOOR_MARGIN = 10.0
"""A nudge counts from this multiple of its measured numerical floor on, as in D_nudge."""


@dataclass
class ChannelSettings:
    """How one channel is shown; `events` of psygnal tells each change.

    The light of a neuron is gain * |value|, or with `auto` gain * |value| / top where the top follows the picture.
    With `log` the four decades below full light are spread evenly over 0..1.
    """

    on: bool = True
    auto: bool = True
    gain: float = 1.0
    log: bool = False

    events: ClassVar[SignalGroupDescriptor] = SignalGroupDescriptor()


@dataclass
class ViewSettings:
    """What the user chose to see. `changed` is emitted after every change, also of a channel's field.

    red is |activation|, green |velocity|, blue |nudge|. `highlight` whitens saturated neurons a little, and
    oscillating ones the more the further they swing. `columns` 0 means: as many as suit the window.
    Change the channels' fields; the channel objects themselves stay.
    """

    red: ChannelSettings = field(default_factory=ChannelSettings)
    green: ChannelSettings = field(default_factory=ChannelSettings)
    blue: ChannelSettings = field(default_factory=ChannelSettings)
    highlight: bool = True
    columns: int = 0

    events: ClassVar[SignalGroupDescriptor] = SignalGroupDescriptor(connect_child_events=False)
    changed: ClassVar[Signal] = Signal()

    def __post_init__(self) -> None:
        for part in (self, *self.channels):
            part.events.connect(self._forward)

    @property
    def channels(self) -> tuple[ChannelSettings, ChannelSettings, ChannelSettings]:
        """Red, green and blue."""
        return self.red, self.green, self.blue

    def _forward(self) -> None:
        self.changed.emit()


def settings_for(network: str) -> ViewSettings:
    """Settings that suit a network: in a Hopfield chain all signals fade by decades, so they start logarithmic."""
    red, green, blue = (ChannelSettings(log=network == "hopfield") for _ in range(3))
    return ViewSettings(red, green, blue)


@dataclass(frozen=True, slots=True)
class Level:
    """Exposure of a channel: full light at `scale` * |value| = 1, none up to |value| = `floor`."""

    scale: float
    floor: float


def _brightest_layer(channel: NDArray[np.float32]) -> float:
    square = np.einsum("ln,ln->l", channel, channel, dtype=np.float64)
    if not np.isfinite(square).all():
        clean = np.nan_to_num(channel, nan=0.0, posinf=0.0, neginf=0.0)
        square = np.einsum("ln,ln->l", clean, clean, dtype=np.float64)
    return float(np.sqrt(square.max() / channel.shape[1]))


class Exposure:
    """Automatic exposure: follows a brighter picture at once, a fading one at 3 % per frame.

    So a wave never overexposes and nothing flickers; an all-zero frame leaves the lowest top in place and the next
    one is exposed on its own. A resting screen shows red only: velocities up to 1e-4 stay dark and none is magnified
    beyond a top of 5e-3; a nudge must exceed ten times its measured floor. A new nudge is exposed on its own.
    """

    def __init__(self) -> None:
        self._tops = [0.0, 0.0, 0.0]
        self._nudge_floor = 0.0
        self._epoch: tuple[str, int] | None = None

    @property
    def tops(self) -> tuple[float, float, float]:
        """The values of activation, velocity and nudge that are at full light with `auto` and gain 1."""
        return self._tops[0], self._tops[1], self._tops[2]

    def observe(self, frame: Frame) -> None:
        """Take in the next frame; another preset or a reset starts afresh."""
        epoch = (frame.preset, frame.epoch)
        if epoch != self._epoch:
            self._epoch = epoch
            self._tops = [0.0, 0.0, 0.0]
        floor = frame.metrics.nudge_floor
        self._nudge_floor = _FLOOR_MARGIN * floor if np.isfinite(floor) else 0.0
        lowest = (*_LOWEST_TOP, max(self._nudge_floor, _LOWEST_NUDGE))
        for i, channel in enumerate((frame.activation, frame.velocity, frame.nudge)):
            self._tops[i] = max(_PEAKS[i] * _brightest_layer(channel), _DECAY * self._tops[i], lowest[i])
        if not frame.nudge.any():
            self._tops[2] = lowest[2]
        self._tops[0] = min(self._tops[0], 1.0)

    def levels(self, settings: ViewSettings) -> tuple[Level, Level, Level]:
        """Exposure of red, green and blue under these settings."""
        floors = (0.0, VELOCITY_FLOOR, self._nudge_floor)
        red, green, blue = (
            Level(channel.gain / top if channel.auto and top > 0 else channel.gain, floor)
            for channel, top, floor in zip(settings.channels, self._tops, floors, strict=True)
        )
        return red, green, blue
