"""Dense layers, the resolvers: a = phi(W x + b)."""

from __future__ import annotations

from math import prod

import numpy as np

from engine.networks.tween.activation import PHI, Phi
from engine.networks.tween.layer import Array, Cache, Shape, ShapeError, State, Stateless, Weights, flat, glorot, outer


class Dense(Stateless):
    """Reads its input as one vector. W (S, features, inputs), b (S, features)."""

    kind = "dense"

    def __init__(self, shape_in: Shape, features: int, phi: Phi = "tanh") -> None:
        if features < 1:
            raise ShapeError(f"a dense layer of {features} features")
        self.shape_in, self.shape = shape_in, (features,)
        self._phi, self._slope = PHI[phi]

    def initial_weights(self, rng: np.random.Generator, lanes: int) -> Weights:
        """Glorot's weights, no biases."""
        features = self.shape[0]
        return {"W": glorot(rng, lanes, features, prod(self.shape_in)), "b": np.zeros((lanes, features))}

    def forward(self, weights: Weights, x: Array, state: State) -> tuple[Array, Cache, State]:
        """See Layer."""
        read = flat(x)
        a = self._phi(read @ weights["W"].swapaxes(1, 2) + weights["b"][:, None])
        return a, (read, a), state

    def backward(
        self, weights: Weights, g: Array, cache: Cache, g_state: State | None = None
    ) -> tuple[Array, Weights, State]:
        """See Layer."""
        read, a = cache
        gz = g * self._slope(a)
        back = (gz @ weights["W"]).reshape(*g.shape[:2], *self.shape_in)
        return back, {"W": outer(gz, read), "b": gz.sum(1)}, ()

    def target(self, weights: Weights, t: Array) -> Array:
        """What the input should be for the output to be t, without derivatives: a weighted mean of the targets."""
        return weighted_target(weights["W"], t).reshape(*t.shape[:2], *self.shape_in)


def weighted_target(W: Array, t: Array) -> Array:
    """t_in = sum_out W t_out / sum_out |W|; t (S, B, out) -> (S, B, in)."""
    tiny = np.finfo(W.dtype).tiny
    mean: Array = (t @ W) / np.maximum(np.abs(W).sum(1), tiny)[:, None]
    return mean
