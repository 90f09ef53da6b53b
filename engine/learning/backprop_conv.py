"""The rival of the convolutional chain: backpropagation through its relaxation, layer after layer, every state kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.learning.backprop import summary
from engine.learning.chunks import chunked, unchunked
from engine.learning.conv import by_kernel
from engine.learning.local import read_out_error
from engine.networks.conv.plan import Plan
from kernels import conv_unrolled
from kernels.conv_sweeps import CHUNK
from kernels.sweeps import one_blas_thread

Array = NDArray[Any]


def gradient_of_conv_batch(
    plan: Plan, weights: Mapping[str, Array], x: Array, labels: NDArray[np.int64], *, sigma: float, input_gain: float,
    inner_ticks: int,
) -> tuple[dict[str, Array], float, int]:  # fmt: skip
    """dC/dweight by name (batch mean), the loss, and how many answers were right, for encoded pictures (B, pixels).

    Each layer ticks `inner_ticks` times from rest; all states are kept and walked back.
    """
    one_blas_thread()
    W_out = weights["W_out"]
    samples, dtype = len(labels), W_out.dtype
    ways, kernels = plan.ways.astype(dtype), plan.packed(weights)
    inflow = chunked(input_gain * plan.arranged(x), dtype, CHUNK)
    states = np.empty((len(inflow), sum(plan.neurons), inner_ticks + 1, CHUNK), dtype)
    s = np.empty((len(inflow), sum(plan.neurons), CHUNK), dtype)
    room = CHUNK * plan.neighbourhood
    conv_unrolled.conv_forward(plan.shapes, ways, kernels, plan.biases(weights), inflow, sigma, room, states, s)
    top = unchunked(s[:, -plan.neurons[-1] :], samples)
    logits = top @ W_out.T
    error = read_out_error(logits, labels)
    sums = np.empty((len(inflow), plan.weights), dtype)
    for_bias = np.empty((len(inflow), plan.channels), dtype)
    conv_unrolled.conv_backward(
        plan.shapes, ways, kernels, inflow, states, s, chunked(error @ W_out, dtype, CHUNK), sigma, room, sums, for_bias
    )
    gradients = by_kernel(plan, sums.sum(0) / -samples, for_bias.sum(0) / -samples, sigma)
    gradients["W_out"] = error.T @ top / -samples
    return gradients, *summary(logits, labels)
