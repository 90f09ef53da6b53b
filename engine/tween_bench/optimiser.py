"""Steps along gradients, one step size per lane if wanted: momentum, and Adam."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.networks.tween.layer import Array, Weights


class Momentum:
    """v <- momentum v + (1 - momentum) rate G,  W <- W + v, as in the chain."""

    def __init__(self, weights: Sequence[Weights], rate: float | Sequence[float], momentum: float) -> None:
        self._weights, self._momentum = weights, momentum
        self._rate = np.atleast_1d(np.asarray(rate))
        self._velocity = [{name: np.zeros_like(w) for name, w in own.items()} for own in weights]

    def step(self, gradients: Sequence[Weights]) -> None:
        """Change the weights in place."""
        for own, velocity, found in zip(self._weights, self._velocity, gradients, strict=True):
            for name, gradient in found.items():
                v = velocity[name]
                v *= self._momentum
                v += (1 - self._momentum) * shaped(self._rate, v) * gradient
                own[name] += v


class Adam:
    """Kingma & Ba 2015, with their second decay."""

    def __init__(self, weights: Sequence[Weights], rate: float | Sequence[float], momentum: float) -> None:
        self._weights, self._decays = weights, (momentum, 0.999)
        self._rate = np.atleast_1d(np.asarray(rate))
        self._means = [{name: np.zeros_like(w) for name, w in own.items()} for own in weights]
        self._squares = [{name: np.zeros_like(w) for name, w in own.items()} for own in weights]
        self._steps = 0

    def step(self, gradients: Sequence[Weights]) -> None:
        """Change the weights in place."""
        self._steps += 1
        first, second = self._decays
        scale = np.sqrt(1 - second**self._steps) / (1 - first**self._steps)
        for own, mean, square, found in zip(self._weights, self._means, self._squares, gradients, strict=True):
            for name, gradient in found.items():
                m, s = mean[name], square[name]
                m *= first
                m += (1 - first) * gradient
                s *= second
                s += (1 - second) * np.square(gradient)
                own[name] += shaped(self._rate * scale, m) * m / (np.sqrt(s) + 1e-8)


def shaped(rate: Array, like: Array) -> Array:
    """One number per lane, broadcast over a weight array's other axes."""
    found: Array = rate.reshape(-1, *(1,) * (like.ndim - 1)).astype(like.dtype)
    return found
