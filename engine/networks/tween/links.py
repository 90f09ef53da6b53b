"""How well a layer does what it is asked to: gap, link budget, depth barrier, bottleneck, per lane."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.networks.tween.layer import Array


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
    off = (t - a).reshape(len(a), -1).astype(np.float64)
    rms: NDArray[np.float64] = np.sqrt(_products(off, off) / off.shape[1])
    return rms


def link_budget(a: Array, t: Array) -> NDArray[np.float64]:
    """(cos(a, t) + 1) / 2, (S,): 1 where output and target agree, 0 where they are opposed, 1/2 where one is silent."""
    one, other = (x.reshape(len(x), -1).astype(np.float64) for x in (a, t))
    lengths = np.sqrt(_products(one, one) * _products(other, other))
    cosine = np.divide(_products(one, other), lengths, out=np.zeros(len(a)), where=lengths > 0)
    budget: NDArray[np.float64] = (cosine + 1) / 2
    return budget


def _products(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scalar products lane by lane."""
    return np.asarray(np.einsum("sn,sn->s", one, other))


def depth_barrier(budgets: Array) -> NDArray[np.float64]:
    """What is left of a signal behind each layer: the product of the budgets up to it; (L, S) -> (L, S)."""
    return np.asarray(np.cumprod(budgets, 0), np.float64)


def bottleneck(budgets: Array) -> NDArray[np.int64]:
    """The layer with the smallest budget, counted from 0; (L, S) -> (S,)."""
    return np.asarray(np.argmin(budgets, 0), np.int64)
