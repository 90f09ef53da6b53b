"""What a model has to do: learn from the first part of a stream, forecast the last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engine.dynamics import Stream, make_stream
from engine.dynamics.scores import nrmse, valid_time

Array = NDArray[np.float64]
PAST = 100
"""Ticks that a forecast may look back."""
STARTS = 20
"""Forecasts that a valid time is the mean of."""
TRAIN, VALIDATION = 0.6, 0.15
"""Shares of the stream; the rest is the test."""


@dataclass(frozen=True, slots=True)
class Data:
    """A stream of the bench."""

    name: str
    parameters: tuple[tuple[str, float], ...] = ()
    horizon: int = 200
    """Ticks that a free roll-out goes; 0 where chance decides what comes."""

    def problem(self, seed: int, ticks: int | None = None) -> Problem:
        """With another seed; of another length if wanted. Raises StreamError."""
        from_file = self.name.lower().endswith((".csv", ".npz"))
        parameters = dict(self.parameters) | ({} if from_file else {"seed": seed})
        if ticks is not None and not from_file:
            parameters["steps"] = ticks
        stream = make_stream(self.name, **parameters)
        first, last = round(TRAIN * len(stream)), round((TRAIN + VALIDATION) * len(stream))
        room = len(stream) - last - PAST - 1
        return Problem(stream, first, last, max(min(self.horizon, room // 2), 0))


DATA = {
    data.name: data
    for data in (
        Data("lorenz63", (("steps", 6000),), horizon=500),
        Data("lorenz96", (("steps", 6000),), horizon=120),
        Data("fhn", (("steps", 8000), ("noise", 0.05)), horizon=200),
        Data("heat", (("steps", 4000),), horizon=200),
        Data("wave", (("steps", 4000),), horizon=300),
        Data("doublewell", (("steps", 9000),), horizon=0),
        Data("black-hole", (("steps", 8000), ("noise", 0.002)), horizon=300),
    )
}


@dataclass(frozen=True, slots=True)
class Problem:
    """A stream and where its parts begin: training [0, first), validation [first, last), test [last, T)."""

    stream: Stream
    first: int
    last: int
    horizon: int

    @property
    def training(self) -> Array:
        """(T, nodes, d), as observed."""
        return self.stream.states[: self.first]


def pace(step: int, steps: int) -> float:
    """Share of the step size that is used: all of it for half of the training, then half a cosine to a hundredth."""
    late = max(2 * step / steps - 1, 0.0)
    return 0.01 + 0.99 * (1 + float(np.cos(np.pi * late))) / 2


class Model(Protocol):
    """What has been fitted. `weights` counts its trained numbers; `tokens` those it was charged for."""

    weights: int
    tokens: int

    def one_step(self, states: Array) -> Array:
        """The state after each of states[PAST - 1:], each from what came before, (T - PAST + 1, nodes, d)."""

    def roll_out(self, past: Array, steps: int) -> Array:
        """Free forecasts from pasts (B, PAST, nodes, d), (B, steps, nodes, d)."""

    def adjacency(self) -> NDArray[np.bool_] | None:
        """Who reads whom, [reader, read]; None where everybody reads everybody."""


@dataclass(frozen=True, slots=True)
class Score:
    """Of one part of a stream; errors are against the states without noise."""

    one_step: float
    valid: float | None

    @property
    def merit(self) -> tuple[float, float]:
        """Larger is better: how long forecasts last, then how small the next step's error is."""
        return self.valid or 0.0, -self.one_step


def score(model: Model, problem: Problem, *, test: bool) -> Score:
    """On the test, or on the validation part."""
    begin, end = (problem.last, len(problem.stream)) if test else (problem.first, problem.last)
    seen, clean = problem.stream.states[begin - PAST : end], problem.stream.clean[begin - PAST : end]
    scale = problem.stream.scale
    one_step = nrmse(model.one_step(seen[:-1]), clean[PAST:], scale)
    horizon = min(problem.horizon, (len(seen) - PAST) // 2)
    if horizon == 0:
        return Score(one_step, None)
    starts = np.linspace(PAST, len(seen) - horizon, STARTS).astype(int)
    ahead = model.roll_out(np.stack([seen[s - PAST : s] for s in starts]), horizon)
    truth, dt = problem.stream.truth, problem.stream.dt
    lasts = [
        valid_time(path, clean[s : s + horizon], scale, dt, truth.lyapunov_time)
        for path, s in zip(ahead, starts, strict=True)
    ]
    return Score(one_step, float(np.mean(lasts)))
