"""The rival: backpropagation through the relaxation of the very same chains, with every state kept.

Two relaxations. Layer after layer with a fixed number of inner ticks (`gradient_of_batch`) is cheap enough to train
the recursive chain with the budget that equilibrium propagation gets. Synchronous ticks (`gradient_through_ticks`)
are what the live network does, and what the memory audit compares; both chains have it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.learning.chunks import chunked
from engine.learning.local import read_out_error
from engine.linalg import transposed
from engine.networks.chain import softmax
from kernels import unrolled
from kernels.sweeps import CHUNK, one_blas_thread

Array = NDArray[Any]


def summary(logits: Array, labels: NDArray[np.int64]) -> tuple[float, int]:
    """Mean cross-entropy of logits (B, classes), and how many answers are right."""
    probabilities = softmax(logits.astype(np.float64))[np.arange(len(labels)), labels]
    loss = float(-np.log(np.maximum(probabilities, np.finfo(np.float64).tiny)).mean())
    return loss, int((logits.argmax(-1) == labels).sum())


def gradient_of_batch(
    weights: Mapping[str, Array], x: Array, labels: NDArray[np.int64], *, sigma: float, input_gain: float,
    inner_ticks: int,
) -> tuple[dict[str, Array], float, int]:  # fmt: skip
    """dC/dweight of the recursive chain by name (batch mean), the loss, and how many answers were right.

    Each layer ticks `inner_ticks` times from rest; all L x K states are kept and walked back. With one tick and
    sigma = 0 this is an ordinary residual network.
    """
    one_blas_thread()
    w = weights
    dtype = w["b"].dtype
    layers, neurons = w["b"].shape
    samples = len(labels)
    inflow = chunked(input_gain * (x @ w["W_in"].T), dtype, CHUNK)
    states = np.empty((len(inflow), layers, neurons, inner_ticks + 1, CHUNK), dtype)
    streams = np.empty((len(inflow), layers + 1, neurons, CHUNK), dtype)
    unrolled.recursive_forward(w["R"], w["W"], w["b"], inflow, sigma, states, streams)
    top = streams[:, -1].swapaxes(1, 2).reshape(-1, neurons)[:samples]
    logits = top @ w["W_out"].T
    error = read_out_error(logits, labels)
    sums = {name: np.empty((len(inflow), *w[name].shape), dtype) for name in ("R", "W", "b")}
    bottom = np.empty_like(inflow)
    unrolled.recursive_backward(
        transposed(w["R"]), transposed(w["W"]), states, streams, chunked(error @ w["W_out"], dtype, CHUNK), sigma,
        sums["R"], sums["W"], sums["b"], bottom,
    )  # fmt: skip
    at_inflow = bottom.swapaxes(1, 2).reshape(-1, neurons)[:samples]
    gradients = {name: parts.sum(0) / -samples for name, parts in sums.items()}
    gradients["W_in"] = (at_inflow.T @ x) * dtype.type(-input_gain / samples)
    gradients["W_out"] = (error.T @ top) / -samples
    return gradients, *summary(logits, labels)


def gradient_through_ticks(
    kind: str, weights: Mapping[str, Array], x: Array, labels: NDArray[np.int64], *, sigma: float, input_gain: float,
    ticks: int,
) -> tuple[dict[str, Array], float, int]:  # fmt: skip
    """The same through `ticks` synchronous ticks from rest, all of them kept; kind "recursive" or "hopfield"."""
    inflow = input_gain * (x @ weights["W_in"].T)
    through = {"recursive": _recursive_ticks, "hopfield": _hopfield_ticks}[kind]
    gradients, at_inflow, top = through(weights, inflow, labels, sigma, ticks)
    logits = top @ weights["W_out"].T
    error = read_out_error(logits, labels)
    gradients["W_in"] = (at_inflow.T @ x) * (-input_gain / len(x))
    gradients["W_out"] = error.T @ top / -len(x)
    return gradients, *summary(logits, labels)


def _recursive_ticks(
    w: Mapping[str, Array], inflow: Array, labels: NDArray[np.int64], sigma: float, ticks: int
) -> tuple[dict[str, Array], Array, Array]:
    R, W, b = w["R"], w["W"], w["b"]
    layers, neurons = b.shape
    samples = len(inflow)
    share = 1 / math.sqrt(layers)
    z = np.zeros((ticks + 1, layers, samples, neurons), inflow.dtype)
    s = np.zeros_like(z)
    for tick in range(ticks):
        below = np.concatenate([inflow[None], s[tick, :-1]])
        pre = sigma * np.matmul(z[tick], R.swapaxes(1, 2)) + np.matmul(below, W.swapaxes(1, 2)) + b[:, None]
        z[tick + 1] = np.tanh(pre)
        s[tick + 1] = below + share * z[tick + 1]
    at_z, at_s, at_inflow = np.zeros_like(z[0]), np.zeros_like(z[0]), np.zeros_like(inflow)
    at_s[-1] = read_out_error(s[-1, -1] @ w["W_out"].T, labels) @ w["W_out"]
    gradients = {"R": np.zeros_like(R), "W": np.zeros_like(W), "b": np.zeros_like(b)}
    for tick in reversed(range(ticks)):
        below = np.concatenate([inflow[None], s[tick, :-1]])
        g = (1 - z[tick + 1] ** 2) * (at_z + share * at_s)
        gradients["R"] -= np.matmul(g.swapaxes(1, 2), z[tick]) * (sigma / samples)
        gradients["W"] -= np.matmul(g.swapaxes(1, 2), below) / samples
        gradients["b"] -= g.mean(1)
        at_below = at_s + np.matmul(g, W)
        at_z = sigma * np.matmul(g, R)
        at_s = np.concatenate([at_below[1:], np.zeros_like(at_below[:1])])
        at_inflow += at_below[0]
    return gradients, at_inflow, s[-1, -1]


def _hopfield_ticks(
    w: Mapping[str, Array], inflow: Array, labels: NDArray[np.int64], sigma: float, ticks: int
) -> tuple[dict[str, Array], Array, Array]:
    W, b = w["W"], w["b"]
    layers, neurons = b.shape
    samples = len(inflow)
    half = sigma / 2
    mass = np.ones((layers, 1, 1), inflow.dtype)
    mass[-1] = 0.5
    s = np.zeros((ticks + 1, layers, samples, neurons), inflow.dtype)
    for tick in range(ticks):
        pre = half * np.matmul(np.concatenate([inflow[None], s[tick, :-1]]), W.swapaxes(1, 2)) + b[:, None]
        pre[:-1] += half * np.matmul(s[tick, 1:], W[1:])
        s[tick + 1] = np.tanh(pre / mass)
    at_s, at_inflow = np.zeros_like(s[0]), np.zeros_like(inflow)
    at_s[-1] = read_out_error(s[-1, -1] @ w["W_out"].T, labels) @ w["W_out"]
    gradients = {"W": np.zeros_like(W), "b": np.zeros_like(b)}
    for tick in reversed(range(ticks)):
        g = (1 - s[tick + 1] ** 2) * at_s / mass
        below = np.concatenate([inflow[None], s[tick, :-1]])
        gradients["W"] -= np.matmul(g.swapaxes(1, 2), below) * (half / samples)
        gradients["W"][1:] -= np.matmul(s[tick, 1:].swapaxes(1, 2), g[:-1]) * (half / samples)
        gradients["b"] -= g.mean(1)
        at_below = half * np.matmul(g, W)
        at_s = np.concatenate([at_below[1:], np.zeros_like(at_below[:1])])
        at_s[1:] += half * np.matmul(g[:-1], W[1:].swapaxes(1, 2))
        at_inflow += at_below[0]
    return gradients, at_inflow, s[-1, -1]
