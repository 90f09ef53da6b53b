r"""How chains lie within chains, and the tables by which kernels find their way in flat arrays.

Level 1 is one chain; each of its layers (or the ones of `within`) holds a Block, a chain of level 2; and so on. Layers
lie in the order in which they finish: a Block's layers from the bottom, then the layer that holds it. So the last layer
is the top of level 1. With u what a layer reads, o what it gives on and s the stream above it,

    z <- tanh(own R o + reads W u + b),        s <- keep u + mix o
    o = z, or the top of the stream of the Block that it holds;   u = the stream below, or z of the layer that holds it

    level 1:   own = sigma,      reads = 1,          keep = 1,          mix = 1 / sqrt(layers)
    within:    own = reads = sigma_d / 2,            keep = p / (p + 1),   mix = 1 / (p + 1)     (p-th of its Block)

||R||_2 <= 1 everywhere and ||W||_2 <= 1 within. A Block's stream is the mean of what entered it and what its layers
say, so for sigma_d <= 1 a Block moves no more than what it reads, and a layer of level 1 whose recurrence runs through
it still contracts by sigma. Then the matrix of Lipschitz constants between all states has a spectral radius below 1,
and every schedule of updates comes to the one fixed point (Chazan & Miranker 1969), however many inner ticks there are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
LEVEL, BELOW, HOLDER, FIRST, LAST = range(5)
"""Columns of `Nest.links`."""
OWN, READS, KEEP, MIX, REACH = range(5)
"""Columns of `Nest.ways`; reach is the bound of a displacement of the stream."""
DEEPEST = 6
MOST_LAYERS = 1000
MOST_INNER_TICKS = 10
INNER_TICKS = 5
SIGMA = 0.9


class NestError(ValueError):
    """Levels that do not fit each other; one readable line."""


@dataclass(frozen=True, slots=True)
class Level:
    """Chains of so many `layers`, one in each layer of the level above, or only in its layers `within` (from 1)."""

    layers: int
    within: tuple[int, ...] | None = None


def sigma_of(level: int) -> str:
    """The knob of a level's sigma."""
    return "sigma" if level == 1 else f"sigma_{level}"


def ticks_of(level: int) -> str:
    """The knob of how often a level ticks at a tick of the level above."""
    return f"ticks_{level}"


