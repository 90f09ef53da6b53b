"""Medians over interleaved rounds: A B C A B C, so that a machine that drifts slows all of them alike."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Protocol

BUNDLE_SECONDS = 0.0005
"""Ticks shorter than this are timed several at a time."""


class Timed(Protocol):
    """What can be timed."""

    @property
    def burst(self) -> int:
        """Ticks of one call of `tick`."""

    def prepare(self) -> None:
        """Called once before each turn, untimed: threads and the like."""

    def tick(self) -> None:
        """Tick once, or a burst."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured: turns per contestant, and the least time of a turn in seconds.

    Each turn starts untimed for `warm` seconds, so that the one before has left caches and cores: idle BLAS threads
    go on spinning for some 25 ms.
    """

    turns: int = 9
    seconds: float = 0.04
    warm: float = 0.03


@dataclass(frozen=True, slots=True)
class Duration:
    """Seconds per tick: the median of the timed bundles, and the range of their middle half over the median."""

    seconds: float
    spread: float


def _duration(samples: list[float]) -> Duration:
    middle = median(samples)
    low, _, high = quantiles(samples, n=4) if len(samples) > 1 else (middle, middle, middle)
    return Duration(middle, (high - low) / middle)


def interleaved(contestants: Mapping[str, Timed], effort: Effort) -> dict[str, Duration]:
    """Durations over all timed bundles of all turns."""
    samples: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(effort.turns):
        for name, contestant in contestants.items():
            samples[name] += turn(contestant, effort)
    return {name: _duration(times) for name, times in samples.items()}


def turn(contestant: Timed, effort: Effort) -> list[float]:
    """Seconds per tick of the bundles of one turn; at least one bundle."""
    contestant.prepare()
    clock = time.perf_counter
    started, ticks = clock(), 0
    while ticks == 0 or clock() - started < effort.warm:
        contestant.tick()
        ticks += 1
    per_bundle = max(1, round(BUNDLE_SECONDS * ticks / (clock() - started)))
    samples: list[float] = []
    started = clock()
    while not samples or clock() - started < effort.seconds:
        before = clock()
        for _ in range(per_bundle):
            contestant.tick()
        samples.append((clock() - before) / (per_bundle * contestant.burst))
    return samples
