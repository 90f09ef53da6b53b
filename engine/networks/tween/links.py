"""How well a layer does what it is asked to: gap, link budget, depth barrier, bottleneck, per lane."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.networks.tween.layer import Array, flat


@dataclass(frozen=True, slots=True)
class Links:
    """How well each layer does what it is asked to; arrays float32 (layers,), layer 1 first."""

    names: tuple[str, ...]
    budget: NDArray[np.float32]
    """(cos(output, target) + 1) / 2."""
    gap: NDArray[np.float32]
    """RMS of target minus output."""
    barrier: NDArray[np.float32]
    """Product of the budgets up to each layer."""
    bottleneck: int
    """The layer with the smallest budget, counted from 1."""


def gap(a: Array, t: Array) -> NDArray[np.float64]:
    """RMS of target minus output over samples and features, (S,)."""
    rms: NDArray[np.float64] = np.sqrt(np.square(flat(t) - flat(a)).mean((1, 2), dtype=np.float64))
    return rms


def link_budget(a: Array, t: Array) -> NDArray[np.float64]:
    """(cos(a, t) + 1) / 2, (S,): 1 where output and target agree, 0 where they are opposed, 1/2 where one is silent."""
    lanes = a.shape[0]
    one, other = a.reshape(lanes, -1).astype(np.float64), t.reshape(lanes, -1).astype(np.float64)
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    cosine = np.divide((one * other).sum(1), lengths, out=np.zeros(lanes), where=lengths > 0)
    budget: NDArray[np.float64] = (cosine + 1) / 2
    return budget


def depth_barrier(budgets: Array) -> NDArray[np.float64]:
    """What is left of a signal behind each layer: the product of the budgets up to it; (L, S) -> (L, S)."""
    return np.asarray(np.cumprod(budgets, 0), np.float64)


def bottleneck(budgets: Array) -> NDArray[np.int64]:
    """The layer with the smallest budget, counted from 0; (L, S) -> (S,)."""
    return np.asarray(np.argmin(budgets, 0), np.int64)
