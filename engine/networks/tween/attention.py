"""Multi-head self-attention, the router (Vaswani et al. 2017): every step of a sequence reads all steps."""

from __future__ import annotations

import math

import numpy as np

from engine.networks.tween.activation import softmax, softmax_back
from engine.networks.tween.dense import weighted_target
from engine.networks.tween.layer import Array, Cache, Shape, ShapeError, State, Stateless, Weights, glorot


class Attention(Stateless):
    """x (S, B, T, F) -> (S, B, T, F).  Q, K, V = x W_q, x W_k, x W_v;  softmax(Q K^T / sqrt(d)) V;  then W_o.

    Weights (S, F, F) each; head k reads features k d to (k + 1) d of Q, K and V.
    """

    kind = "attention"

    def __init__(self, shape_in: Shape, heads: int = 1) -> None:
        if len(shape_in) != 2:
            raise ShapeError(f"attention reads (time, features), not {shape_in}")
        if heads < 1 or shape_in[1] % heads:
            raise ShapeError(f"{shape_in[1]} features cannot be shared by {heads} heads")
        self.shape_in = self.shape = shape_in
        self.heads = heads

    def initial_weights(self, rng: np.random.Generator, lanes: int) -> Weights:
        """Glorot's."""
        features = self.shape[1]
        return {name: glorot(rng, lanes, features, features) for name in ("W_q", "W_k", "W_v", "W_o")}

    def _apart(self, x: Array) -> Array:
        """(S, B, T, F) -> (S, B, heads, T, d)."""
        return x.reshape(*x.shape[:3], self.heads, -1).swapaxes(2, 3)

    def _together(self, x: Array) -> Array:
        """Back again."""
        swapped = x.swapaxes(2, 3)
        return swapped.reshape(*swapped.shape[:3], -1)

    def forward(self, weights: Weights, x: Array, state: State) -> tuple[Array, Cache, State]:
        """See Layer."""
        q, k, v = (self._apart(_times(x, weights[name])) for name in ("W_q", "W_k", "W_v"))
        routes = softmax(q @ k.swapaxes(-1, -2) / math.sqrt(q.shape[-1]))
        mixed = self._together(routes @ v)
        return _times(mixed, weights["W_o"]), (x, q, k, v, routes, mixed), state

    def backward(
        self, weights: Weights, g: Array, cache: Cache, g_state: State | None = None
    ) -> tuple[Array, Weights, State]:
        """See Layer."""
        x, q, k, v, routes, mixed = cache
        gm = self._apart(_times(g, weights["W_o"].swapaxes(1, 2)))
        scores = softmax_back(routes, gm @ v.swapaxes(-1, -2)) / math.sqrt(q.shape[-1])
        parts = {
            "W_q": self._together(scores @ k),
            "W_k": self._together(scores.swapaxes(-1, -2) @ q),
            "W_v": self._together(routes.swapaxes(-1, -2) @ gm),
        }
        gradients = {name: _outer(x, part) for name, part in parts.items()} | {"W_o": _outer(mixed, g)}
        back: Array = sum(_times(part, weights[name].swapaxes(1, 2)) for name, part in parts.items())  # type: ignore[assignment]
        return back, gradients, ()

    def routes(self, cache: Cache) -> Array:
        """The attention of a forward pass, (S, B, heads, T, T): row t says what step t reads."""
        found: Array = cache[4]
        return found

    def target(self, weights: Weights, t: Array) -> Array:
        """What the input should be, without derivatives, by the weights that carry values: each step on its own."""
        carried = weights["W_v"] @ weights["W_o"]
        lanes, samples, steps, features = t.shape
        rows = t.reshape(lanes, samples * steps, features)
        return weighted_target(carried.swapaxes(1, 2), rows).reshape(t.shape)


def _times(x: Array, w: Array) -> Array:
    """(S, B, T, F) times (S, F, G)."""
    product: Array = x @ w[:, None]
    return product


def _outer(x: Array, g: Array) -> Array:
    """Sum over samples and steps of x g^T, (S, F, G)."""
    lanes = x.shape[0]
    product: Array = x.reshape(lanes, -1, x.shape[-1]).swapaxes(1, 2) @ g.reshape(lanes, -1, g.shape[-1])
    return product
