r"""Ternary weights by stochastic energy descent: synapses of -1, 0 or 1 times one scale a layer, flipped one by one.

A weight is w = a_l t with t in {-1, 0, 1}. At every batch a share of the synapses, picked at random, tries a step
t -> t + u with u = -1 or +1 at random. What the step would do to the cost is read off the local gradient that
equilibrium propagation has measured at this batch, and Metropolis decides (Metropolis et al. 1953), a step having to
pay the price B besides:

    dE = u a_l dC/dw,       P(accept) = min(1, exp(-(dE + B) / T_l)),       -1 <= t + u <= 1.

B and T_l are multiples of the layer's own RMS dE, and T falls with the rate to nothing. Without the price half of all
steps would be downhill by the chance of one batch; at T = 0 it is the threshold of the binary optimiser of Helwegen et
al. (2019, arXiv 1906.02107), here without its moving average. No synapse has a hidden float weight or any memory: all
it is is its t.

The scales a_l, one number a layer, and the biases are floats and follow the same gradients by Adam. A recurrent layer's
scale is at most 1 / ||t||_2, so that its spectral norm stays at most 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.learning.optimise import Adam
from engine.linalg import spectral_norms
from engine.trits import packed

Array = NDArray[Any]
FLOATS = ("b",)
"""Tensors that stay floats."""
SMALL = 0.7
"""At the start what is under this share of its layer's mean magnitude becomes 0 (Li & Liu 2016, arXiv 1605.04711)."""
LEAST_SCALE = 1e-4
SCALE_OF, ADAM = "scale.", "adam."
UNDER_ONE = 1 - 1e-6
"""Recurrent norms stay this near below 1, so that rounding never lifts them above it."""


def packed_weights(weights: Mapping[str, Array]) -> dict[str, Array]:
    """Ternary weights as a file holds them: two bits each, scales and biases as they are. Raises ValueError."""
    entries: dict[str, Array] = {}
    for name, tensor in weights.items():
        entries |= {name: tensor} if name in FLOATS else packed(name, tensor)
    return entries


def nearly(layers: Array) -> tuple[Array, Array]:
    """Signs of the larger weights of a stack of matrices, 0 for the smaller; scales that keep each one's norm."""
    size = np.abs(layers)
    signs: Array = np.sign(layers) * (size > SMALL * size.mean((1, 2), keepdims=True))
    norms = [np.linalg.norm(stack, axis=(1, 2), keepdims=True) for stack in (layers, signs)]
    return signs, (norms[0] / np.maximum(norms[1], 1)).astype(layers.dtype)


def _layers(tensor: Array) -> Array:
    """A tensor as a stack of matrices: a view."""
    return tensor.reshape(-1, *tensor.shape[-2:])


class FlipDescent:
    """An optimiser that keeps its weights ternary; `begin` makes them so.

    `rate` is Adam's step for scales and biases, and the temperature falls in proportion to it. temperature and price
    are in RMS dE of a layer; attempts is the share of synapses that try a step at an update. `blind` deals the energy
    differences of a layer out to its synapses at random: as many flips, none of them for a reason (control).
    """

    def __init__(
        self, rate: float, recurrent: tuple[str, ...], seed: int, *, temperature: float = 0.5, price: float = 3.0,
        attempts: float = 0.3, blind: bool = False,
    ) -> None:  # fmt: skip
        self.rate = self._first_rate = rate
        self._recurrent, self._seed = recurrent, seed
        self._temperature, self._price, self._attempts, self._blind = temperature, price, attempts, blind
        self._adam = Adam(rate)
        self._scales: dict[str, Array] = {}
        self._steps = 0
        self.tried = self.flipped = 0
        """Steps that synapses have tried and made so far."""

    def begin(self, weights: Mapping[str, Array]) -> None:
        """Make float weights ternary in place: signs of the larger ones, a scale that keeps each layer's norm."""
        for name, tensor in weights.items():
            if name not in FLOATS:
                layers = _layers(tensor)
                signs, self._scales[name] = nearly(layers)
                self._write(name, layers, signs)

    def step(self, weights: Mapping[str, Array], gradients: Mapping[str, Array]) -> None:
        """One update: flips with the scales as they are, then scales and biases."""
        heat = self._temperature * self.rate / self._first_rate
        floats, slopes, new = {}, {}, {}
        for index, (name, gradient) in enumerate(gradients.items()):
            if name in FLOATS:
                floats[name], slopes[name] = weights[name], gradient
                continue
            signs, slope, scale = np.sign(_layers(weights[name])), _layers(gradient), self._scales[name]
            floats[SCALE_OF + name], slopes[SCALE_OF + name] = scale, (slope * signs).sum((1, 2), keepdims=True)
            new[name] = self._flip(
                signs, scale * slope, heat, np.random.default_rng((self._seed, 6, self._steps, index))
            )
        self._adam.rate = self.rate
        self._adam.step(floats, slopes)
        for name, signs in new.items():
            np.maximum(self._scales[name], LEAST_SCALE, out=self._scales[name])
            self._write(name, _layers(weights[name]), signs)
        self._steps += 1

    def _flip(self, signs: Array, slope: Array, heat: float, rng: np.random.Generator) -> Array:
        """Synapses after their tries; slope (layers, rows, columns) is dC/dt."""
        up = rng.random(signs.shape, np.float32) < 0.5
        moved = signs + np.where(up, 1, -1).astype(signs.dtype)
        change = np.where(up, slope, -slope)
        if self._blind:
            change = rng.permuted(change.reshape(len(change), -1), axis=1).reshape(change.shape)
        unit = np.sqrt(np.square(change).mean((1, 2), keepdims=True))
        tiny = np.finfo(slope.dtype).tiny
        with np.errstate(over="ignore"):
            uphill = np.maximum(change + self._price * unit, 0) / np.maximum(heat * unit, tiny)
        tried = (rng.random(signs.shape, np.float32) < self._attempts) & (np.abs(moved) <= 1)
        accepted = tried & (rng.random(signs.shape, np.float32) < np.exp(-uphill))
        self.tried += int(tried.sum())
        self.flipped += int(accepted.sum())
        return np.where(accepted, moved, signs)

    def _write(self, name: str, layers: Array, signs: Array) -> None:
        scale = self._scales[name]
        if name in self._recurrent:
            norms = np.maximum(spectral_norms(signs), 1)[:, None, None]
            np.minimum(scale, (UNDER_ONE / norms).astype(scale.dtype), out=scale)
        layers[...] = scale * signs

    def state_dict(self) -> dict[str, Array]:
        """Scales, Adam's moments for them and the biases, the counts."""
        scales = {SCALE_OF + name: scale for name, scale in self._scales.items()}
        counts = np.array([self._steps, self.tried, self.flipped])
        return {**scales, "counts": counts, **{ADAM + key: array for key, array in self._adam.state_dict().items()}}

    def load_state_dict(self, state: Mapping[str, Array]) -> None:
        """Take them over."""
        for name, scale in self._scales.items():
            scale[...] = state[SCALE_OF + name]
        self._steps, self.tried, self.flipped = (int(count) for count in state["counts"])
        self._adam.load_state_dict({k.removeprefix(ADAM): v for k, v in state.items() if k.startswith(ADAM)})
