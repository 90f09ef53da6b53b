"""Recurrent layers, the dampers: memory lives across ticks, so one bad frame cannot turn them round."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from engine.networks.tween.activation import sigmoid
from engine.networks.tween.dense import weighted_target
from engine.networks.tween.layer import Array, Cache, Shape, ShapeError, State, Weights, flat, glorot, outer


class _Recurrent:
    """Input read as one vector, output = memory h of `features`. W (S, n, inputs), U (S, n, features), b (S, n)."""

    gates = 1

    def __init__(self, shape_in: Shape, features: int) -> None:
        if features < 1:
            raise ShapeError(f"a recurrent layer of {features} features")
        self.shape_in, self.shape = shape_in, (features,)

    def initial_weights(self, rng: np.random.Generator, lanes: int) -> Weights:
        """Glorot's weights, no biases."""
        inputs, features, gates = prod(self.shape_in), self.shape[0], self.gates
        return {
            "W": glorot(rng, lanes, features, inputs, (gates * features, inputs)),
            "U": glorot(rng, lanes, features, features, (gates * features, features)),
            "b": np.zeros((lanes, gates * features)),
        }

    def _through(self, weights: Weights, gz: Array, read: Array, h: Array) -> tuple[Array, Weights, Array]:
        """gz (S, B, n) sent back to the input, the weights and the memory."""
        back = (gz @ weights["W"]).reshape(*gz.shape[:2], *self.shape_in)
        return back, {"W": outer(gz, read), "U": outer(gz, h), "b": gz.sum(1)}, gz @ weights["U"]

    def target(self, weights: Weights, t: Array) -> Array:
        """What the input should be, without derivatives: by the weights that write the memory's content."""
        features = self.shape[0]
        return weighted_target(weights["W"][:, -features:], t).reshape(*t.shape[:2], *self.shape_in)


class RNN(_Recurrent):
    """h <- tanh(W x + U h + b)."""

    kind = "rnn"

    def initial_state(self, lanes: int, samples: int, dtype: np.dtype[Any]) -> State:
        """h = 0."""
        return (np.zeros((lanes, samples, *self.shape), dtype),)

    def forward(self, weights: Weights, x: Array, state: State) -> tuple[Array, Cache, State]:
        """See Layer."""
        read, (h,) = flat(x), state
        new = np.tanh(read @ weights["W"].swapaxes(1, 2) + h @ weights["U"].swapaxes(1, 2) + weights["b"][:, None])
        return new, (read, h, new), (new,)

    def backward(
        self, weights: Weights, g: Array, cache: Cache, g_state: State | None = None
    ) -> tuple[Array, Weights, State]:
        """See Layer."""
        read, h, new = cache
        arriving = g if g_state is None else g + g_state[0]
        back, gradients, to_memory = self._through(weights, arriving * (1 - new * new), read, h)
        return back, gradients, (to_memory,)


class LSTM(_Recurrent):
    """i, f, o = sigmoid(.), u = tanh(.) of W x + U h + b;  c <- f c + i u;  h <- o tanh(c).

    (Hochreiter & Schmidhuber 1997; Gers et al. 2000.) Rows of the weights: i, f, o, u. The bias of f starts at 1.
    """

    kind = "lstm"
    gates = 4

    def initial_weights(self, rng: np.random.Generator, lanes: int) -> Weights:
        """Glorot's weights; biases 0, of the forget gate 1."""
        weights = super().initial_weights(rng, lanes)
        features = self.shape[0]
        weights["b"][:, features : 2 * features] = 1
        return weights

    def initial_state(self, lanes: int, samples: int, dtype: np.dtype[Any]) -> State:
        """h = c = 0."""
        return (np.zeros((lanes, samples, *self.shape), dtype), np.zeros((lanes, samples, *self.shape), dtype))

    def forward(self, weights: Weights, x: Array, state: State) -> tuple[Array, Cache, State]:
        """See Layer."""
        read, (h, c), n = flat(x), state, self.shape[0]
        z = read @ weights["W"].swapaxes(1, 2) + h @ weights["U"].swapaxes(1, 2) + weights["b"][:, None]
        gates, u = sigmoid(z[..., : 3 * n]), np.tanh(z[..., 3 * n :])
        i, f, o = gates[..., :n], gates[..., n : 2 * n], gates[..., 2 * n :]
        new_c = f * c + i * u
        turned = np.tanh(new_c)
        new_h = o * turned
        return new_h, (read, h, c, i, f, o, u, turned), (new_h, new_c)

    def backward(
        self, weights: Weights, g: Array, cache: Cache, g_state: State | None = None
    ) -> tuple[Array, Weights, State]:
        """See Layer."""
        read, h, c, i, f, o, u, turned = cache
        gh = g if g_state is None else g + g_state[0]
        gc = gh * o * (1 - turned * turned)
        if g_state is not None:
            gc = gc + g_state[1]
        gz = np.concatenate(
            [gc * u * i * (1 - i), gc * c * f * (1 - f), gh * turned * o * (1 - o), gc * i * (1 - u * u)], -1
        )
        back, gradients, to_h = self._through(weights, gz, read, h)
        return back, gradients, (to_h, gc * f)