@dataclass(frozen=True)
class Nest:
    """Chains within chains. `sigmas` of the levels from 2 on; sigma of level 1 is told where it is needed.

    Raises NestError.
    """

    levels: tuple[Level, ...]
    sigmas: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not 1 <= len(self.levels) <= DEEPEST:
            raise NestError(f"{len(self.levels)} levels; there may be 1 to {DEEPEST}")
        for number, (level, above) in enumerate(zip(self.levels[1:], self.levels, strict=False), start=2):
            for place in level.within or ():
                if not 1 <= place <= above.layers:
                    raise NestError(f"level {number} cannot be within layer {place} of {above.layers}")
            if level.within is not None and len(set(level.within)) != max(1, len(level.within)):
                raise NestError(f"level {number} must be within some layers of level {number - 1}, each named once")
        if self.levels[0].within is not None:
            raise NestError("level 1 is within nothing")
        if self.count > MOST_LAYERS:
            raise NestError(f"{self.count:,} layers are more than {MOST_LAYERS:,}")
        if not self.sigmas:
            object.__setattr__(self, "sigmas", (SIGMA,) * (len(self.levels) - 1))

    @property
    def count(self) -> int:
        """Layers of all levels."""
        chains, total = 1, 0
        for level, inner in zip(self.levels, (*self.levels[1:], None), strict=True):
            total += chains * level.layers
            if inner is not None:
                chains *= level.layers if inner.within is None else len(inner.within)
        return total

    def tuned(self, knobs: Mapping[str, float | str]) -> Nest:
        """The same with inner sigmas as `knobs` have them."""
        inner = range(2, len(self.levels) + 1)
        return replace(self, sigmas=tuple(float(knobs.get(sigma_of(n), SIGMA)) for n in inner))

    @cached_property
    def links(self) -> NDArray[np.int64]:
        """Of every layer (count, 5): level from 0, the layer below in its chain, the one that holds its chain, the
        first and the last layer of the Block that it holds; -1 for none."""
        rows: list[list[int]] = []
        self._grow(0, rows)
        return np.array(rows, np.int64)

    def _grow(self, depth: int, rows: list[list[int]]) -> tuple[int, int]:
        """Append a chain; its first and last layer."""
        inner = self.levels[depth + 1] if depth + 1 < len(self.levels) else None
        below, chain = -1, []
        for place in range(1, self.levels[depth].layers + 1):
            first = last = -1
            begin = len(rows)
            if inner is not None and (inner.within is None or place in inner.within):
                first, last = self._grow(depth + 1, rows)
            own = len(rows)
            for row in rows[begin:]:
                if row[LEVEL] == depth + 1:
                    row[HOLDER] = own
            rows.append([depth, below, -1, first, last])
            chain.append(own)
            below = own
        return chain[0], chain[-1]

    @cached_property
    def roots(self) -> NDArray[np.int64]:
        """Of every layer of level 1 (layers, 2): where it and what it holds begin, and the layer itself."""
        tops = np.flatnonzero(self.links[:, LEVEL] == 0)
        return np.stack([np.concatenate([[0], tops[:-1] + 1]), tops], axis=1)

    @cached_property
    def inner(self) -> NDArray[np.int64]:
        """The layers within others, whose W has a bounded norm too."""
        return np.flatnonzero(self.links[:, LEVEL] > 0)

    def ways(self, sigma: float) -> NDArray[np.float64]:
        """Gains of every layer, (count, 5), for this sigma of level 1."""
        table, places = np.empty((self.count, 5)), np.zeros(self.count, np.int64)
        outermost = self.levels[0].layers
        for row, gains in enumerate(table):
            level, below = self.links[row, LEVEL], self.links[row, BELOW]
            place = places[row] = 1 if below < 0 else places[below] + 1
            if level == 0:
                gains[:] = sigma, 1, 1, 1 / math.sqrt(outermost), 2 * math.sqrt(outermost)
            else:
                half = self.sigmas[level - 1] / 2
                gains[:] = half, half, place / (place + 1), 1 / (place + 1), 2
        return table

    def program(self, ticks: tuple[int, ...]) -> NDArray[np.int64]:
        """What happens within a tick of level 1, in order: rows of a level (from 1, counted from 0) and 0 where its
        layers listen or 1 where they speak. `ticks`: how often level 2, 3, ... ticks at a tick of the level above."""
        steps = np.zeros((0, 2), np.int64)
        for level in range(len(self.levels) - 1, 0, -1):
            once = np.concatenate([[[level, 0]], steps, [[level, 1]]])
            steps = np.tile(once, (ticks[level - 1], 1))
        return steps

    @cached_property
    def walk(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The way through all layers from the bottom, (2 count, 2): a layer, and 0 where it listens or 1 where it
        speaks; and where the part of each layer of level 1 ends in it."""
        steps: list[tuple[int, int]] = []
        ends = []
        for top in self.roots[:, 1]:
            self._walk(int(top), steps)
            ends.append(len(steps))
        return np.array(steps, np.int64), np.array(ends, np.int64)

    def _walk(self, layer: int, steps: list[tuple[int, int]]) -> None:
        steps.append((layer, 0))
        for part in np.flatnonzero(self.links[:, HOLDER] == layer):
            self._walk(int(part), steps)
        steps.append((layer, 1))

    def visits(self, ticks: tuple[int, ...]) -> float:
        """How often a layer is computed in a tick of level 1, mean over layers."""
        times = np.cumprod([1, *ticks])
        return float(times[self.links[:, LEVEL]].mean())

    def given(self, z: Array, s: Array) -> Array:
        """o of all layers, from z and s (count, ...)."""
        last = self.links[:, LAST]
        return np.where((last < 0).reshape(-1, *[1] * (z.ndim - 1)), z, s[last])

    def read(self, z: Array, s: Array, inflow: Array) -> Array:
        """u of all layers; the first of level 1 reads the `inflow`."""
        below, holder = self.links[:, BELOW], self.links[:, HOLDER]
        u = np.where((below < 0).reshape(-1, *[1] * (z.ndim - 1)), z[holder], s[below])
        u[(below < 0) & (holder < 0)] = inflow
        return u
