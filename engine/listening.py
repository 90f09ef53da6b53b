"""A network that follows a stream: no phases, no rest. It has settled once it is entrained."""

from __future__ import annotations

import math

import numpy as np

from engine.frame import Phase
from engine.knobs import Knob
from engine.network import Network
from engine.phases import Streaming
from engine.rhythm import Rhythm, RhythmMeter
from engine.streams import Heard, Stream


def listening_knobs(stream: Stream) -> dict[str, Knob]:
    """The stream's own, and what counts as entrained where it has a period."""
    doc = "Entrained once no neuron differs by more than this from what it was a period ago."
    entrained = {"tolerance": Knob(1e-4, 1e-12, 1e-1, "", doc, "log")} if "period" in stream.knobs else {}
    return {**stream.knobs, **entrained}


class Listening(Streaming):
    """At every tick the stream clamps the input, the force follows the free copy, and the rhythm is measured.

    Where the stream tells no class the nudge pulls towards what the network itself finds most likely.
    """

    phase: Phase = "listening"

    def __init__(self, network: Network, nudge: bool, stream: Stream, seed: int) -> None:
        self.stream = stream
        self._meter = RhythmMeter(network.layout.layers, network.layout.neurons, seed)
        stream.reset(seed)
        self.heard: Heard | None = None
        """What came in at the last tick; None before the first."""
        super().__init__(network, nudge)

    @property
    def entrainment(self) -> float | None:
        """max |x(t) - x(t - T)| of the last tick; None before a period has passed, and where there is none."""
        return self._meter.entrainment

    @property
    def apart(self) -> float:
        """The same, infinite where it is not known."""
        return math.inf if self.entrainment is None else self.entrainment

    def rhythm(self) -> Rhythm:
        """Path, section and entrainment, copied out."""
        return self._meter.rhythm(self.stream.kind)

    def tick(self, network: Network, knobs: dict[str, Knob]) -> bool:
        """One tick; it never ends by itself."""
        heard = self.stream.at(network.ticks, knobs)
        if heard is not self.heard:
            network.clamp(heard.x[None], None if heard.label is None else np.array([heard.label]))
            self.heard = heard
        if self._nudge:
            network.aim()
        super().tick(network, knobs)
        right = None if heard.label is None else int(network.logits()[0].argmax()) == heard.label
        self._meter.observe(network.channels(0)[0], self.stream.period(knobs), right)
        if "tolerance" in knobs:
            self.relaxing.observe(np.array([self.apart]), knobs["tolerance"].value)
        return False
