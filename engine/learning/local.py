r"""The local gradients: what each link reads off the two states it joins, from the centred difference over 2 beta.

Recursive chain (asymmetric equilibrium propagation, Scurria et al. 2026, arXiv 2602.03670), with the credit of the
pre-activation g_l = (1 - z_l^2)(dz_l + ds_l / sqrt(L)), where dz, ds are (plus - minus) / (2 beta):

    dC/dR_l = -sigma g_l z_l^T,   dC/dW_l = -g_l s_(l-1)^T,   dC/db_l = -g_l,   dC/dW_in = -gain ds_0 x^T

Hopfield chain, dC/dtheta = [dE/dtheta(+) - dE/dtheta(-)] / (2 beta) (Scellier & Bengio 2017; centred: Laborieux et al.
2021):

    dC/dW_l = -(sigma/2) [s_l s_(l-1)^T](+ minus -) / (2 beta),   dC/db_l = -ds_l,
    dC/dW_in = -gain (sigma/2) W_1^T ds_1 x^T

The read-out learns from the error that nudges: dC/dW_out = (softmax - onehot) s_L^T. All are means over the batch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.networks.chain import softmax

Array = NDArray[Any]


def read_out_error(logits: Array, labels: NDArray[np.int64]) -> Array:
    """onehot - softmax(logits), (B, classes): minus the gradient of the cross-entropy by the logits."""
    error = -softmax(logits)
    error[np.arange(len(labels)), labels] += 1
    return error


@dataclass(frozen=True, slots=True)
class Read:
    """What a batch was read with: x (B, pixels), inflow (N, B), logits (B, classes), top s_L (N, B)."""

    x: Array
    inflow: Array
    logits: Array
    top: Array


def _per_layer(credit: Array, activity: Array) -> Array:
    """sum over the batch of credit activity^T: (L, N, N) from two (L, N, B)."""
    product: Array = np.matmul(credit, activity.swapaxes(1, 2))
    return product


def _below(inflow: Array, stream: Array) -> Array:
    """What each layer reads from below, (L, N, B)."""
    return np.concatenate([inflow[None], stream[:-1]])


def recursive_credit(z: Array, dz: Array, ds: Array) -> Array:
    """g_l (L, N, B) from displacements of any scale; linear in them."""
    credit: Array = (1 - z * z) * (dz + ds / math.sqrt(len(z)))
    return credit


def recursive_gradients(
    read: Read, labels: NDArray[np.int64], z: Array, s: Array, dz: Array, ds: Array, ds_bottom: Array,
    sigma: float, input_gain: float,
) -> dict[str, Array]:  # fmt: skip
    """dC/dweight of the recursive chain. dz, ds (L, N, B) and ds_bottom (N, B) are (plus - minus) / (2 beta)."""
    g = recursive_credit(z, dz, ds)
    samples = len(labels)
    error = read_out_error(read.logits, labels)
    return {
        "R": _per_layer(g, z) * (-sigma / samples),
        "W": _per_layer(g, _below(read.inflow, s)) / -samples,
        "b": -g.mean(-1),
        "W_in": (ds_bottom @ read.x) * (-input_gain / samples),
        "W_out": (error.T @ read.top.T) / -samples,
    }


def hopfield_gradients(
    read: Read, labels: NDArray[np.int64], s: Array, plus: Array, minus: Array, W: Array,
    sigma: float, input_gain: float, beta: float,
) -> dict[str, Array]:  # fmt: skip
    """dC/dweight of the Hopfield chain; plus, minus (L, N, B) are the displacements d+ and d- themselves."""
    samples = len(labels)
    nothing = np.zeros_like(read.inflow)
    ds = (plus - minus) / (2 * beta)
    below = _below(read.inflow, s)
    change = _per_layer(ds, below) + _per_layer(s, _below(nothing, ds))
    for sign, moved in ((1, plus), (-1, minus)):
        change += _per_layer(moved, _below(nothing, moved)) * (sign / (2 * beta))
    error = read_out_error(read.logits, labels)
    return {
        "W": change * (-sigma / 2 / samples),
        "b": -ds.mean(-1),
        "W_in": (W[0].T @ ds[0] @ read.x) * (-sigma / 2 * input_gain / samples),
        "W_out": (error.T @ read.top.T) / -samples,
    }
