r"""Nested blocks: a chain whose layers hold chains, which take inner ticks for every tick of the layer that holds them.

    z <- tanh(own R o + reads W u + b),     s <- keep u + mix o            (`engine.networks.nested.nest`)

What a layer gives on, and what comes back to itself through R, is what its Block makes of z; the Block's own layers do
the same one level further in. With sigma of every level below 1 the whole contracts, whatever W of level 1 and however
many inner ticks. The nudged copies settle where

    d = J^T d + beta f + N,     d = x - x0 -> beta (I - J^T)^-1 f     as beta -> 0

(Scurria, Vanden Abeele, Mognetti, Massar 2026, arXiv 2602.03670), J the Jacobian of these equations at their joint
fixed point: the credit travels down each stream, into each Block from the top and out of it at the bottom, with as many
inner ticks as the states. Blue shows the nudge of the streams, as in the recursive chain.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engine.knobs import Knob
from engine.linalg import orthogonal_stack, semi_orthogonal
from engine.network import Observation
from engine.networks.chain import OSCILLATING_TICKS, PLAIN, Array, Chain, common_knobs
from engine.networks.nested.nest import (
    FIRST,
    INNER_TICKS,
    LAST,
    MOST_INNER_TICKS,
    SIGMA,
    Nest,
    sigma_of,
    ticks_of,
)
from engine.networks.nested.norm import bound
from engine.networks.nested.tiles import NestTiles
from kernels.backends import Backend
from kernels.cuda.device import DeviceError

_SIGMA = "Lipschitz knob of level 1: of its layers' recurrence, through what they hold. Below 1 it contracts for sure."
_INNER = "Lipschitz knob of level {}: bound of its layers' maps. Up to 1 its chains expand nothing."
_TICKS = "Ticks of level {0} for every tick of level {1}."


def inner_knobs(levels: int) -> dict[str, Knob]:
    """Sigma and inner ticks of level 2 and further in."""
    knobs = {}
    for level in range(2, levels + 1):
        knobs[sigma_of(level)] = Knob(SIGMA, 0.0, 3.0, "", _INNER.format(level))
        words = _TICKS.format(level, level - 1)
        knobs[ticks_of(level)] = Knob(INNER_TICKS, 1, MOST_INNER_TICKS, "ticks", words, "integer")
    return knobs


class NestedChain(Chain):
    """The layers of a `Nest`, of all levels in its order; states z and s, (L, B, 3, N).

    Seen from outside (channels, lesions) neurons lie in the tiles within tiles of `engine.networks.nested.tiles`.
    """

    kind = "nested"
    couplings = ("R", "W")
    state_names = ("z", "s")
    recurrent = ("R",)
    scratch_rows = 23

    def __init__(
        self, nest: Nest, neurons: int, pixels: int, classes: int, backend: Backend, *, dtype: str = "float32",
        samples: int = 1, seed: int = 0, half_weights: bool = False, weights: dict[str, Array] | None = None,
    ) -> None:  # fmt: skip
        self._nest, self.neurons = nest, neurons
        self._tiles = NestTiles(nest, neurons)
        self.first, self.unused = self._tiles.first, self._tiles.unused
        """One place of every neuron, and places without one, both (layers of level 1, places)."""
        super().__init__(
            nest.count, neurons, pixels, classes, backend, dtype=dtype, samples=samples, seed=seed,
            half_weights=half_weights, weights=weights, layout=self._tiles.layout,
        )  # fmt: skip

    def _knobs(self) -> dict[str, Knob]:
        common = common_knobs((PLAIN,))
        levels = len(self._nest.levels)
        return {"sigma": replace(common.pop("sigma"), doc=_SIGMA, edge=None), **inner_knobs(levels), **common}

    @property
    def nest(self) -> Nest:
        """The chains with the inner sigmas where their knobs stand."""
        return self._nest.tuned({name: knob.value for name, knob in self.parameters.items()})

    def _device_weights(self) -> dict[str, Array]:
        raise DeviceError(f"no kernel for a {self.kind} chain")

    def _columns(self) -> list[Array]:
        shape = (self._nest.count, self.samples, 3, self.neurons)
        return [np.zeros(shape, self.dtype), np.zeros(shape, self.dtype)]

    def _initial_weights(self, rng: np.random.Generator, pixels: int, classes: int) -> dict[str, Array]:
        layers, neurons = self._nest.count, self.neurons
        spread = np.sqrt(max(neurons, pixels) / pixels)
        return {
            "W_in": (semi_orthogonal(rng, neurons, pixels) * spread).astype(self.dtype),
            "W_out": semi_orthogonal(rng, classes, neurons).astype(self.dtype),
            "b": np.zeros((layers, neurons), self.dtype),
            "R": orthogonal_stack(rng, layers, neurons).astype(self.dtype),
            "W": orthogonal_stack(rng, layers, neurons).astype(self.dtype),
        }

    def reset(self, seed: int) -> None:
        """Back to rest (all states zero) with the same weights; `seed` starts the noise afresh."""
        self._feel()
        super().reset(seed)

    def set_parameter(self, name: str, value: float | str) -> None:
        """Move a knob; acts at the next tick. Raises KnobError."""
        super().set_parameter(name, value)
        self._feel()

    def _feel(self) -> None:
        """Put together what depends on the knobs of the levels."""
        ticks = tuple(int(self.value(ticks_of(level))) for level in range(2, len(self._nest.levels) + 1))
        self._ways = self.nest.ways(self.value("sigma")).astype(self.dtype)
        self._program = self._nest.program(ticks)
        self._visits = self._nest.visits(ticks)

    def _advance(self, columns: int) -> None:
        (z, s), (z_out, s_out) = self._states, self._next_states
        self._backend.nested_tick(
            *self._stacks, self._nest.links, self._nest.roots, self._ways, self._program, self._drive, self._inflow,
            self._force, z, s, z_out, s_out, self._velocity, self._flips, self._sums, self._products, columns,
        )  # fmt: skip

    def _products_per_weight(self, nudged: bool) -> float:
        return self._visits * (3 + 2 if nudged else 1)

    def bound(self, slack: float = 0.0) -> None:
        """Put the norms of all R, and of W within Blocks, back to 1 at most, in place."""
        bound(self.weights, self._nest, slack)

    def observe(self) -> Observation:
        """Reductions of the last tick, of every layer of all levels."""
        return Observation(self._sums, self.neurons)

    def channels(self, sample: int) -> tuple[Array, Array, Array]:
        """Activation, velocity and nudge of one sample as they lie in the tiles, signed; copies."""
        activation, velocity, nudge = (self._tiles.in_tiles(channel) for channel in super().channels(sample))
        return activation, velocity, nudge

    def oscillating(self, sample: int) -> NDArray[np.bool_]:
        """Where the velocity keeps changing its sign, as it lies in the tiles."""
        return self._tiles.in_tiles(self._flips[:, sample] >= OSCILLATING_TICKS)

    @property
    def ablated(self) -> NDArray[np.bool_]:
        """The neurons that are cut out, as they lie in the tiles."""
        return self._tiles.in_tiles(self._dead)

    @property
    def _dead(self) -> NDArray[np.bool_]:
        return self._disturbance.dead

    def ablate(self, where: NDArray[np.bool_]) -> None:
        """Cut out the neurons at these places of the tiles too: from now on their state is 0. Raises ValueError."""
        super().ablate(self._tiles.neurons_at(where) if where.shape == self.unused.shape else where)

    def severed(self, dead: NDArray[np.bool_]) -> dict[str, NDArray[np.bool_]]:
        """A dead neuron's rows of R and W, its bias, and its column of the matrix that reads it: R of a layer without a
        Block, W of the first layer of the Block."""
        links = self._nest.links
        R = np.repeat(dead[:, :, None], self.neurons, 2)
        W = R.copy()
        alone, holders = np.flatnonzero(links[:, LAST] < 0), np.flatnonzero(links[:, LAST] >= 0)
        R[alone] |= dead[alone][:, None]
        W[links[holders, FIRST]] |= dead[holders][:, None]
        return {"R": R, "W": W, "b": dead}


def nest_of_chain(chain: Chain) -> Nest | None:
    """The levels of nested chains, None of any other."""
    return chain.nest if isinstance(chain, NestedChain) else None
