r"""The convolutional chain: images that settle, on a stream that strides and residual links shape.

    z_l <- tanh(sigma R_l * z_l + K_l * s_(l-1) + b_l)      block l, (C_l, H_l, W_l); * is a convolution, zero-padded
    s_l <- z_l,  or with a residual link  s_(l-1) + z_l / sqrt(how many such links there are)
    s_0 = gain x,   logits = W_out s_L

The largest singular value of the operator z -> R_l * z, at this size and padding, is kept at 1 (`conv.norm`), so sigma
is the Lipschitz constant of every block's own recurrence, the Jacobian is block lower-triangular and the contraction
edge is sigma = 1, as in the recursive chain. The nudge is that chain's too (Scurria, Vanden Abeele, Mognetti, Massar
2026, arXiv 2602.03670), with transposed convolutions on the way down:

    g_l   =  (1 - z_l^2) (dz_l + share_l ds_l)
    dz_l <-  sigma R_l^T * g_l + N_l
    ds_l <-  skip_(l+1) ds_(l+1) + K_(l+1)^T * g_(l+1) + share_l N_l,       ds_L <- +-beta f + share_L N_L
"""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.knobs import Knob
from engine.linalg import semi_orthogonal
from engine.network import Observation
from engine.networks.chain import OSCILLATING_TICKS, PLAIN, Array, Chain, common_knobs
from engine.networks.conv.norm import Recurrence, Recurrences
from engine.networks.conv.plan import Plan
from engine.tiles import Tiles
from kernels.backends import Backend
from kernels.cuda.device import DeviceError

ALIVE = "alive"
"""Beside the acting weights while there is a lesion: 1 and 0, (L, N), a layer's neurons first. All places share the
kernels, so a neuron cannot be cut out of them."""


