"""A tick of a leaky competing accumulator (`engine.oracle.race` has the equations). Compiled, since it runs live."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit


@njit(error_model="numpy", cache=True)
def race_tick(
    logits: Any, leak: float, excitation: float, inhibition: float, threshold: float, ticks: int, x: Any, time: Any,
    choice: Any,
) -> int:  # fmt: skip
    """Advance the accumulators x of all samples that still run; how many run on.

    logits, x (samples, classes); time, choice (samples,), choice -1 while a sample runs. What passes the threshold
    does so at time `ticks` plus the share of this tick that it needed; a decided sample moves no more. NaN and
    infinity never pass.
    """
    samples, classes = x.shape
    running = 0
    for b in range(samples):
        if choice[b] >= 0:
            continue
        mean = active = 0.0
        before = after = -np.inf
        for i in range(classes):
            mean += logits[b, i] / classes
            active += max(x[b, i], 0.0)
            before = max(before, x[b, i])
        first = 0
        for i in range(classes):
            own = max(x[b, i], 0.0)
            x[b, i] += logits[b, i] - mean - leak * x[b, i] + excitation * own - inhibition * (active - own)
            if x[b, i] > after:
                after, first = x[b, i], i
        if threshold <= after < np.inf:
            time[b] = ticks + (threshold - before) / (after - before)
            choice[b] = first
        else:
            running += 1
    return running
