"""An echo-state network by ReservoirPy (Jaeger 2001; Trouvain et al. 2020), with the read-out of Pathak et al. 2018.

The read-out sees the input, the reservoir and, with `squares`, the squares of every second neuron in place of those
neurons (Lu et al. 2017), without which Lorenz's symmetries cannot be broken. It predicts the change to the next state.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.grow_bench.problem import PAST, Problem

Array = NDArray[np.float64]
WASHOUT = 100
"""Ticks before the state of the reservoir counts."""


def has_reservoirpy() -> bool:
    """Whether ReservoirPy is installed."""
    return find_spec("reservoirpy") is not None


class EchoState:
    """Fitted to the training part by ridge regression."""

    def __init__(
        self, problem: Problem, seed: int, *, units: int, radius: float, scaling: float, ridge: float, squares: bool
    ) -> None:
        from reservoirpy.nodes import Reservoir

        stream = problem.stream
        self._shape, self._squares = (stream.nodes, stream.features), squares
        self._centre, self._spread = problem.training.mean(0), stream.scale
        inputs = self._scaled(problem.training)
        self._reservoir: Any = Reservoir(
            units, sr=radius, input_scaling=scaling, rc_connectivity=min(10 / units, 1.0),
            input_connectivity=min(4 / inputs.shape[1], 1.0), seed=seed,
        )  # fmt: skip
        seen = self._seen(inputs[:-1], self._reservoir.run(inputs[:-1]))[WASHOUT:]
        wanted = np.diff(inputs, axis=0)[WASHOUT:]
        size = np.square(seen).mean()
        gram = seen.T @ seen + ridge * size * len(seen) * np.eye(seen.shape[1])
        self._out = np.linalg.solve(gram, seen.T @ wanted)
        self.weights = self.tokens = self._out.size

    def one_step(self, states: Array) -> Array:
        """See `Model`."""
        inputs = self._scaled(states)
        self._reservoir.reset()
        found = inputs + self._seen(inputs, self._reservoir.run(inputs)) @ self._out
        return self._unscaled(found[PAST - 1 :])

    def roll_out(self, past: Array, steps: int) -> Array:
        """See `Model`."""
        ahead = np.empty((len(past), steps, self._out.shape[1]))
        for number, inputs in enumerate(self._scaled(past)):
            self._reservoir.reset()
            state = self._reservoir.run(inputs)[-1]
            now = inputs[-1]
            for step in range(steps):
                now = np.clip(now + (self._seen(now[None], state[None]) @ self._out)[0], -1e6, 1e6)
                ahead[number, step] = now
                state = self._reservoir.step(now)
        return self._unscaled(ahead)

    def adjacency(self) -> None:
        """Everybody reads everybody through the reservoir."""

    def _seen(self, inputs: Array, states: Array) -> Array:
        if self._squares:
            states = states.copy()
            states[:, 1::2] **= 2
        return np.concatenate([np.ones((len(inputs), 1)), inputs, states], 1)

    def _scaled(self, states: Array) -> Array:
        found: Array = (states - self._centre) / self._spread
        return found.reshape(*found.shape[:-2], -1)

    def _unscaled(self, flat: Array) -> Array:
        found: Array = flat.reshape(*flat.shape[:-1], *self._shape) * self._spread + self._centre
        return found