class ConvChain(Chain):
    """The layers of a plan; states z and s, (L, B, 3, N), of which layer l fills its first C_l H_l W_l places.

    Seen from outside (channels, lesions) neurons lie in the tiles of `engine.tiles`.
    """

    kind = "conv"
    state_names = ("z", "s")
    scratch_rows = 16

    def __init__(
        self, plan: Plan, classes: int, backend: Backend, *, dtype: str = "float32", samples: int = 1, seed: int = 0,
        weights: dict[str, Array] | None = None,
    ) -> None:  # fmt: skip
        self.plan = plan
        self.couplings = tuple(plan.kernels())
        self.recurrent = tuple(name for name in self.couplings if name.endswith("R"))
        self._tiles = Tiles([layer.shape for layer in plan.layers])
        self.first, self.unused = self._tiles.first, self._tiles.unused
        """One place of every neuron, and places without one, both (L, N)."""
        layout, pixels = self._tiles.layout, prod(plan.picture)
        self._ways = plan.ways.astype(dtype)
        self._recurrences = Recurrences(plan, np.dtype(dtype))
        self._room = np.zeros((len(plan.layers), samples, plan.neighbourhood), dtype)
        lesion = None if weights is None else weights.get(ALIVE)
        if lesion is not None:
            weights = {name: array for name, array in (weights or {}).items() if name != ALIVE}
        super().__init__(
            layout.layers, layout.neurons, pixels, classes, backend,
            dtype=dtype, samples=samples, seed=seed, weights=weights, layout=layout,
        )  # fmt: skip
        self._flops_per_product = 2.0 * samples * sum(plan.multiply_adds)
        self._inflow = np.zeros((samples, pixels), self.dtype)
        if lesion is not None:
            self.ablate(self.in_tiles(lesion == 0))

    def _knobs(self) -> dict[str, Knob]:
        return common_knobs((PLAIN,))

    def _device_weights(self) -> dict[str, Array]:
        raise DeviceError(f"no kernel for a {self.kind} chain")

    def _columns(self) -> list[Array]:
        return [*super()._columns(), *super()._columns()]

    def _initial_weights(self, rng: np.random.Generator, pixels: int, classes: int) -> dict[str, Array]:
        weights, kernels = {}, self.plan.kernels()
        for index, layer in enumerate(self.plan.layers):
            number = index + 1
            rows, columns = kernels[f"{number}.K"]
            below = semi_orthogonal(rng, rows, columns) * np.sqrt(max(rows, columns) / columns)
            own = rng.standard_normal(kernels[f"{number}.R"])
            own /= Recurrence(self.plan, index, own.dtype).norm(own)
            weights[f"{number}.K"], weights[f"{number}.R"] = below.astype(self.dtype), own.astype(self.dtype)
            weights[f"{number}.b"] = np.zeros(layer.channels, self.dtype)
        weights["W_out"] = semi_orthogonal(rng, classes, self.plan.neurons[-1]).astype(self.dtype)
        return weights

    def bound(self, slack: float = 0.0) -> None:
        """Put the recurrent operators back to norms of at most 1, in place: after an update, or with a `slack` weights
        from anywhere."""
        if slack:
            self._recurrences.bring_down(self.weights)
        else:
            self._recurrences.keep(self.weights)

    def _biases(self) -> Array:
        drive = np.zeros((self.layout.layers, 1, self.layout.neurons), self.dtype)
        for row, layer, number in zip(drive, self.plan.layers, range(1, len(drive) + 1), strict=True):
            row[0, : layer.neurons] = self.acting[f"{number}.b"].repeat(layer.neurons // layer.channels)
        return drive

    def _products_per_weight(self, nudged: bool) -> float:
        """The picture is not displaced, and no credit is carried down to it."""
        first, others = self.plan.multiply_adds
        return (first + (3 + 2) * others) / (first + others) if nudged else 1

    def _store_couplings(self) -> None:
        self.acting = self._disturbance.of(self.weights)
        alive = (~self._dead).astype(self.dtype)
        self._stacks = [self.plan.packed(self.acting), alive]
        if self.ablated.any():
            self.acting[ALIVE] = alive

    def _read_pixels(self, x: Array) -> None:
        self._seen = x
        self._inflow[...] = self.value("input_gain") * self.plan.arranged(x)

    def _advance(self, columns: int) -> None:
        (z, s), (z_out, s_out) = self._states, self._next_states
        kernels, alive = self._stacks
        self._backend.conv_tick(
            self.plan.shapes, self._ways, kernels, alive, self._drive, self._inflow, self._force, self.value("sigma"),
            z, s, z_out, s_out, self._velocity, self._flips, self._sums, self._products, self._room, columns,
        )  # fmt: skip

    def observe(self) -> Observation:
        """Reductions of the last tick, of each layer over its own neurons."""
        return replace(super().observe(), neurons=np.array(self.plan.neurons)[:, None])

    def in_tiles(self, values: NDArray[Any]) -> NDArray[Any]:
        """Values (L, N), a layer's neurons first, as they lie in the tiles; 0 where no neuron is."""
        shown = np.zeros_like(values)
        for row, source, hits, numbers in zip(shown, values, self._tiles.hits, self._tiles.numbers, strict=True):
            row[hits] = source[numbers]
        return shown

    @property
    def _dead(self) -> NDArray[np.bool_]:
        return self._neurons_at(self.ablated)

    def _neurons_at(self, where: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Neurons that have a place among these, a layer's neurons first."""
        found = np.zeros_like(where)
        for row, source, hits, numbers in zip(found, where, self._tiles.hits, self._tiles.numbers, strict=True):
            row[numbers[source[hits]]] = True
        return found

    def channels(self, sample: int) -> tuple[Array, Array, Array]:
        """Activation, velocity and nudge of one sample as they lie in the tiles, each (L, N), signed; copies."""
        activation, velocity, nudge = super().channels(sample)
        return self.in_tiles(activation), self.in_tiles(velocity), self.in_tiles(nudge)

    def oscillating(self, sample: int) -> NDArray[np.bool_]:
        """Where the velocity keeps changing its sign, (L, N)."""
        return self.in_tiles(self._flips[:, sample] >= OSCILLATING_TICKS)

    def severed(self, dead: NDArray[np.bool_]) -> dict[str, NDArray[np.bool_]]:
        """None: all places share the kernels. A dead block's state and credit are 0, and the stream passes it by."""
        return {}

    def ablate(self, where: NDArray[np.bool_]) -> None:
        """Cut out the neurons at these places (L, N) too: from now on their state is 0. Raises ValueError."""
        super().ablate(self.in_tiles(self._neurons_at(where)) if where.shape == self.unused.shape else where)
