"""A chain at its fixed points, a whole batch at a time: the free one, the two nudged ones, the local gradients.

The same physics as the ticking chains of `engine.networks`, reached by sweeps (`kernels.sweeps`) instead of ticks;
tests hold both to 1e-6 of each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from engine.learning.local import Read, hopfield_gradients, read_out_error, recursive_gradients
from engine.learning.optimise import clip_recurrent
from engine.linalg import transposed
from engine.networks.conv.plan import Plan
from engine.networks.hopfield_chain import relaxation_factor
from engine.networks.nested.nest import Nest
from kernels import sweeps

Array = NDArray[Any]
Structure = Plan | Nest | None
"""What the weights do not tell: the layers of a convolutional chain, the levels of a nested one, of others nothing."""
MOST = 1000
"""A layer ticks, and a Hopfield chain is swept, this many times at most; above the edge neither ends by itself."""
MOST_SWEEPS = 30
"""Downward sweeps of the recursive chain at most."""


@dataclass(frozen=True, slots=True)
class Free:
    """A free fixed point. states: recursive (z, s), Hopfield (s,), each (L, N, B).

    ticks: what a layer ticked to settle, mean (recursive), or sweeps (Hopfield).
    """

    read: Read
    states: tuple[Array, ...]
    ticks: float

    @property
    def logits(self) -> Array:
        """Read-out, (B, classes)."""
        return self.read.logits


@dataclass(frozen=True, slots=True)
class Nudged:
    """Displacements of the nudged copies, each state's pair (2, L, N, B): +beta first, then -beta.

    labels (B,); bottom (2, N, B) is what arrives at the stream below layer 1 (recursive chain; empty for Hopfield).
    """

    labels: NDArray[np.int64]
    states: tuple[Array, ...]
    bottom: Array


class Equilibrium:
    """Base of both chains' fixed points. `weights` are the live arrays: change them in place, then call `refresh`.

    `feedback` replaces the transposed couplings that carry the nudge downwards: arrays (L, N, N) by the name of the
    coupling, in the orientation of a transpose, and W_out (classes, N) (feedback alignment, Lillicrap et al. 2016).
    """

    kind: ClassVar[str]
    couplings: tuple[str, ...]
    recurrent: tuple[str, ...]
    matrices: ClassVar[bool] = True
    """Whether couplings are stacks of square matrices, as random feedback and flips need them."""

    def __init__(
        self,
        weights: Mapping[str, Array],
        *,
        sigma: float = 0.9,
        input_gain: float = 0.5,
        beta: float = 0.1,
        tolerance: float = 1e-5,
        feedback: Mapping[str, Array] | None = None,
    ) -> None:
        sweeps.one_blas_thread()
        self.weights = dict(weights)
        self.sigma, self.input_gain, self.beta, self.tolerance = sigma, input_gain, beta, tolerance
        self.feedback = None if feedback is None else dict(feedback)
        self.dtype = self.weights["W_out"].dtype
        self.refresh()

    def refresh(self) -> None:
        """Take over weights that have changed."""
        self._back = {name: transposed(self.weights[name]) for name in self.couplings}

    def state_dict(self) -> dict[str, Array]:
        """What a checkpoint of a training must keep besides the weights."""
        return {}

    def load_state_dict(self, state: Mapping[str, Array]) -> None:
        """Take it over again."""

    def bound(self) -> None:
        """Put recurrent couplings back to spectral norms of at most 1, in place."""
        clip_recurrent(self.weights, self.recurrent)

    def _downward(self, name: str) -> Array:
        return self._back[name] if self.feedback is None else self.feedback[name]

    def _inflow(self, x: Array) -> Array:
        return np.ascontiguousarray(self.input_gain * (self.weights["W_in"] @ x.T), self.dtype)

    def _read(self, x: Array, inflow: Array, stream: Array) -> Read:
        top = stream[-1]
        return Read(x, inflow, (self.weights["W_out"] @ top).T, top)

    def _force(self, free: Free, labels: NDArray[np.int64]) -> Array:
        """beta f = -beta dC/ds_L at the free point, (N, B)."""
        error = read_out_error(free.logits, labels)
        W_out = (self.feedback or self.weights).get("W_out", self.weights["W_out"])
        return np.ascontiguousarray(self.beta * (error @ W_out).T, self.dtype)

    def _chunks(self, samples: int) -> int:
        return -(-samples // sweeps.CHUNK)

    def settle(self, x: Array) -> Free:
        """The free fixed point for encoded pictures x (B, pixels)."""
        raise NotImplementedError

    def nudge(self, free: Free, labels: NDArray[np.int64]) -> Nudged:
        """Both nudged fixed points, towards `labels` (B,), under the constant force of the free point."""
        raise NotImplementedError

    def gradients(self, free: Free, nudged: Nudged) -> dict[str, Array]:
        """dC/dweight by name, mean over the batch, each link from the states it joins (`engine.learning.local`)."""
        raise NotImplementedError


class RecursiveEquilibrium(Equilibrium):
    """Fixed points of the recursive residual chain."""

    kind = "recursive"
    couplings = ("R", "W")
    recurrent = ("R",)

    def settle(self, x: Array) -> Free:
        """The free fixed point, layer after layer."""
        w, inflow = self.weights, self._inflow(x)
        shape = (*w["b"].shape, len(x))
        z, s = np.empty(shape, self.dtype), np.empty(shape, self.dtype)
        ticks = np.zeros((shape[0], self._chunks(len(x))), np.int64)
        sweeps.recursive_settle(w["R"], w["W"], w["b"], inflow, self.sigma, self.tolerance, MOST, z, s, ticks)
        return Free(self._read(x, inflow, s), (z, s), float(ticks.mean()))

    def nudge(self, free: Free, labels: NDArray[np.int64]) -> Nudged:
        """Both nudged fixed points, by downward sweeps."""
        w, (z, _) = self.weights, free.states
        dz, ds = np.empty((2, *z.shape), self.dtype), np.empty((2, *z.shape), self.dtype)
        bottom = np.empty((2, *z.shape[1:]), self.dtype)
        ticks = np.zeros((2, self._chunks(z.shape[2])), np.int64)
        sweeps.recursive_nudge(
            w["R"], w["W"], self._downward("R"), self._downward("W"), z, self._force(free, labels), self.sigma,
            self.tolerance * self.beta, MOST, MOST_SWEEPS, dz, ds, bottom, ticks,
        )  # fmt: skip
        return Nudged(labels, (dz, ds), bottom)

    def gradients(self, free: Free, nudged: Nudged) -> dict[str, Array]:
        """dC/dweight by name."""
        (z, s), twice = free.states, 2 * self.beta
        dz, ds, bottom = ((plus - minus) / twice for plus, minus in (*nudged.states, nudged.bottom))
        return recursive_gradients(free.read, nudged.labels, z, s, dz, ds, bottom, self.sigma, self.input_gain)


class HopfieldEquilibrium(Equilibrium):
    """Fixed points of the Hopfield energy chain."""

    kind = "hopfield"
    couplings = ("W",)
    recurrent = ("W",)

    def settle(self, x: Array) -> Free:
        """The free fixed point, by over-relaxed red-black sweeps."""
        w, inflow = self.weights, self._inflow(x)
        s = np.empty((*w["b"].shape, len(x)), self.dtype)
        ticks = np.zeros(self._chunks(len(x)), np.int64)
        omega = relaxation_factor(self.sigma)
        sweeps.hopfield_settle(
            w["W"], self._back["W"], w["b"], inflow, self.sigma, omega, self.tolerance, MOST, s, ticks
        )
        return Free(self._read(x, inflow, s), (s,), float(ticks.mean()))

    def nudge(self, free: Free, labels: NDArray[np.int64]) -> Nudged:
        """Both nudged fixed points, by red-black sweeps; over-relaxed unless the way down is no transpose.

        Over-relaxation is for real spectra: with random feedback it diverges.
        """
        (s,) = free.states
        omega = relaxation_factor(self.sigma) if self.feedback is None else 1.0
        ds = np.empty((2, *s.shape), self.dtype)
        ticks = np.zeros((2, self._chunks(s.shape[2])), np.int64)
        sweeps.hopfield_nudge(
            self.weights["W"], self._downward("W"), s, self._force(free, labels), self.sigma, omega,
            self.tolerance * self.beta, MOST, ds, ticks,
        )  # fmt: skip
        return Nudged(labels, (ds,), np.empty((2, 0, s.shape[2]), self.dtype))

    def gradients(self, free: Free, nudged: Nudged) -> dict[str, Array]:
        """dC/dweight by name."""
        (s,), ((plus, minus),) = free.states, nudged.states
        W = self.weights["W"]
        return hopfield_gradients(free.read, nudged.labels, s, plus, minus, W, self.sigma, self.input_gain, self.beta)


def equilibrium_of(
    kind: str,
    weights: Mapping[str, Array],
    *,
    sigma: float = 0.9,
    input_gain: float = 0.5,
    beta: float = 0.1,
    tolerance: float = 1e-5,
    feedback: Mapping[str, Array] | None = None,
    plan: Structure = None,
) -> Equilibrium:
    """The fixed points of a network of this `kind` (a Chain's) with these weights; conv and nested networks need their
    `plan`."""
    if isinstance(plan, Nest):
        from engine.learning.nested import NestedEquilibrium

        return NestedEquilibrium(weights, plan, sigma=sigma, input_gain=input_gain, beta=beta, tolerance=tolerance)
    if plan is not None:
        from engine.learning.conv import ConvEquilibrium

        return ConvEquilibrium(weights, plan, sigma=sigma, input_gain=input_gain, beta=beta, tolerance=tolerance)
    from engine.learning.lattice import CubeEquilibrium, EnergyCubeEquilibrium

    kinds = {known.kind: known for known in (RecursiveEquilibrium, HopfieldEquilibrium, CubeEquilibrium,
                                             EnergyCubeEquilibrium)}  # fmt: skip
    return kinds[kind](weights, sigma=sigma, input_gain=input_gain, beta=beta, tolerance=tolerance, feedback=feedback)
