"""The one value that travels from the engine to a view."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from engine.data.dataset import Summary
from engine.knobs import Knob
from engine.layout import Layout
from engine.learning.live import Progress
from engine.networks.growing.report import Growth
from engine.networks.tween.links import Links
from engine.oracle.readout import Decision
from engine.rhythm import Rhythm
from engine.worlds.world import Scene

Phase = Literal["free", "nudged", "hold", "persistent", "dream", "streaming", "listening"]

SATURATED = 1
"""Flag bit: |activation| is above 0.97."""
OSCILLATING = 2
"""Flag bit: the velocity changed sign at each of the last ticks, with a magnitude above 1e-3."""
NOT_FINITE = 4
"""Flag bit: NaN or infinity."""
SKIPPED = 8
"""Flag bit: a lazy engine did no work for this neuron in this tick."""
ABLATED = 16
"""Flag bit: this neuron is cut out."""
UNUSED = 32
"""Flag bit: there is no neuron at this place of the tile."""


@dataclass(frozen=True, slots=True)
class Metrics:
    """What was measured up to this tick. `None` means not known (yet). Per-layer arrays are float32 (layers,)."""

    phase: Phase
    phase_ticks: int
    """Ticks since this phase began."""
    settled: bool
    t_relax: int | None
    """First tick of the free phase at which the largest |velocity| fell under the tolerance."""
    t_nudge: int | None
    """Ticks the nudged copies took to settle."""
    d_nudge: int
    """Consecutive layers from the top that the nudge reaches: RMS above 1e-3 of the top and 10x the floor."""
    nudge_floor: float
    """The measured nudge at beta = 0."""
    velocity_max: float
    rms_activation: NDArray[np.float32]
    rms_velocity: NDArray[np.float32]
    rms_nudge: NDArray[np.float32]
    saturated_share: float
    oscillating_share: float
    finite: bool
    energy: float | None
    """Energy of the free copy, only where the network has one."""
    credit_decay: float | None
    """Measured factor by which the credit shrinks from a layer to the one below, above the floor."""
    decay_theory: float | None
    """lambda(sigma), where the network has such a law and sigma is in its range."""
    dense_flops: float
    """FLOPs that a dense engine spends for the ticks since the reset."""
    effective_flops: float
    """FLOPs really spent since the reset."""
    ticks_per_second: float
    probabilities: NDArray[np.float32]
    """Class probabilities of the free copy, float32 (classes,)."""
    entrainment: float | None = None
    """max |x(t) - x(t - T)| under a stream of period T, once a period has passed."""
    spectral_radius: float | None = None
    """Largest |eigenvalue| of the Jacobian where the free state came to rest, only of a network that measures it."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One published moment of sample 0 of the batch. Its arrays belong to the reader: never written again.

    activation, velocity, nudge: float32 (layers, neurons), signed; flags: uint8 (layers, neurons) of the bits above.
    """

    tick: int
    preset: str
    layout: Layout
    activation: NDArray[np.float32]
    velocity: NDArray[np.float32]
    nudge: NDArray[np.float32]
    flags: NDArray[np.uint8]
    metrics: Metrics
    knobs: dict[str, Knob]
    """The knobs as they are now; a new dict whenever one moves."""
    sample: int | None
    """Index of the data set's sample that is clamped, None for a drawn one."""
    image: NDArray[np.float32]
    """The clamped picture, float32 (height, width) or (height, width, 3) in 0..1."""
    label: int | None
    """The class that the nudge pulls towards."""
    paused: bool = False
    nudging: bool = True
    dreaming: bool = False
    """Whether the input is free and moves with the credit that reaches it."""
    learning: Progress | None = None
    """How live learning goes, None while it is off."""
    data: Summary = field(default=Summary("", 1, 1))
    """The set that the samples are from."""
    seed: int = 0
    backend: str = ""
    """What computes the ticks at present; it changes when a device fails."""
    backend_reason: str = ""
    epoch: int = field(default=0)
    """Counts presets loaded and resets; traces start afresh when it changes."""
    decision: Decision | None = None
    """The settling clock: where the race of the competitive read-out stands; None for what never rests."""
    links: Links | None = None
    """Link budgets and gaps, only of a tween chain."""
    scene: Scene | None = None
    """The world that the network lives in, only of a tween chain."""
    density: NDArray[np.float32] | None = None
    """Synapses per voxel, float32 (layers, neurons), only where synapses grow and die."""
    rhythm: Rhythm | None = field(default=None, metadata={"logged": False})
    """How the network follows its stream, None without one. Not logged: each frame's goes a thousand ticks back."""
    growth: Growth | None = None
    """Edges, budgets and decisions, only of a growing graph."""
