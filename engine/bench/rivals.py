"""Ticks as one would write them with a library: products by NumPy or torch, the rest in whole-array operations.

A rival is a way to multiply (`Multiplier`) and a layout. Everything is allocated once and bound in advance: a tick is a
list of calls. Products run over the columns that a tick advances, so with one column only the free copy is computed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from engine.bench.elementwise import Change, Remainder, part
from engine.bench.problem import SIGMA, Array, Problem

Step = Callable[[], object]


class Multiplier(Protocol):
    """How a stack of matrices meets a stack of columns."""

    @property
    def xp(self) -> Any:
        """The library's module."""

    @property
    def axis(self) -> int:
        """Where the columns lie: 1 for states (L, C, B, N), 2 for (L, N, C, B)."""

    @property
    def note(self) -> str:
        """Which variant this is."""

    def array(self, values: Array) -> Any:
        """A NumPy array as this library's."""

    def host(self, values: Any) -> Array:
        """And back."""

    def bind(self, matrices: Any, x: Any, out: Any, transposed: bool) -> Step:
        """What computes out[l] = A[l] x[l] (A^T if transposed) for all layers and columns."""

    def prepare(self) -> None:
        """Set the number of threads."""


class Rival:
    """One tick of a problem, over and over. Streams have an entry more, at 0, which holds the inflow."""

    burst = 1

    def __init__(self, problem: Problem, by: Multiplier) -> None:
        self._by = by
        self.note = by.note
        self._problem = problem
        self._parity = 0
        self._columns = problem.shape.columns
        recursive = problem.shape.network == "recursive"
        self._streams = [self._stream(problem.states[-1]) for _ in range(2)]
        self._blocks = [by.array(self._laid(problem.states[0])) for _ in range(2 if recursive else 0)]
        bind = self._bind_recursive if recursive else self._bind_hopfield
        self._walks = [bind(0, 1), bind(1, 0)]

    def prepare(self) -> None:
        """Set the number of threads."""
        self._by.prepare()

    def tick(self) -> None:
        """Advance once."""
        for step in self._walks[self._parity]:
            step()
        self._parity = 1 - self._parity

    def first(self) -> int:
        """Advance as little as possible; the number of ticks."""
        self.tick()
        return 1

    def states(self) -> list[Array]:
        """Where the states are now, each (L, B, columns, N)."""
        current = [self._streams[self._parity][1:]]
        if self._blocks:
            current.insert(0, self._blocks[self._parity])
        order = (0, 2, 1, 3) if self._by.axis == 1 else (0, 3, 2, 1)
        return [self._by.host(state).transpose(order) for state in current]

    def _laid(self, state: Array) -> Array:
        """A contiguous copy of (L, B, 3, N) in this rival's layout, of the columns that are advanced."""
        order = (0, 2, 1, 3) if self._by.axis == 1 else (0, 3, 2, 1)
        return np.array(state[:, :, : self._columns].transpose(order), order="C")

    def _stream(self, state: Array) -> Any:
        first = np.zeros_like(state[:1])
        first[0, :, 0] = self._problem.inflow
        return self._by.array(np.concatenate([self._laid(first), self._laid(state)]))

    def _fed(self) -> tuple[Any, Any]:
        """Drive as one column, and the force on the top layer of the two nudged columns."""
        axes = (1,) if self._by.axis == 1 else (2,)
        drive, force = self._problem.drive, self._problem.force
        if self._by.axis == 2:
            drive, force = drive.swapaxes(1, 2), force.T
        both = np.stack([force, -force], axes[0] - 1)
        return (
            self._by.array(np.ascontiguousarray(np.expand_dims(drive, axes))),
            self._by.array(np.ascontiguousarray(both)),
        )

    def _bind_recursive(self, now: int, then: int) -> list[Step]:
        xp, axis, by = self._by.xp, self._by.axis, self._by
        R, W = (by.array(matrix) for matrix in self._problem.matrices)
        z, z_out, stream, stream_out = self._blocks[now], self._blocks[then], self._streams[now], self._streams[then]
        below, s, s_out = stream[:-1], stream[1:], stream_out[1:]
        drive, force = self._fed()
        share = 1 / math.sqrt(self._problem.shape.layers)
        pre, up = xp.empty_like(z), xp.empty_like(z)
        free, free_pre = part(z_out, axis, 0, 1), part(pre, axis, 0, 1)
        s_free, below_free = part(s_out, axis, 0, 1), part(below, axis, 0, 1)
        change_z, change_s = Change(xp, z), Change(xp, s)

        def forward() -> None:
            xp.multiply(pre, SIGMA, out=pre)
            xp.add(pre, up, out=pre)
            xp.add(free_pre, drive, out=free_pre)
            xp.tanh(free_pre, out=free)
            xp.multiply(free, share, out=s_free)
            xp.add(s_free, below_free, out=s_free)

        def measure() -> None:
            change_z.between(z, z_out)
            change_s.between(s, s_out)

        walk: list[Step] = [by.bind(R, z, pre, False), by.bind(W, below, up, False), forward]
        if self._columns == 1:
            return [*walk, measure]

        dz, ds, dz_out, ds_out = (part(x, axis, 1, 3) for x in (z, s, z_out, s_out))
        old = part(z, axis, 0, 1)
        slope = xp.empty_like(old)
        credit, back_r, back_w, above = (by.array(by.host(dz).copy()) for _ in range(4))
        remainder = Remainder(xp, part(pre, axis, 1, 3), free)
        reach = 2 / share

        def blame() -> None:
            xp.multiply(old, old, out=slope)
            xp.multiply(slope, -1, out=slope)
            xp.add(slope, 1, out=slope)
            xp.multiply(ds, share, out=credit)
            xp.add(credit, dz, out=credit)
            xp.multiply(credit, slope, out=credit)

        def backward() -> None:
            curved = remainder.curved()
            xp.add(ds[1:], back_w[1:], out=above[:-1])
            above[-1] = force
            xp.multiply(back_r, SIGMA, out=back_r)
            xp.add(back_r, curved, out=back_r)
            xp.clip(back_r, -2, 2, out=dz_out)
            xp.multiply(curved, share, out=curved)
            xp.add(above, curved, out=above)
            xp.clip(above, -reach, reach, out=ds_out)

        return [blame, *walk, by.bind(R, credit, back_r, True), by.bind(W, credit, back_w, True), backward, measure]

    def _bind_hopfield(self, now: int, then: int) -> list[Step]:
        xp, axis, by = self._by.xp, self._by.axis, self._by
        (W,) = (by.array(matrix) for matrix in self._problem.matrices)
        stream, stream_out = self._streams[now], self._streams[then]
        below, s, s_out = stream[:-1], stream[1:], stream_out[1:]
        drive, force = self._fed()
        push = xp.empty_like(s)
        down = xp.empty_like(s[1:])
        free, free_push = part(s_out, axis, 0, 1), part(push, axis, 0, 1)
        displaced = self._columns == 3
        force_felt = part(push, axis, 1, 3)[-1]
        remainder = Remainder(xp, part(push, axis, 1, 3), free) if displaced else None
        change = Change(xp, s)

        def settle() -> None:
            xp.add(push[:-1], down, out=push[:-1])
            xp.multiply(push, SIGMA / 2, out=push)
            xp.add(free_push, drive, out=free_push)
            if displaced:
                xp.add(force_felt, force, out=force_felt)
            xp.multiply(push[-1], 2, out=push[-1])
            xp.tanh(free_push, out=free)
            if remainder is not None:
                remainder.whole(part(s_out, axis, 1, 3))
            change.between(s, s_out)

        return [by.bind(W, below, push, False), by.bind(W[1:], s[1:], down, True), settle]
