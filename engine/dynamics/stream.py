"""What a stream is: the states of nodes tick by tick, and what is known about where they come from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class StreamError(ValueError):
    """A stream that cannot be made; one readable line."""


class TransitionDensity(Protocol):
    """The true distribution of a scalar state one tick later."""

    def log_density(self, now: Array, later: Array) -> Array:
        """log p(later | now), both (N,)."""

    def distribution(self, now: Array, later: Array) -> Array:
        """P(x <= later | now), both (N,)."""


@dataclass(frozen=True, slots=True)
class Truth:
    """What is known of a stream; None where it is not, or where there is no such thing."""

    rate: Callable[[float, Array], Array] | None = None
    """d state / d t of a state (nodes, d) at a time; of a stochastic equation the drift."""
    adjacency: NDArray[np.bool_] | None = None
    """(nodes, nodes): whether the rate of node i, the row, reads node j, the column. The diagonal is no edge."""
    lyapunov_time: float | None = None
    """1 / largest Lyapunov exponent."""
    density: TransitionDensity | None = None
    passages: tuple[tuple[int, int], ...] = ()
    """First tick and the one behind the last of each time that something comes by."""
    gusts: tuple[tuple[int, int], ...] = ()
    """The same, of each time that a wind blows."""
    equations: tuple[str, ...] = ()
    """For people."""
    written: tuple[str, ...] = ()
    """The right side of each number's equation with its own coefficients, (nodes * d,), for people."""

    @property
    def edges(self) -> int | None:
        """How many nodes read how many others."""
        if self.adjacency is None:
            return None
        return int(self.adjacency.sum() - np.trace(self.adjacency))


@dataclass(frozen=True, slots=True)
class Stream:
    """A finite stream; arrays are read-only."""

    name: str
    states: Array
    """(T, nodes, d), as observed: with noise."""
    clean: Array
    """(T, nodes, d), without."""
    dt: float
    """Time between ticks, in the unit of the equations."""
    labels: tuple[str, ...]
    """Of the d features."""
    truth: Truth = Truth()
    own_names: tuple[str, ...] = ()
    """Of the numbers of a state, (nodes * d,), where they have names of their own."""

    def __len__(self) -> int:
        return len(self.states)

    @property
    def nodes(self) -> int:
        """How many there are."""
        return int(self.states.shape[1])

    @property
    def features(self) -> int:
        """Numbers in a node's state."""
        return int(self.states.shape[2])

    @property
    def names(self) -> tuple[str, ...]:
        """Of the numbers of a state, (nodes * d,)."""
        return self.own_names or number_names(self.labels, self.nodes)

    @property
    def scale(self) -> Array:
        """Standard deviation of each number of the state over the stream, (nodes, d); 1 for a constant one."""
        found = self.states.std(0)
        return np.where(found > 1e-12 * (1 + np.abs(self.states).max(0)), found, 1.0)


def observed(
    name: str,
    clean: Array,
    dt: float,
    *,
    noise: float = 0.0,
    seed: int = 0,
    labels: tuple[str, ...] = ("x",),
    truth: Truth | None = None,
    names: tuple[str, ...] = (),
) -> Stream:
    """A stream whose states carry white noise, `noise` standard deviations of each number's own."""
    spread = clean.std(0)
    states = clean + noise * spread * np.random.default_rng((seed, 77)).standard_normal(clean.shape)
    for array in (clean, states):
        array.setflags(write=False)
    return Stream(name, states, clean, dt, labels, truth or Truth(), names)


def number_names(labels: tuple[str, ...], nodes: int) -> tuple[str, ...]:
    """Names of the numbers of a state, (nodes * d,): its features' labels, nodes counted from 1."""
    return tuple(f"{label}[{node}]" for node in range(1, nodes + 1) for label in labels)


def summed(*parts: tuple[float, str]) -> str:
    """A sum in words: coefficients to four digits and what they go with, "" for a plain number; "0" without parts."""
    found = ""
    for coefficient, what in parts:
        size = f"{abs(coefficient):.4g}"
        if size == "0":
            continue
        sign = "-" if coefficient < 0 else "+"
        told = " ".join(word for word in ("" if size == "1" and what else size, what) if word)
        found += f" {sign} {told}" if found else f"{sign.strip('+')}{told}"
    return found or "0"
