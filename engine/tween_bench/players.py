"""Who plays: a step tween chain, and backpropagation of the same layers, at every tick or a batch at a time.

All of them answer by the same late, double-buffered output: what they saw L ticks ago has only now come through. Under
the fresh rule all of them answer by a full pass of this moment.

    stc       the chain learns by itself, one layer of credit a tick, with one forward and one backward pass a tick
    stepped   a full forward and backward pass at every tick on the newest observation and answer
    backprop  the same over all that was collected in `interval` ticks, once every `interval` ticks

Both backpropagations go through time (truncated to WINDOW ticks, or to the batch), where layers have a memory.
`aligned` rivals learn, like the chain, what is right when the output arrives: the observation of L ticks ago with the
answer of now.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from engine.networks.tween.chain import TweenChain
from engine.networks.tween.layer import Array, Layer, State
from engine.networks.tween.sweep import Caches, sweep, sweep_back
from engine.tween_bench.optimiser import Adam, Momentum

Mode = Literal["stc", "stepped", "backprop"]
Rule = Literal["late", "fresh"]
MODES: tuple[Mode, ...] = ("stc", "stepped", "backprop")
WINDOW = 10
"""Ticks that stepped backpropagation goes back through memories."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What is tuned. A mode reads only what concerns it."""

    rate: float | tuple[float, ...]
    """Step size, of all lanes or one for each."""
    momentum: float = 0.9
    matched: bool = True
    liquid: bool = False
    adam: bool = False
    aligned: bool = False
    interval: int = 10

    def with_rate(self, rate: float | tuple[float, ...]) -> Settings:
        """The same with another step size."""
        return replace(self, rate=rate)


class Player(Protocol):
    """One network per lane."""

    def actions(self, x: Array) -> NDArray[np.int64]:
        """What each lane does about the observations x (S, 8)."""

    def learn(self, x: Array, y: Array) -> None:
        """Go through one tick: x is seen, y (S, 4) is the right answer to it, one-hot."""


def make_player(
    mode: Mode, layers: list[Layer], lanes: int, seed: int, settings: Settings, rule: Rule = "late"
) -> Player:
    """The player of a mode, with fresh weights."""
    chain = TweenChain(layers, lanes=lanes, seed=seed)
    if mode == "stc":
        return _Stepping(chain, settings, rule)
    return _Backprop(chain, settings, rule, 1 if mode == "stepped" else settings.interval)


class _Output:
    """The late output of a chain, or the fresh one of its weights."""

    def __init__(self, chain: TweenChain, rule: Rule) -> None:
        self.chain, self.rule = chain, rule
        self.layers = [link.layer for link in chain.links]
        self.weights = [link.weights for link in chain.links]
        self._states = self.memories()

    def memories(self) -> list[State]:
        """Empty ones."""
        return [layer.initial_state(self.chain.lanes, 1, self.chain.dtype) for layer in self.layers]

    def shaped(self, x: Array) -> Array:
        """Observations as the first layer reads them, (S, 1, *shape)."""
        return x.astype(self.chain.dtype).reshape(self.chain.x.shape)

    def actions(self, x: Array) -> NDArray[np.int64]:
        """See Player."""
        if self.rule == "late":
            output = self.chain.output
        else:
            output, _, self._states = sweep(self.layers, self.weights, self.shaped(x), self._states)
        return np.asarray(np.nan_to_num(output[:, 0]).argmax(-1), np.int64)


class _Stepping(_Output):
    """The chain. Under the fresh rule the answer waits for the output that it belongs to."""

    def __init__(self, chain: TweenChain, settings: Settings, rule: Rule) -> None:
        super().__init__(chain, rule)
        rules = chain.rules
        rules.rate = np.asarray(settings.rate) if isinstance(settings.rate, tuple) else settings.rate
        rules.momentum, rules.matched, rules.liquid = settings.momentum, settings.matched, settings.liquid
        self._answers: deque[Array] = deque(maxlen=len(chain.links) + 1 if rule == "fresh" else 1)

    def learn(self, x: Array, y: Array) -> None:
        """See Player."""
        self._answers.append(y.astype(self.chain.dtype)[:, None])
        full = len(self._answers) == self._answers.maxlen
        self.chain.x, self.chain.y = self.shaped(x), self._answers[0] if full else None
        self.chain.tick()


class _Backprop(_Output):
    """Backpropagation over the last `interval` ticks, whenever they are over; with 1, at every tick."""

    def __init__(self, chain: TweenChain, settings: Settings, rule: Rule, interval: int) -> None:
        super().__init__(chain, rule)
        self._interval = interval
        lag = len(chain.links) if settings.aligned and rule == "late" else 0
        self._seen: deque[Array] = deque(maxlen=lag + 1)
        self._remembers = any(self.memories())
        self._memory = self.memories()
        self._window: deque[Caches] = deque(maxlen=WINDOW if self._remembers else 1)
        self._batch: list[tuple[Array, Array]] = []
        kind = Adam if settings.adam else Momentum
        self._optimiser = kind(self.weights, settings.rate, settings.momentum)

    def learn(self, x: Array, y: Array) -> None:
        """See Player."""
        self._seen.append(self.shaped(x))
        if len(self._seen) == self._seen.maxlen:
            self._batch.append((self._seen[0], y.astype(self.chain.dtype)[:, None]))
        if len(self._batch) == self._interval:
            self._one() if self._interval == 1 else self._many()
            self._batch = []
        self.chain.x = self.shaped(x)
        self.chain.move_on()

    def _one(self) -> None:
        ((x, y),) = self._batch
        output, caches, self._memory = sweep(self.layers, self.weights, x, self._memory)
        self._window.append(caches)
        credits = [np.zeros_like(output)] * (len(self._window) - 1) + [y - output]
        self._optimiser.step(sweep_back(self.layers, self.weights, self._window, credits))

    def _many(self) -> None:
        passes, credits = [], []
        batch = self._batch
        if not self._remembers:
            batch = [(np.concatenate([x for x, _ in batch], 1), np.concatenate([y for _, y in batch], 1))]
        for x, y in batch:
            output, caches, self._memory = sweep(self.layers, self.weights, x, self._memory)
            passes.append(caches)
            credits.append((y - output) / len(self._batch))
        self._optimiser.step(sweep_back(self.layers, self.weights, passes, credits))
