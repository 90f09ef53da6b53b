"""Optimisers, and the bound on recurrent couplings that every update must keep."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from engine.linalg import clip_singular_values

Array = NDArray[Any]


class Optimiser(Protocol):
    """Changes weights in place along minus a gradient."""

    rate: float

    def step(self, weights: Mapping[str, Array], gradients: Mapping[str, Array]) -> None:
        """One update of every tensor that has a gradient."""

    def state_dict(self) -> dict[str, Array]:
        """What a checkpoint must keep."""

    def load_state_dict(self, state: Mapping[str, Array]) -> None:
        """Take it over again."""


class Sgd:
    """Plain gradient descent: w <- w - rate dC/dw."""

    def __init__(self, rate: float) -> None:
        self.rate = rate

    def step(self, weights: Mapping[str, Array], gradients: Mapping[str, Array]) -> None:
        """One update."""
        for name, gradient in gradients.items():
            weights[name][...] -= self.rate * gradient

    def state_dict(self) -> dict[str, Array]:
        """Nothing to keep."""
        return {}

    def load_state_dict(self, state: Mapping[str, Array]) -> None:
        """Nothing to take over."""


class Adam:
    """Adam (Kingma & Ba 2015, arXiv 1412.6980) with its usual constants."""

    MEAN, SQUARE, SMALL = 0.9, 0.999, 1e-8

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self._steps = 0
        self._mean: dict[str, Array] = {}
        self._square: dict[str, Array] = {}

    def step(self, weights: Mapping[str, Array], gradients: Mapping[str, Array]) -> None:
        """One update."""
        self._steps += 1
        size = self.rate * (1 - self.SQUARE**self._steps) ** 0.5 / (1 - self.MEAN**self._steps)
        for name, gradient in gradients.items():
            mean = self._mean.setdefault(name, np.zeros_like(gradient))
            square = self._square.setdefault(name, np.zeros_like(gradient))
            mean += (1 - self.MEAN) * (gradient - mean)
            square += (1 - self.SQUARE) * (gradient * gradient - square)
            weights[name][...] -= size * mean / (np.sqrt(square) + self.SMALL)

    def state_dict(self) -> dict[str, Array]:
        """Moments and the step count."""
        return {
            "steps": np.array([self._steps]),
            **{f"mean.{name}": array for name, array in self._mean.items()},
            **{f"square.{name}": array for name, array in self._square.items()},
        }

    def load_state_dict(self, state: Mapping[str, Array]) -> None:
        """Take them over."""
        self._steps = int(state["steps"][0])
        for key, array in state.items():
            table, _, name = key.partition(".")
            if table in ("mean", "square"):
                (self._mean if table == "mean" else self._square)[name] = array.copy()


OPTIMISERS: dict[str, Callable[[float], Optimiser]] = {"adam": Adam, "sgd": Sgd}


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(thread_name_prefix="clip")


def clip_recurrent(weights: Mapping[str, Array], names: tuple[str, ...]) -> None:
    """Put the named stacks (L, N, N) back to spectral norms of at most 1, in place, layers shared out to threads.

    Singular values are clipped, never rescaled: rescaling crushes all but the largest with every update.
    """

    def clip(part: Array) -> None:
        part[...] = clip_singular_values(part)

    parts = [part for name in names for part in np.array_split(weights[name], 16) if len(part)]
    for _ in _pool().map(clip, parts):
        pass
