"""Layers made of layers: a residual bypass, and branches side by side that are fused."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, Literal

import numpy as np

from engine.networks.tween.layer import Array, Cache, Layer, Shape, ShapeError, State, Weights, as_part, flat, part_of

Fusion = Literal["concat", "add", "mean"]


class _Composite:
    """Its parts' weights are named after their number, their states lie one after the other."""

    parts: tuple[Layer, ...]

    def initial_weights(self, rng: np.random.Generator, lanes: int) -> Weights:
        """Those of all parts."""
        weights: Weights = {}
        for number, part in enumerate(self.parts):
            weights |= as_part(part.initial_weights(rng, lanes), str(number))
        return weights

    def initial_state(self, lanes: int, samples: int, dtype: np.dtype[Any]) -> State:
        """Those of all parts."""
        return tuple(array for part in self.parts for array in part.initial_state(lanes, samples, dtype))

    def _arriving(self, g_state: State | None) -> Sequence[State | None]:
        return [None] * len(self.parts) if g_state is None else self._state_of(g_state)

    def _state_of(self, state: State) -> list[State]:
        rest, found = list(state), []
        for part in self.parts:
            count = len(part.initial_state(1, 1, np.dtype(np.float32)))
            found.append(tuple(rest[:count]))
            rest = rest[count:]
        return found


class Residual(_Composite):
    """a = x + scale f(x), f being the parts one after the other within the tick (He et al. 2016)."""

    kind = "residual"

    def __init__(self, parts: Sequence[Layer], scale: float = 1.0) -> None:
        self.parts = tuple(parts)
        if not self.parts:
            raise ShapeError("a residual layer needs at least one part")
        self.shape_in = self.shape = self.parts[0].shape_in
        for before, after in zip(self.parts, [*self.parts[1:], self], strict=True):
            if before.shape != after.shape_in:
                raise ShapeError(f"a residual layer's {before.kind} gives {before.shape}, needed is {after.shape_in}")
        self.scale = scale

    def forward(self, weights: Weights, x: Array, state: State) -> tuple[Array, Cache, State]:
        """See Layer."""
        y = x
        caches: list[Cache] = []
        states: list[Array] = []
        for number, (part, own) in enumerate(zip(self.parts, self._state_of(state), strict=True)):
            y, cache, new = part.forward(part_of(weights, str(number)), y, own)
            caches.append(cache)
            states += new
        return x + self.scale * y, tuple(caches), tuple(states)

    def backward(
        self, weights: Weights, g: Array, cache: Cache, g_state: State | None = None
    ) -> tuple[Array, Weights, State]:
        """See Layer."""
        arriving = self._arriving(g_state)
        back = self.scale * g
        gradients: Weights = {}
        states: list[State] = [()] * len(self.parts)
        for number in reversed(range(len(self.parts))):
            own = part_of(weights, str(number))
            back, found, states[number] = self.parts[number].backward(own, back, cache[number], arriving[number])
            gradients |= as_part(found, str(number))
        return g + back, gradients, tuple(array for state in states for array in state)


class Parallel(_Composite):
    """Branches that read the same input; their outputs are joined, added or averaged."""

    kind = "parallel"

    def __init__(self, parts: Sequence[Layer], fusion: Fusion = "concat") -> None:
        self.parts = tuple(parts)
        if not self.parts:
            raise ShapeError("a parallel layer needs at least one branch")
        self.fusion = fusion
        self.shape_in = self.parts[0].shape_in
        shapes = [part.shape for part in self.parts]
        if any(part.shape_in != self.shape_in for part in self.parts):
            raise ShapeError("the branches of a parallel layer read different shapes")
        if fusion == "concat":
            self.shape: Shape = (sum(prod(shape) for shape in shapes),)
        elif len(set(shapes)) > 1:
            raise ShapeError(f"branches of shapes {', '.join(map(str, shapes))} can only be joined")
        else:
            self.shape = shapes[0]

    def forward(self, weights: Weights, x: Array, state: State) -> tuple[Array, Cache, State]:
        """See Layer."""
        outputs: list[Array] = []
        caches: list[Cache] = []
        states: list[Array] = []
        for number, (part, own) in enumerate(zip(self.parts, self._state_of(state), strict=True)):
            y, cache, new = part.forward(part_of(weights, str(number)), x, own)
            outputs.append(y)
            caches.append(cache)
            states += new
        if self.fusion == "concat":
            fused = np.concatenate([flat(y) for y in outputs], -1)
        else:
            fused = np.add.reduce(outputs) / (len(outputs) if self.fusion == "mean" else 1)
        return fused, tuple(caches), tuple(states)

    def backward(
        self, weights: Weights, g: Array, cache: Cache, g_state: State | None = None
    ) -> tuple[Array, Weights, State]:
        """See Layer."""
        arriving = self._arriving(g_state)
        if self.fusion == "concat":
            ends = np.cumsum([prod(part.shape) for part in self.parts])[:-1]
            shares = [
                piece.reshape(*g.shape[:2], *part.shape)
                for piece, part in zip(np.split(g, ends, -1), self.parts, strict=True)
            ]
        else:
            shares = [g / (len(self.parts) if self.fusion == "mean" else 1)] * len(self.parts)
        back = np.zeros((*g.shape[:2], *self.shape_in), g.dtype)
        gradients: Weights = {}
        states: list[Array] = []
        for number, (part, share) in enumerate(zip(self.parts, shares, strict=True)):
            own = part_of(weights, str(number))
            found, weight_part, state = part.backward(own, share, cache[number], arriving[number])
            back = back + found
            gradients |= as_part(weight_part, str(number))
            states += state
        return back, gradients, tuple(states)
