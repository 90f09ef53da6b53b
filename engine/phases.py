"""Phases: when the free copy settles, when the nudge is on, when the next sample comes.

`Clocked` is the classical procedure of equilibrium propagation: free until settled, nudged until settled, hold,
next sample. `Persistent` knows no clock: all copies advance together at every tick and the force follows the free
copy as it runs. Both are driven by tick counts only.
"""

from __future__ import annotations

from typing import Protocol

from engine.frame import Phase
from engine.knobs import Knob
from engine.metrics import Settling
from engine.network import Network

LONGEST_PHASE = 100_000
"""No phase may be asked to last longer than this many ticks."""


def phase_knobs() -> dict[str, Knob]:
    """Knobs that say how phases follow each other."""
    rest = "Settled once the largest |velocity| is under this (for the nudge: under this times beta times the force)."
    return {
        "tolerance": Knob(1e-4, 1e-12, 1e-1, "", rest, "log"),
        "t_free": Knob(600, 1, LONGEST_PHASE, "ticks", "Longest free phase; ends when the state rests.", "integer"),
        "t_nudge": Knob(600, 1, LONGEST_PHASE, "ticks", "Longest nudged phase; ends when it rests.", "integer"),
        "hold": Knob(60, 0, LONGEST_PHASE, "ticks", "How long the settled, nudged state is held.", "integer"),
        "advance": Knob(1, 0, 1, "", "Go on to the next sample after the hold.", "switch"),
        "rate": Knob(
            1e-3, 1e-6, 0.1, "", "Step size of live learning (Adam); without a clock it is spread out.", "log"
        ),
        "persistent": Knob(0, 0, 1, "", "No clock: free and nudged copies advance together at every tick.", "switch"),
    }


class Schedule(Protocol):
    """A way to go through phases with one network."""

    phase: Phase
    phase_ticks: int
    relaxing: Settling
    nudging: Settling
    floor: float

    def begin(self, network: Network) -> None:
        """Something that the free state depends on has changed: settle anew, from where the state is."""

    def switch_nudge(self, network: Network, on: bool) -> None:
        """Switch the nudge on or off."""

    def tick(self, network: Network, knobs: dict[str, Knob]) -> bool:
        """One tick; True when the hold is over."""


def measured_floor(network: Network) -> float:
    """The nudge at beta = 0: one tick of released copies without a force, largest RMS over layers."""
    network.release()
    network.tick(nudged=True)
    return float(network.observe().rms_nudge.max())


class Clocked:
    """Free until settled or t_free, nudged until settled or t_nudge, then hold."""

    def __init__(self, network: Network, nudge: bool) -> None:
        self._nudge = nudge
        self.floor = 0.0
        self.begin(network)

    def begin(self, network: Network) -> None:
        """A new free phase; the nudged copies are put back."""
        network.release()
        self.relaxing = Settling(network.samples)
        self.nudging = Settling(network.samples)
        self._enter("free")

    def _enter(self, phase: Phase) -> None:
        self.phase = phase
        self.phase_ticks = 0

    def switch_nudge(self, network: Network, on: bool) -> None:
        """Off puts the copies back; on starts a nudged phase if the free one is over."""
        self._nudge = on
        if self.phase != "free":
            self._start_nudge(network) if on else self._stop_nudge(network)

    def _start_nudge(self, network: Network) -> None:
        self.floor = measured_floor(network)
        network.aim()
        self.nudging = Settling(network.samples)
        self._enter("nudged")

    def _stop_nudge(self, network: Network) -> None:
        network.release()
        self._enter("hold")

    def tick(self, network: Network, knobs: dict[str, Knob]) -> bool:
        """One tick; True when the hold is over."""
        network.tick(nudged=self.phase != "free" and self._nudge)
        seen = network.observe()
        tolerance = knobs["tolerance"].value
        self.phase_ticks += 1
        if self.phase == "free":
            self.relaxing.observe(seen.velocity_max, tolerance)
            if self.relaxing.of_batch is not None or self.phase_ticks >= knobs["t_free"].value:
                self._start_nudge(network) if self._nudge else self._enter("hold")
        elif self.phase == "nudged":
            self.nudging.observe(seen.nudge_velocity_max, tolerance * knobs["beta"].value * network.pull)
            if self.nudging.of_batch is not None or self.phase_ticks >= knobs["t_nudge"].value:
                self._enter("hold")
        return self.phase == "hold" and self.phase_ticks >= knobs["hold"].value


class Persistent:
    """All copies at every tick; the force follows the running free copy."""

    phase: Phase = "persistent"

    def __init__(self, network: Network, nudge: bool) -> None:
        self._nudge = nudge
        self.floor = measured_floor(network)
        self.begin(network)

    def begin(self, network: Network) -> None:
        """Count anew; the nudged copies stay where they are."""
        self.relaxing = Settling(network.samples)
        self.nudging = Settling(network.samples)
        self.phase_ticks = 0

    def switch_nudge(self, network: Network, on: bool) -> None:
        """Off puts the copies back onto the free one."""
        self._nudge = on
        if not on:
            network.release()

    def tick(self, network: Network, knobs: dict[str, Knob]) -> bool:
        """One tick; True when everything has settled, or the longest phases have passed, and was held."""
        if self._nudge:
            network.aim()
        network.tick(nudged=self._nudge)
        seen = network.observe()
        tolerance = knobs["tolerance"].value
        self.relaxing.observe(seen.velocity_max, tolerance)
        self.phase_ticks += 1
        waited = [self.relaxing.of_batch]
        if self._nudge:
            self.nudging.observe(seen.nudge_velocity_max, tolerance * knobs["beta"].value * network.pull)
            waited.append(self.nudging.of_batch)
        longest = int(knobs["t_free"].value + knobs["t_nudge"].value)
        rested = max(longest if ticks is None else ticks for ticks in waited)
        return self.phase_ticks >= rested + knobs["hold"].value


class Streaming:
    """No phases at all: the network lives in a world and ticks on."""

    phase: Phase = "streaming"
    floor = 0.0

    def __init__(self, network: Network, nudge: bool) -> None:
        self._nudge = nudge
        self.begin(network)

    def begin(self, network: Network) -> None:
        """Count anew."""
        self.relaxing = Settling(network.samples)
        self.nudging = Settling(network.samples)
        self.phase_ticks = 0

    def switch_nudge(self, network: Network, on: bool) -> None:
        """Off: nobody tells the right answers any more."""
        self._nudge = on
        if not on:
            network.release()

    def tick(self, network: Network, knobs: dict[str, Knob]) -> bool:
        """One tick; it never ends by itself."""
        network.tick(nudged=self._nudge)
        self.phase_ticks += 1
        return False
