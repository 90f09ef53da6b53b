r"""The exact gradient at the free fixed point, by the implicit function theorem, in float64: what credit is judged by.

Nothing here is shared with the code that learns. The fixed point is iterated on its own to round-off, and the adjoint
equation (I - J^T) v = f is solved directly, once per sample: for the recursive chain one dense solve a layer,

    (I - sigma D_l R_l^T) g_l = D_l v_l / sqrt(L),    v_(l-1) = v_l + W_l^T g_l,    v_L = f = -dC/ds_L,

for the Hopfield chain a block tridiagonal one (block elimination), with D_l = (1 - s_l^2) / m_l,

    D_l^-1 g_l = (sigma/2) (W_l g_(l-1) + W_(l+1)^T g_(l+1)) + f [l = L].

The gradients of the weights follow from g, the credit of the pre-activations. `engine.learning.exact_lattice` does the
same for cubes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.learning.exact_lattice import lattice_gradients
from engine.networks.conv.plan import Plan
from engine.networks.nested.nest import Nest

Array = NDArray[np.float64]
REST = 1e-15
OWN_REST = 1e-13
"""... and no layer by more than this share of itself: signals of 1e-30 have yet to arrive when all else rests."""
MOST = 20_000
LATTICES = {"cube": False, "energy-cube": True}
"""Kinds of lattice, and whether their couplings are symmetric."""

Check = Callable[[], None]
"""Called between the steps of long work; it may raise to end it."""


def no_check() -> None:
    """Never ends anything."""


class NoFixedPointError(ValueError):
    """The free state does not come to rest, so there is no gradient to compare with."""


def settled(update: Any, state: Array, check: Check) -> Array:
    """Iterate x <- update(x) until no layer changes by more than a few units of its own round-off."""
    for _ in range(MOST):
        check()
        new = update(state)
        moved = np.abs(new - state)
        state = new
        if moved.max() < REST and (moved.max((-2, -1)) <= OWN_REST * np.abs(new).max((-2, -1))).all():
            return state
    if moved.max() < 1e-12:
        return state
    raise NoFixedPointError(f"the free state still changes by {moved.max():.1e} a tick after {MOST} ticks")


def force_of(weights: Mapping[str, Array], top: Array, labels: NDArray[np.int64]) -> tuple[Array, Array]:
    """f = -dC/ds_L (B, N) and onehot - softmax (B, classes) at the top state (B, N)."""
    logits = top @ weights["W_out"].T
    raised = np.exp(logits - logits.max(1, keepdims=True))
    error = -raised / raised.sum(1, keepdims=True)
    error[np.arange(len(labels)), labels] += 1
    return error @ weights["W_out"], error


def _mean_outer(left: Array, right: Array) -> Array:
    """Mean over samples of left right^T: (B, n), (B, m) -> (n, m)."""
    return left.T @ right / len(left)


def exact_gradients(
    kind: str, weights: Mapping[str, NDArray[Any]], x: NDArray[Any], labels: NDArray[np.int64], sigma: float,
    input_gain: float, check: Check = no_check, plan: Plan | Nest | None = None,
) -> dict[str, Array]:  # fmt: skip
    """dC/dweight for every tensor, mean over pictures x (B, pixels); names and shapes as `weights`.

    A lattice has no learned W_in, and none is returned; conv and nested networks need their `plan`. Raises
    NoFixedPointError.
    """
    if isinstance(plan, Nest):
        from engine.learning.exact_nested import exact_nested_gradients

        return exact_nested_gradients(plan, weights, x, labels, sigma, input_gain, check)
    if plan is not None:
        from engine.learning.exact_conv import exact_conv_gradients

        return exact_conv_gradients(plan, weights, x, labels, sigma, input_gain, check)
    exact = {name: np.asarray(array, np.float64) for name, array in weights.items()}
    inflow = input_gain * (np.asarray(x, np.float64) @ exact["W_in"].T)
    if kind in LATTICES:
        return _lattice(exact, inflow, labels, sigma, LATTICES[kind], check)
    of = {"recursive": _recursive, "hopfield": _hopfield}[kind]
    gradients, at_inflow = of(exact, inflow, labels, sigma, check)
    gradients["W_in"] = -input_gain * _mean_outer(at_inflow, np.asarray(x, np.float64))
    return gradients


def _lattice(
    w: Mapping[str, Array], inflow: Array, labels: NDArray[np.int64], sigma: float, symmetric: bool, check: Check
) -> dict[str, Array]:
    def at_rest(update: Any, start: Array) -> Array:
        return settled(update, start, check)

    gains = (sigma if symmetric else 1.0), sigma
    return lattice_gradients(w, inflow, gains, symmetric, at_rest, lambda top: force_of(w, top, labels))


def _recursive(
    w: Mapping[str, Array], inflow: Array, labels: NDArray[np.int64], sigma: float, check: Check
) -> tuple[dict[str, Array], Array]:
    R, W, b = w["R"], w["W"], w["b"]
    layers, neurons = b.shape
    share = 1 / math.sqrt(layers)
    stream, z = [inflow], []
    for layer in range(layers):
        drive = stream[-1] @ W[layer].T + b[layer]
        start = np.zeros_like(drive)
        z.append(settled(lambda now, R=R[layer], drive=drive: np.tanh(sigma * now @ R.T + drive), start, check))
        stream.append(stream[-1] + share * z[-1])
    v, error = force_of(w, stream[-1], labels)
    gradients = {"R": np.empty_like(R), "W": np.empty_like(W), "b": np.empty_like(b)}
    for layer in reversed(range(layers)):
        check()
        slope = 1 - z[layer] ** 2
        matrix = np.eye(neurons) - sigma * slope[:, :, None] * R[layer].T
        g = np.linalg.solve(matrix, (slope * v * share)[:, :, None])[:, :, 0]
        gradients["R"][layer] = -sigma * _mean_outer(g, z[layer])
        gradients["W"][layer] = -_mean_outer(g, stream[layer])
        gradients["b"][layer] = -g.mean(0)
        v = v + g @ W[layer]
    gradients["W_out"] = -_mean_outer(error, stream[-1])
    return gradients, v


def _hopfield(
    w: Mapping[str, Array], inflow: Array, labels: NDArray[np.int64], sigma: float, check: Check
) -> tuple[dict[str, Array], Array]:
    W, b = w["W"], w["b"]
    layers = len(b)
    half = sigma / 2
    mass = np.ones((layers, 1, 1))
    mass[-1] = 0.5

    def tick(s: Array) -> Array:
        pre = half * np.matmul(np.concatenate([inflow[None], s[:-1]]), W.swapaxes(1, 2)) + b[:, None]
        pre[:-1] += half * np.matmul(s[1:], W[1:])
        state: Array = np.tanh(pre / mass)
        return state

    s = settled(tick, np.zeros((layers, *inflow.shape)), check)
    f, error = force_of(w, s[-1], labels)
    inverse_slope = mass / np.maximum(1 - s**2, np.finfo(np.float64).tiny)
    g = _tridiagonal(inverse_slope, half * W, f, check)
    gradients = {"W": np.empty_like(W), "b": -g.mean(1)}
    for layer in range(layers):
        below = s[layer - 1] if layer else inflow
        gradients["W"][layer] = -half * _mean_outer(g[layer], below)
        if layer:
            gradients["W"][layer] -= half * _mean_outer(s[layer], g[layer - 1])
    gradients["W_out"] = -_mean_outer(error, s[-1])
    return gradients, half * g[0] @ W[0]


def _tridiagonal(diagonal: Array, C: Array, f: Array, check: Check) -> Array:
    """Solve diag_l g_l - C_l g_(l-1) - C_(l+1)^T g_(l+1) = f [l = L] for g (L, B, N), by elimination from below.

    diagonal (L, B, N), C (L, N, N) (C_0 unused), f (B, N).
    """
    layers, samples, neurons = diagonal.shape
    pivots = []
    eye = np.eye(neurons)
    pivot = diagonal[0][:, :, None] * eye
    pivots.append(pivot)
    for layer in range(1, layers):
        check()
        pivot = diagonal[layer][:, :, None] * eye - C[layer] @ np.linalg.solve(
            pivot, np.broadcast_to(C[layer].T, (samples, neurons, neurons))
        )
        pivots.append(pivot)
    g: Array = np.empty_like(diagonal)
    right = f
    for layer in reversed(range(layers)):
        check()
        g[layer] = np.linalg.solve(pivots[layer], right[:, :, None])[:, :, 0]
        right = g[layer] @ C[layer]
    return g
