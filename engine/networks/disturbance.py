"""What may be done to a chain's weights without losing them: lesions, and noise that is drawn once.

The chain keeps its true weights; its ticks read what `Disturbance.of` makes of them. Healing, or putting the noise back
to 0, brings the true weights back bit by bit, and learning moves the true ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Severed = Callable[[NDArray[np.bool_]], dict[str, NDArray[np.bool_]]]
"""From the dead neurons (L, N) to the weights that are cut with them, by name, each of its tensor's shape."""
BIASES = ("b",)
"""Tensors that weight noise leaves alone, also where each layer has its own ("l.b")."""


class Disturbance:
    """Dead neurons (layers, neurons) and weight noise: a level, and patterns that follow from `seed`.

    `severed` says which weights a chain's neuron joins.
    """

    def __init__(self, layers: int, neurons: int, severed: Severed) -> None:
        self.dead = np.zeros((layers, neurons), bool)
        self._severed = severed
        self._level = 0.0
        self._seed = 0
        self._patterns: dict[str, Array] = {}

    def set_noise(self, level: float, seed: int) -> None:
        """Standard deviation relative to the RMS of each matrix; the same seed gives the same pattern, scaled."""
        if level == 0 or seed != self._seed:
            self._patterns = {}
        self._level, self._seed = level, seed

    def cut(self) -> dict[str, NDArray[np.bool_]]:
        """Where weights are cut at present, by name; empty without a lesion."""
        return self._severed(self.dead) if self.dead.any() else {}

    def of(self, weights: Mapping[str, Array]) -> dict[str, Array]:
        """What the ticks read: the very same arrays where nothing is disturbed, else copies."""
        acting = dict(weights)
        if self._level > 0:
            self._draw(weights)
            for name, pattern in self._patterns.items():
                rms = np.sqrt(np.square(weights[name]).mean((-2, -1), keepdims=True))
                acting[name] = weights[name] + (self._level * rms * pattern).astype(weights[name].dtype)
        for name, where in self.cut().items():
            acting[name] = np.where(where, 0, acting[name]).astype(weights[name].dtype)
        return acting

    def _draw(self, weights: Mapping[str, Array]) -> None:
        rng = np.random.default_rng((self._seed, 6))
        for name in sorted(weights):
            if name.split(".")[-1] not in BIASES and name not in self._patterns:
                self._patterns[name] = rng.standard_normal(weights[name].shape, np.float32)


def drawn_lesion(
    living: NDArray[np.bool_],
    share: float,
    rng: np.random.Generator,
    neurons: NDArray[np.bool_] | None = None,
) -> NDArray[np.bool_]:
    """A random `share` of every layer's neurons, taken from the `living` (L, N): where to cut.

    `neurons` (L, N) says at which places there is one; None means at all.
    """
    chosen = np.zeros_like(living)
    counts = np.full(len(living), living.shape[1]) if neurons is None else neurons.sum(1)
    for layer, alive in enumerate(living):
        left = np.flatnonzero(alive)
        chosen[layer, rng.permutation(left)[: round(share * counts[layer])]] = True
    return chosen
