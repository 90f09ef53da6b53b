"""Small nested chains, and their equations written anew for one sample, recursively and without tables."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from engine.networks.nested.chain import NestedChain
from engine.networks.nested.nest import Level, Nest
from kernels.backends import load_backend

CLASSES = 4
PIXELS = 7
NESTS = {
    "one level": (Level(3),),
    "one Block": (Level(2), Level(2, (1,))),
    "two levels": (Level(3), Level(2)),
    "three levels": (Level(2), Level(3, (2,)), Level(2, (1, 3))),
    "four levels": (Level(2), Level(1), Level(2), Level(2, (2,))),
}


def nest_of(name: str) -> Nest:
    """One of NESTS."""
    return Nest(NESTS[name])


def chain_of(
    name: str = "three levels", backend: str = "numpy", dtype: str = "float64", samples: int = 3, neurons: int = 6,
    seed: int = 1, **knobs: float,
) -> NestedChain:  # fmt: skip
    """A small chain with biases, clamped to random pictures."""
    nest = nest_of(name)
    chain = NestedChain(
        nest, neurons, PIXELS, CLASSES, load_backend(backend), dtype=dtype, samples=samples, seed=seed
    )  # fmt: skip
    rng = np.random.default_rng(5)
    chain.weights["b"][...] = 0.3 * rng.standard_normal(chain.weights["b"].shape)
    chain.weights_changed()
    inner = {f"sigma_{level}": 0.8 for level in range(2, len(nest.levels) + 1)}
    inner |= {f"ticks_{level}": 2 for level in range(2, len(nest.levels) + 1)}
    for knob, value in {"sigma": 0.8, "beta": 0.01, **inner, **knobs}.items():
        chain.set_parameter(knob, value)
    chain.clamp(rng.standard_normal((samples, PIXELS)).astype(dtype), np.arange(samples) % CLASSES)
    return chain


def settle(chain: NestedChain, ticks: int = 100) -> None:
    """Free, then nudged, far beyond rest."""
    for nudged in (False, True):
        if nudged:
            chain.release()
            chain.aim()
        for _ in range(ticks):
            chain.tick(nudged)


class Equations:
    """G(x) = x at the joint fixed point, x = (z of all layers, s of all layers), layers in the order of a `Nest`."""

    def __init__(self, chain: NestedChain) -> None:
        self.levels = chain.nest.levels
        self.w = {name: array.astype(np.float64) for name, array in chain.acting.items()}
        self.sigmas = [chain.value("sigma" if d == 0 else f"sigma_{d + 1}") for d in range(len(self.levels))]
        self.count, self.neurons = self.w["b"].shape

    def __call__(self, state: Any, inflow: Any) -> Any:
        z, s = state.reshape(2, self.count, self.neurons)
        self._new = [[None] * self.count, [None] * self.count]
        assert self._chain(0, 0, z, s, inflow)[0] == self.count
        return np.concatenate([*self._new[0], *self._new[1]])

    def _chain(self, depth: int, at: int, z: Any, s: Any, entering: Any) -> tuple[int, Any]:
        """The equations of a chain whose first number is `at`; the next free number, and its last stream."""
        below = entering
        layers = self.levels[depth].layers
        for place in range(1, layers + 1):
            inner = self.levels[depth + 1] if depth + 1 < len(self.levels) else None
            holds = inner is not None and (inner.within is None or place in inner.within)
            own = at + self._size(depth + 1) if holds else at
            given = self._chain(depth + 1, at, z, s, z[own])[1] if holds else z[own]
            R, W, b = (self.w[name][own] for name in ("R", "W", "b"))
            sigma = self.sigmas[depth]
            if depth == 0:
                self._new[0][own] = np.tanh(sigma * R @ given + W @ below + b)
                self._new[1][own] = below + given / math.sqrt(layers)
            else:
                self._new[0][own] = np.tanh(sigma / 2 * (R @ given + W @ below) + b)
                self._new[1][own] = (place * below + given) / (place + 1)
            below, at = s[own], own + 1
        return at, below

    def _size(self, depth: int) -> int:
        """Layers of a chain of this level with all that it holds."""
        level = self.levels[depth]
        if depth + 1 == len(self.levels):
            return level.layers
        within = self.levels[depth + 1].within
        return level.layers + (level.layers if within is None else len(within)) * self._size(depth + 1)

    def jacobian(self, state: Any, inflow: Any) -> Any:
        """dG/dx by complex steps."""
        columns = []
        for index in range(len(state)):
            stepped = state.astype(complex)
            stepped[index] += 1e-30j
            columns.append(self(stepped, inflow).imag / 1e-30)
        return np.array(columns).T


def state_of(chain: NestedChain, sample: int, column: int) -> Any:
    """A column of a sample, in the order of `Equations`."""
    return np.concatenate([states[:, sample, column].reshape(-1) for states in chain.columns()])
