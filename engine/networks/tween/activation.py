"""Activations: a = phi(z), element by element, and softmax over the last axis."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Literal

import numpy as np

from engine.networks.tween.layer import Array, Cache, Shape, ShapeError, State, Weightless, Weights

Phi = Literal["linear", "tanh", "relu", "sigmoid"]


def sigmoid(z: Array) -> Array:
    """1 / (1 + exp(-z)), without overflow."""
    half: Array = 0.5 * (1 + np.tanh(0.5 * z))
    return half


PHI: dict[Phi, tuple[Callable[[Array], Array], Callable[[Array], Array]]] = {
    "linear": (lambda z: z, np.ones_like),
    "tanh": (np.tanh, lambda a: 1 - a * a),
    "relu": (lambda z: np.maximum(z, 0), lambda a: (a > 0).astype(a.dtype)),
    "sigmoid": (sigmoid, lambda a: a * (1 - a)),
}
"""Name -> phi, and its derivative as a function of the output."""


class Activation(Weightless):
    """a = phi(x)."""

    kind = "activation"

    def __init__(self, shape_in: Shape, phi: Phi = "tanh") -> None:
        self.shape_in = self.shape = shape_in
        self._phi, self._slope = PHI[phi]

    def forward(self, weights: Weights, x: Array, state: State) -> tuple[Array, Cache, State]:
        """See Layer."""
        a = self._phi(x)
        return a, (a,), state

    def backward(
        self, weights: Weights, g: Array, cache: Cache, g_state: State | None = None
    ) -> tuple[Array, Weights, State]:
        """See Layer."""
        return g * self._slope(cache[0]), {}, ()


class Softmax(Weightless):
    """exp(x) / sum exp(x) over the last axis."""

    kind = "softmax"

    def __init__(self, shape_in: Shape) -> None:
        if not prod(shape_in):
            raise ShapeError("softmax of nothing")
        self.shape_in = self.shape = shape_in

    def forward(self, weights: Weights, x: Array, state: State) -> tuple[Array, Cache, State]:
        """See Layer."""
        a = softmax(x)
        return a, (a,), state

    def backward(
        self, weights: Weights, g: Array, cache: Cache, g_state: State | None = None
    ) -> tuple[Array, Weights, State]:
        """See Layer."""
        return softmax_back(cache[0], g), {}, ()


def softmax(x: Array) -> Array:
    """Over the last axis."""
    powers = np.exp(x - x.max(-1, keepdims=True))
    shares: Array = powers / powers.sum(-1, keepdims=True)
    return shares


def softmax_back(a: Array, g: Array) -> Array:
    """Transposed Jacobian of softmax at its output a, times g."""
    back: Array = a * (g - (a * g).sum(-1, keepdims=True))
    return back
