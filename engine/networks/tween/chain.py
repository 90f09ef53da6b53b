r"""The chain: every tick each layer reads its neighbour's last output, and targets travel the other way.

Forward      a_i <- f_i(a_(i-1)),  all layers at once from last tick's buffers: data need L ticks to cross
Backward     g_L = y - a_L,  g_i <- (transposed Jacobian of layer i+1) g_(i+1) of last tick,  t_i = a_i + scale g_i
Layerwise    t_(i-1) <- sum_out W t_out / sum_out |W| where a layer has that rule (no derivatives), g = (t - a) / scale
Learning     v <- momentum v + (1 - momentum) rate (1/2 + budget / 2) G_i,  W <- W + v;  no step where the budget < GATE

A layer's G comes from the moment that caused the error: what arrives at layer i was caused by its pass of 2 (L - i)
ticks before, and `matched` chains keep that many passes. Unmatched ones pair the error with the newest pass.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from engine.networks.tween.layer import Array, Cache, Layer, ShapeError, State, Weights
from engine.networks.tween.links import gap, link_budget
from engine.networks.tween.liquid import liquid

GATE = 0.2
"""A layer whose link budget is below this takes no step."""


@dataclass(slots=True)
class Rules:
    """How a chain learns; may be changed between ticks."""

    rate: float | NDArray[np.float64] = 0.02
    """Step size, the same in every lane or one for each."""
    scale: float = 0.1
    """How far a target lies from the output along the credit."""
    momentum: float = 0.9
    liquid: bool = False
    layerwise: bool = False
    matched: bool = True
    learning: bool = True


class _Targeting(Protocol):
    def target(self, weights: Weights, t: Array) -> Array: ...


@dataclass(slots=True)
class Link:
    """One layer in its place: weights, momentum, buffers. Arrays (S, B, *shape) unless said otherwise."""

    layer: Layer
    weights: Weights
    velocity: Weights
    state: State
    output: Array
    change: Array
    """Output minus that of the tick before."""
    credit: Array
    """g: what should be added to the output."""
    passes: deque[tuple[Cache, Array]] = field(default_factory=deque)
    """Forward passes whose errors are still to come, oldest first: what backward needs, and the output."""
    seen: int = 0
    """Forward passes since the reset."""
    alive: Array | None = None
    """1 and 0 (*shape): outputs that are cut out stay 0 and pass no credit; None where all live."""
    budget: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    gap: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))


class TweenChain:
    """Layers with their buffers. Raises ShapeError when neighbours do not fit."""

    def __init__(
        self, layers: Sequence[Layer], *, lanes: int = 1, samples: int = 1, seed: int = 0, dtype: str = "float32"
    ) -> None:
        if not layers:
            raise ShapeError("a chain needs at least one layer")
        for before, after in pairwise(layers):
            if before.shape != after.shape_in:
                raise ShapeError(f"{before.kind} gives {before.shape}, but {after.kind} reads {after.shape_in}")
        self.lanes, self.samples, self.dtype = lanes, samples, np.dtype(dtype)
        rng = np.random.default_rng(seed)
        self.rules = Rules()
        self.ticks = 0
        self.links = [self._link(layer, rng) for layer in layers]
        self.x = np.zeros((lanes, samples, *layers[0].shape_in), self.dtype)
        """The input that the next tick reads."""
        self.y: Array | None = None
        """The target at the output, None while there is none."""
        self.reset()

    def _link(self, layer: Layer, rng: np.random.Generator) -> Link:
        weights = {name: w.astype(self.dtype) for name, w in layer.initial_weights(rng, self.lanes).items()}
        shape = (self.lanes, self.samples, *layer.shape)
        still = {name: np.zeros_like(w) for name, w in weights.items()}
        output, change, credit = (np.zeros(shape, self.dtype) for _ in range(3))
        return Link(layer, weights, still, (), output, change, credit)

    @property
    def output(self) -> Array:
        """Of the last layer, (S, B, *shape)."""
        return self.links[-1].output

    def reset(self) -> None:
        """All outputs, credits and memories to zero; weights and momenta stay."""
        self.ticks = 0
        for link in self.links:
            link.state = link.layer.initial_state(self.lanes, self.samples, self.dtype)
            link.output, link.change, link.credit = (np.zeros_like(link.output) for _ in range(3))
            silence = np.zeros((self.lanes, self.samples, *link.layer.shape_in), self.dtype)
            cache = link.layer.forward(link.weights, silence, link.state)[1]
            link.passes = deque([(cache, link.output)])
            link.seen = 0
            link.budget, link.gap = np.full(self.lanes, 0.5), np.zeros(self.lanes)

    def tick(self) -> None:
        """Errors of the outputs as they stand go back by one layer and are learned from; then every output moves on."""
        self._backward()
        self.move_on()
        self.ticks += 1

    def move_on(self) -> None:
        """The forward half of a tick alone: every layer reads its neighbour's last output."""
        arriving = self.x
        for number, link in enumerate(self.links):
            output, cache, link.state = link.layer.forward(link.weights, arriving, link.state)
            if link.alive is not None:
                output = output * link.alive
            arriving = link.output
            link.change = output - link.output
            link.output = output
            link.passes.append((cache, output))
            link.seen += 1
            while len(link.passes) > self._keep(number):
                link.passes.popleft()

    def _keep(self, number: int) -> int:
        """Forward passes that layer `number` (from 0) remembers."""
        return 2 * (len(self.links) - 1 - number) + 1 if self.rules.matched else 1

    def _backward(self) -> None:
        rules = self.rules
        links = self.links
        links[-1].credit = self._wanted()
        sent: list[Array] = []
        for number, link in enumerate(links):
            cache, output = link.passes[0]
            if link.alive is not None:
                link.credit = link.credit * link.alive
            back, gradients, _ = link.layer.backward(link.weights, link.credit, cache)
            target = output + rules.scale * link.credit
            link.gap, link.budget = gap(output, target), link_budget(output, target)
            if rules.layerwise and hasattr(link.layer, "target"):
                wanted = cast(_Targeting, link.layer).target(link.weights, target)
                back = (wanted - self._input_of(link, cache)) / rules.scale
            sent.append(back)
            if rules.learning and link.seen >= self._keep(number):
                self._learn(link, gradients)
        for link, credit in zip(links, sent[1:], strict=False):
            link.credit = credit

    def _wanted(self) -> Array:
        """g of the last layer."""
        return np.zeros_like(self.output) if self.y is None else self.y - self.output

    def _input_of(self, link: Link, cache: Cache) -> Array:
        read: Array = cache[0]
        return read.reshape(self.lanes, self.samples, *link.layer.shape_in)

    def _learn(self, link: Link, gradients: dict[str, Any]) -> None:
        rules = self.rules
        rate = np.where(link.budget < GATE, 0.0, rules.rate * (0.5 + 0.5 * link.budget)).astype(self.dtype)
        for name, gradient in gradients.items():
            if rules.liquid:
                gradient = liquid(gradient)
            v = link.velocity[name]
            v *= rules.momentum
            v += (1 - rules.momentum) * rate.reshape(-1, *(1,) * (v.ndim - 1)) * gradient
            link.weights[name] += v
