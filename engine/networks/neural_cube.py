r"""The neural cube: n^3 voxels, each coupled to its 26 neighbours only, nudged by asymmetric equilibrium propagation.

    s <- tanh(sigma R s + U s + b + input)

U couples upwards, from the 9 neighbours in the layer below (z - 1); it starts as transport, 1 from the voxel straight
below plus a little noise. R is the recurrence, from 8 neighbours in the voxel's own layer and 9 in the layer above,
with ||R||_2 = 1 kept by lowering the largest singular values on the lattice itself (`engine.lattice`). A picture falls
onto the face z = 0, voxel by voxel, and a linear read-out sits on the face z = n - 1. With downward synapses U and R
close loops, so sigma alone does not bound the map: the edge is where the spectral radius of J = D (sigma R + U),
D = 1 - s^2, passes 1, and it is measured. The nudged copies follow

    x' = F(x) + (J^T - J)(x - x0) + beta f,     d = x - x0 -> beta (I - J^T)^-1 f     as beta -> 0,

with the force f = -dC/ds on the face z = n - 1 (Scurria, Vanden Abeele, Mognetti, Massar 2026, arXiv 2602.03670).

There are no lazy ticks: a voxel has 26 synapses, and to note what changed would cost as much as to send it.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engine.knobs import Knob
from engine.lattice import NEAR, Lattice
from engine.linalg import semi_orthogonal
from engine.networks.chain import PLAIN, Array, Chain, common_knobs
from engine.networks.retina import retina
from kernels import lattice as fast
from kernels.backends import Backend
from kernels.lattice_reference import NEIGHBOURS, around

BELOW = 9
"""Rows of K that come from the layer below: U. The others are R."""
STRAIGHT = NEIGHBOURS.index((-1, 0, 0))
_SIGMA = "Spectral norm of the recurrent coupling. The edge is where the spectral radius, which is measured, passes 1."
_BUDGET = "While learning: share of the lattice's synapses that may exist. They grow where the nudge is loud."
TRANSPORT_NOISE = 0.05
"""Standard deviation of the first weights about pure transport."""


def joined(U: Array, R: Array, gains: tuple[float, float]) -> Array:
    """The coupling K (n, 27, n * n) of U and R, each multiplied by its gain."""
    return np.concatenate([U * U.dtype.type(gains[0]), R * R.dtype.type(gains[1])], axis=1)


class NeuralCube(Chain):
    """A chain of n layers whose neurons are the voxels of a slice; state s (n, B, 3, n * n).

    `picture` is the shape of the pictures that it reads. A weight of U or R that is 0 is no synapse: it has no noise
    and learns nothing.
    """

    kind = "cube"
    couplings = ("U", "R")
    state_names = ("s",)
    recurrent: tuple[str, ...] = ("R",)
    scratch_rows = 2
    symmetric = False

    def __init__(
        self,
        side: int,
        picture: tuple[int, ...],
        classes: int,
        backend: Backend,
        *,
        dtype: str = "float32",
        samples: int = 1,
        seed: int = 0,
        half_weights: bool = False,
        weights: dict[str, Array] | None = None,
    ) -> None:
        self.side, self._picture = side, picture
        self.lattice = Lattice(side, side, backend.lattice, self.symmetric)
        rng = np.random.default_rng((seed, 9))
        self._loudest, self._slowest = (rng.standard_normal(side**3).astype(dtype) for _ in range(2))
        self._felt = np.zeros((2, side, len(NEIGHBOURS), side * side), dtype)
        self._room = np.zeros((fast.teams(), fast.ROOM, side * side), dtype)
        super().__init__(
            side, side * side, math.prod(picture), classes, backend, dtype=dtype, samples=samples, seed=seed,
            half_weights=half_weights, weights=weights,
        )  # fmt: skip
        self.layout = replace(self.layout, volume=True)
        self._flops_per_product = 2.0 * samples * float(self.lattice.mask.sum())

    def _knobs(self) -> dict[str, Knob]:
        knobs = common_knobs((PLAIN,))
        knobs["sigma"] = replace(knobs["sigma"], doc=_SIGMA, edge=None)
        return {**knobs, "budget": Knob(1.0, 0.02, 1.0, "", _BUDGET)}

    def _initial_weights(self, rng: np.random.Generator, pixels: int, classes: int) -> dict[str, Array]:
        K = rng.standard_normal(self.lattice.mask.shape)
        U = TRANSPORT_NOISE * K[:, :BELOW]
        U[:, STRAIGHT] += 1
        K[:, :BELOW] = 0
        K = self.lattice.normed((K * self.lattice.mask).astype(self.dtype), self._loudest)
        return {
            "W_in": retina(self._picture, self.side).astype(self.dtype),
            "W_out": semi_orthogonal(rng, classes, self.layout.neurons).astype(self.dtype),
            "U": (U * self.lattice.mask[:, :BELOW]).astype(self.dtype),
            "R": K[:, BELOW:].copy(),
            "b": np.zeros((self.side, self.layout.neurons), self.dtype),
        }

    @property
    def gains(self) -> tuple[float, float]:
        """What U and R are multiplied by."""
        return 1.0, self.value("sigma")

    def _store_couplings(self) -> None:
        super()._store_couplings()
        for name in ("W_in", *self.couplings):
            if self.acting[name] is not self.weights[name]:
                self.acting[name] = self.acting[name] * (self.weights[name] != 0)
        self._density: NDArray[np.float32] | None = None
        self._feel()

    def _feel(self) -> None:
        """Put together the coupling that ticks read, and its transpose."""
        K, T = self._felt
        K[...] = joined(self.acting["U"], self.acting["R"], self.gains)
        self.lattice.transposed(K, T)

    def set_parameter(self, name: str, value: float | str) -> None:
        """Move a knob; acts at the next tick. Raises KnobError."""
        super().set_parameter(name, value)
        if name == "sigma":
            self._feel()
            if self._on_device is not None:
                self._on_device.load_weights(self._device_weights())

    def _device_weights(self) -> dict[str, Array]:
        return dict(zip("KT", self._felt, strict=True))

    def bound(self, slack: float = NEAR) -> None:
        """Bring the recurrent norm back to 1 on the synapses that exist, in place, if it is above 1 + slack."""
        self._loudest = self.lattice.bound(self.weights["U"], self.weights["R"], self._loudest, max(slack, NEAR))

    def load_state_dict(self, weights: dict[str, Array]) -> None:
        """Take over weights of the same names and shapes; synapses from outside the lattice are 0, ||R|| at most 1.

        Raises ValueError naming the tensor that is missing, unknown, of the wrong shape or not finite.
        """
        inside = {"U": self.lattice.mask[:, :BELOW], "R": self.lattice.mask[:, BELOW:]}
        fits = [name for name in inside if name in weights and weights[name].shape == inside[name].shape]
        super().load_state_dict({**weights, **{name: np.where(inside[name], weights[name], 0) for name in fits}})

    def severed(self, dead: NDArray[np.bool_]) -> dict[str, NDArray[np.bool_]]:
        """A dead voxel's synapses in and out, its bias, its pixels and, at the top, its column of the read-out."""
        lost = np.stack(list(around(dead, self.side)), axis=1) | dead[:, None]
        W_in = np.broadcast_to(dead[0][:, None], self.weights["W_in"].shape)
        W_out = np.broadcast_to(dead[-1], self.weights["W_out"].shape)
        return {"U": lost[:, :BELOW], "R": lost[:, BELOW:], "b": dead, "W_in": W_in, "W_out": W_out}

    def _advance(self, columns: int) -> None:
        (s,), (s_out,) = self._states, self._next_states
        self._backend.lattice.tick(
            *self._felt, self._drive, self._inflow, self._force, s, s_out, self._velocity, self._flips, self._sums,
            self._products, self._room, self.side, columns,
        )  # fmt: skip

    def _products_per_weight(self, nudged: bool) -> int:
        return 3 + 2 if nudged else 1

    def spectral_radius(self) -> float:
        """Largest |eigenvalue| of J = D (sigma R + U) at sample 0's free state."""
        self._fetch()
        slope = 1 - np.square(self._states[0][:, 0, 0])
        radius, self._slowest = self.lattice.spectral_radius(self._felt[0], slope, self._slowest)
        return radius

    def density(self) -> NDArray[np.float32]:
        """How many synapses each voxel receives, float32 (n, n * n)."""
        if self._density is None:
            counts = sum((self.acting[name] != 0).sum(1) for name in self.couplings)
            self._density = np.asarray(counts, np.float32)
        return self._density
