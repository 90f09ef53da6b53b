r"""The exact gradient of nested chains at their joint fixed point, in float64.

All equations at once, z = tanh(own R o + reads W u + b) and s = keep u + mix o, are iterated to round-off, and so is
their adjoint, lambda = J^T lambda + f with f = -dC/ds at the top of level 1: what follows from o goes back to z or to
the top of the Block's stream, what follows from u to the stream below or to z of the holder. The gradients follow from
g = (1 - z^2) lambda_z.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.learning.exact import Check, force_of, no_check, settled
from engine.networks.nested.nest import BELOW, FIRST, HOLDER, LAST, Nest

Array = NDArray[np.float64]


def exact_nested_gradients(
    nest: Nest, weights: Mapping[str, NDArray[Any]], x: NDArray[Any], labels: NDArray[np.int64], sigma: float,
    input_gain: float, check: Check = no_check,
) -> dict[str, Array]:  # fmt: skip
    """dC/dweight for every tensor, mean over pictures x (B, pixels); names and shapes as `weights`.

    Raises NoFixedPointError.
    """
    w = {name: np.asarray(array, np.float64) for name, array in weights.items()}
    x = np.asarray(x, np.float64)
    R, W = w["R"], w["W"]
    own, reads, keep, mix, _ = nest.ways(sigma).T[:, :, None, None]
    inflow = input_gain * (x @ w["W_in"].T)
    bias = w["b"][:, None]

    def equations(state: Array) -> Array:
        z, s = state[: nest.count], state[nest.count :]
        given, below = nest.given(z, s), nest.read(z, s, inflow)
        push = own * np.matmul(given, R.swapaxes(1, 2)) + reads * np.matmul(below, W.swapaxes(1, 2)) + bias
        return np.concatenate([np.tanh(push), keep * below + mix * given])

    state = settled(equations, np.zeros((2 * nest.count, *inflow.shape)), check)
    z, s = state[: nest.count], state[nest.count :]
    force, error = force_of(w, s[-1], labels)
    links = nest.links
    holders, alone = np.flatnonzero(links[:, LAST] >= 0), np.flatnonzero(links[:, LAST] < 0)
    upper = np.flatnonzero(links[:, BELOW] >= 0)
    slope = 1 - z * z

    def adjoint(credit: Array) -> Array:
        g, at_s = slope * credit[: nest.count], credit[nest.count :]
        at_given = own * np.matmul(g, R) + mix * at_s
        at_below = reads * np.matmul(g, W) + keep * at_s
        new = np.zeros_like(credit)
        new[alone] = at_given[alone]
        new[holders] = at_below[links[holders, FIRST]]
        new[nest.count + links[holders, LAST]] = at_given[holders]
        new[nest.count + links[upper, BELOW]] = at_below[upper]
        new[-1] = force
        return new

    credit = settled(adjoint, np.zeros_like(state), check)
    g = slope * credit[: nest.count]
    first = int(np.flatnonzero((links[:, BELOW] < 0) & (links[:, HOLDER] < 0))[0])
    at_inflow = credit[nest.count + first] + g[first] @ W[first]
    samples = len(x)

    def correlated(values: Array) -> Array:
        mean: Array = np.matmul(g.swapaxes(1, 2), values) / -samples
        return mean

    return {
        "R": own * correlated(nest.given(z, s)),
        "W": reads * correlated(nest.read(z, s, inflow)),
        "b": -g.mean(1),
        "W_in": -input_gain * at_inflow.T @ x / samples,
        "W_out": -error.T @ s[-1] / samples,
    }
