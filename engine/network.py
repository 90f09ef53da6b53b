"""What every network of the observatory offers: the small protocol that sessions, views and experiments use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from engine.knobs import Knob
from engine.layout import Layout


@dataclass(frozen=True, slots=True)
class Observation:
    """Reductions of the last tick, worked out when asked for; valid until the next tick.

    `sums` is (layers, samples, 5) as in `kernels`. What is per layer comes as float64 (layers, samples), what is of
    the whole state as float64 (samples,). `neurons`: how many a layer has, or (layers, 1) where that differs.
    """

    sums: NDArray[np.float64]
    neurons: int | NDArray[np.int64]

    def _rms(self, column: int) -> NDArray[np.float64]:
        rms: NDArray[np.float64] = np.sqrt(self.sums[:, :, column] / self.neurons)
        return rms

    @property
    def rms_activation(self) -> NDArray[np.float64]:
        """RMS activation, per layer."""
        return self._rms(0)

    @property
    def rms_velocity(self) -> NDArray[np.float64]:
        """RMS velocity, per layer."""
        return self._rms(1)

    @property
    def rms_nudge(self) -> NDArray[np.float64]:
        """RMS nudge, per layer."""
        return self._rms(2)

    @property
    def velocity_max(self) -> NDArray[np.float64]:
        """Largest |change| of the whole free state in the last tick."""
        largest: NDArray[np.float64] = self.sums[:, :, 3].max(0)
        return largest

    @property
    def nudge_velocity_max(self) -> NDArray[np.float64]:
        """Largest |change| of the nudged displacements in the last tick."""
        largest: NDArray[np.float64] = self.sums[:, :, 4].max(0)
        return largest

    @property
    def finite(self) -> bool:
        """Whether no NaN or infinity is anywhere in the state."""
        return bool(np.isfinite(self.sums).all())


class Network(Protocol):
    """A network that settles. A batch of samples lives in one network; arrays are sample-major by default."""

    kind: str
    layout: Layout
    samples: int
    dtype: np.dtype[Any]
    backend: str
    backend_reason: str
    """What the backend computes with, and if it is not the first choice, why."""
    dense_flops: float
    """FLOPs (a multiply-add is two) that a dense engine spends on the couplings for these ticks."""
    effective_flops: float
    """FLOPs really spent on the couplings since the reset."""

    @property
    def parameters(self) -> dict[str, Knob]:
        """The knobs; `set_parameter` moves them."""

    @property
    def ticks(self) -> int:
        """Ticks since the reset."""

    def reset(self, seed: int) -> None:
        """Back to rest (all states zero) with the same weights; `seed` starts the noise afresh."""

    def set_parameter(self, name: str, value: float | str) -> None:
        """Move a knob; acts at the next tick. Raises KnobError."""

    def clamp(self, x: NDArray[Any], labels: NDArray[np.int64] | None) -> None:
        """Read encoded pictures x (samples, pixels). `labels` (samples,) are the classes to nudge towards; None
        means the class the network itself finds most likely. Raises ValueError for NaN, infinity or a wrong shape."""

    def aim(self) -> None:
        """Set the nudging force to -dC/dstate at the free state of this moment (constant until the next call)."""

    @property
    def pull(self) -> float:
        """Largest |f| of the force that `aim` has set; never 0, however sure the network is."""

    def release(self) -> None:
        """Put the nudged copies back onto the free one and take the force away."""

    def tick(self, nudged: bool) -> None:
        """Advance every layer once: the free copy, and the two nudged copies with it if `nudged`."""

    def ablate(self, where: NDArray[np.bool_]) -> None:
        """Cut out these neurons (layers, neurons) too; from now on their state is 0. Raises ValueError."""

    def heal(self) -> None:
        """All neurons live again, with the weights they had."""

    @property
    def ablated(self) -> NDArray[np.bool_]:
        """The neurons that are cut out, (layers, neurons)."""

    def observe(self) -> Observation:
        """Reductions of the last tick."""

    def channels(self, sample: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Activation, velocity and nudge of one sample, each (layers, neurons), signed; views, not copies."""

    def skipped(self, sample: int) -> NDArray[np.bool_]:
        """Where a lazy tick did no work, (layers, neurons)."""

    def oscillating(self, sample: int) -> NDArray[np.bool_]:
        """Where the velocity keeps changing its sign, (layers, neurons)."""

    def logits(self) -> NDArray[Any]:
        """Read-out of the free copy, (samples, classes)."""

    def energy(self) -> NDArray[np.float64] | None:
        """Energy of the free copy before the last tick, (samples,); None for a network without one."""

    def decay_theory(self) -> float | None:
        """The law for the credit's shrinking from layer to layer; None where there is none at this setting."""

    def spectral_radius(self) -> float | None:
        """Largest |eigenvalue| of the Jacobian at sample 0's free state; None where it is not measured."""

    def density(self) -> NDArray[np.float32] | None:
        """How many synapses each neuron receives, float32 (layers, neurons); None where none come and go."""

    def state_dict(self) -> dict[str, NDArray[Any]]:
        """Weights by name."""

    def load_state_dict(self, weights: dict[str, NDArray[Any]]) -> None:
        """Take over weights; singular values of recurrent couplings are clipped at 1. Raises ValueError."""
