"""What a layer of a tween chain offers: a map with its true transposed Jacobian, and state that lives across ticks.

Arrays have two leading axes, lanes and samples: (S, B, *shape). A lane is a network of its own with its own weights
(S, ...); the samples of a lane share them. Vectors are (features,), sequences (time, features), images (channels,
height, width).

A layer holds no arrays. `forward` returns what `backward` will need, so that an error which arrives many ticks later
can still be sent back through the moment that caused it.
"""

from __future__ import annotations

import math
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]
Shape: TypeAlias = tuple[int, ...]
Weights: TypeAlias = dict[str, Array]
State: TypeAlias = tuple[Array, ...]
"""What a layer remembers from tick to tick; empty for most."""
Cache: TypeAlias = tuple[Any, ...]
"""What a forward pass leaves for its backward pass."""


class ShapeError(ValueError):
    """Layers that do not fit each other; one readable line."""


class Layer(Protocol):
    """A layer whose shapes are fixed when it is made. Raises ShapeError then."""

    kind: str

    @property
    def shape_in(self) -> Shape:
        """Of one sample's input."""

    @property
    def shape(self) -> Shape:
        """Of one sample's output."""

    def initial_weights(self, rng: np.random.Generator, lanes: int) -> Weights:
        """Fresh float64 weights, (lanes, ...) each."""

    def initial_state(self, lanes: int, samples: int, dtype: np.dtype[Any]) -> State:
        """Memory at the beginning, all zeros."""

    def forward(self, weights: Weights, x: Array, state: State) -> tuple[Array, Cache, State]:
        """The output for input x (S, B, *shape_in), what backward needs, and the new memory."""

    def backward(
        self, weights: Weights, g: Array, cache: Cache, g_state: State | None = None
    ) -> tuple[Array, Weights, State]:
        """Transposed Jacobian times g (S, B, *shape).

        Returns the part for the input, the part for every weight (summed over samples) and the part for the memory
        before this tick. `g_state` is what arrives at the memory after this tick; None is nothing.
        """


class Stateless:
    """A layer without memory."""

    def initial_state(self, lanes: int, samples: int, dtype: np.dtype[Any]) -> State:
        """Nothing."""
        return ()


class Weightless(Stateless):
    """A layer without memory and weights."""

    def initial_weights(self, rng: np.random.Generator, lanes: int) -> Weights:
        """Nothing."""
        return {}


def glorot(rng: np.random.Generator, lanes: int, rows: int, columns: int, shape: Shape | None = None) -> Array:
    """Uniform weights of variance 2 / (rows + columns), (lanes, *shape), by default (lanes, rows, columns).

    (Glorot & Bengio 2010.)
    """
    reach = math.sqrt(6 / (rows + columns))
    return rng.uniform(-reach, reach, (lanes, *(shape or (rows, columns))))


def outer(g: Array, read: Array) -> Array:
    """Gradient of a matrix W in W read, for credit g: (S, B, n), (S, B, m) -> (S, n, m), summed over samples."""
    turned = g.swapaxes(1, 2)
    found: Array = turned * read if g.shape[1] == 1 else turned @ read
    return found


def flat(x: Array) -> Array:
    """(S, B, everything else)."""
    return x.reshape(*x.shape[:2], -1)


def part_of(weights: Weights, name: str) -> Weights:
    """The weights whose names begin with `name.`, without it."""
    start = f"{name}."
    return {key[len(start) :]: value for key, value in weights.items() if key.startswith(start)}


def as_part(weights: Weights, name: str) -> Weights:
    """The same weights, their names beginning with `name.`."""
    return {f"{name}.{key}": value for key, value in weights.items()}
