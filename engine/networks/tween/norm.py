"""Norms, the regulators: the output's scale does not depend on the input's."""

from __future__ import annotations

from math import prod

import numpy as np

from engine.networks.tween.layer import Array, Cache, Shape, ShapeError, State, Stateless, Weights, flat

EPSILON = 1e-8


class _Norm(Stateless):
    def __init__(self, shape_in: Shape) -> None:
        if prod(shape_in) < 2:
            raise ShapeError("a norm needs at least two features")
        self.shape_in = self.shape = shape_in

    def _scaled(self, weights: Weights, g: Array, n: Array) -> tuple[Array, Array]:
        """g at the normalised n (S, B, F), and the gradient of the gain."""
        arriving = flat(g)
        return arriving * weights["gain"][:, None], (arriving * n).sum(1)


class LayerNorm(_Norm):
    """gain (x - mean) / sd + b over all features of a sample (Ba et al. 2016). gain, b (S, F)."""

    kind = "layernorm"

    def initial_weights(self, rng: np.random.Generator, lanes: int) -> Weights:
        """gain 1, b 0."""
        features = prod(self.shape)
        return {"gain": np.ones((lanes, features)), "b": np.zeros((lanes, features))}

    def forward(self, weights: Weights, x: Array, state: State) -> tuple[Array, Cache, State]:
        """See Layer."""
        read = flat(x)
        off = read - read.mean(-1, keepdims=True)
        spread = np.sqrt(np.square(off).mean(-1, keepdims=True) + EPSILON)
        n = off / spread
        a = n * weights["gain"][:, None] + weights["b"][:, None]
        return a.reshape(x.shape), (n, spread), state

    def backward(
        self, weights: Weights, g: Array, cache: Cache, g_state: State | None = None
    ) -> tuple[Array, Weights, State]:
        """See Layer."""
        n, spread = cache
        gn, gain = self._scaled(weights, g, n)
        back = (gn - gn.mean(-1, keepdims=True) - n * (gn * n).mean(-1, keepdims=True)) / spread
        return back.reshape(g.shape), {"gain": gain, "b": flat(g).sum(1)}, ()


class RMSNorm(_Norm):
    """gain x / rms(x) (Zhang & Sennrich 2019). gain (S, F)."""

    kind = "rmsnorm"

    def initial_weights(self, rng: np.random.Generator, lanes: int) -> Weights:
        """gain 1."""
        return {"gain": np.ones((lanes, prod(self.shape)))}

    def forward(self, weights: Weights, x: Array, state: State) -> tuple[Array, Cache, State]:
        """See Layer."""
        read = flat(x)
        rms = np.sqrt(np.square(read).mean(-1, keepdims=True) + EPSILON)
        n = read / rms
        return (n * weights["gain"][:, None]).reshape(x.shape), (n, rms), state

    def backward(
        self, weights: Weights, g: Array, cache: Cache, g_state: State | None = None
    ) -> tuple[Array, Weights, State]:
        """See Layer."""
        n, rms = cache
        gn, gain = self._scaled(weights, g, n)
        back = (gn - n * (gn * n).mean(-1, keepdims=True)) / rms
        return back.reshape(g.shape), {"gain": gain}, ()
