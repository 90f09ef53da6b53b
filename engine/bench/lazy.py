"""Lazy against dense ticks of the same network, on the same digits, driven by the same loop.

`rest`: a digit is clamped on a network that rests without a picture. `streamed`: on a network that has settled on a
digit, that digit morphed by a tenth into the next one. Both engines tick until the largest change of a tick is under
1e-5, looking once every few ticks. The error is that of the activations, ||x - x*|| / ||x*||, x* being where dense
ticks end when they go on until nothing but rounding moves.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import mean, median
from typing import Any

import numpy as np

from engine.bench.problem import Array
from engine.build import build_network, load_data
from engine.data import Dataset
from engine.network import Network
from engine.networks.chain import LAZY, PLAIN
from engine.preset import Preset, load_preset
from kernels.backends import AUTO

PRESET = "deep-100"
EPSILONS = (3e-2, 1e-2, 1e-3, 5e-4, 1e-4)
TOLERANCE = 1e-5
MORPH = 0.1
_LOOK_EVERY = 4
_GIVE_UP = 2000
_EXACT = 1e-7
_POLISH_TICKS = 400


@dataclass
class _Run:
    seconds: float
    flops: float
    ticks: int
    state: Array
    label: int


@dataclass
class _Tally:
    """What lazy runs of one epsilon and kind of input came to, digit by digit."""

    saved: list[float] = field(default_factory=list)
    faster: list[float] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)
    same: list[bool] = field(default_factory=list)
    ticks: list[int] = field(default_factory=list)
    dense_ticks: list[int] = field(default_factory=list)

    def add(self, lazy: _Run, dense: _Run, goal: Array, label: int) -> None:
        """Compare one digit's runs."""
        self.saved.append(1 - lazy.flops / dense.flops)
        self.faster.append(dense.seconds / lazy.seconds)
        self.errors.append(float(np.linalg.norm(lazy.state - goal) / np.linalg.norm(goal)))
        self.same.append(lazy.label == label)
        self.ticks.append(lazy.ticks)
        self.dense_ticks.append(dense.ticks)

    def row(self) -> dict[str, float]:
        """Means over digits; of the speed-ups, each of one digit's two runs, the median."""
        return {
            "flops_saved": mean(self.saved),
            "wallclock_speedup": median(self.faster),
            "state_error": mean(self.errors),
            "state_error_max": max(self.errors),
            "same_class": mean(self.same),
            "ticks": median(self.ticks),
            "dense_ticks": median(self.dense_ticks),
        }


def measure(
    digits: int = 100,
    epsilons: tuple[float, ...] = EPSILONS,
    preset: str = PRESET,
    backend: str = AUTO,
    done: Callable[[], None] = lambda: None,
) -> list[dict[str, Any]]:
    """One entry per input and epsilon, over the first `digits` digits. `done` is called after each digit."""
    chosen = load_preset(preset)
    data = load_data(chosen)
    networks = [_network(chosen, backend, epsilon) for epsilon in (None, *epsilons)]
    tallies = {(kind, epsilon): _Tally() for kind in ("rest", "streamed") for epsilon in epsilons}
    for index in range(digits):
        digit, following = (_encoded(data, (index + step) % len(data.images)) for step in (0, 1))
        morphed = (1 - MORPH) * digit + MORPH * following
        for kind, picture in (("rest", digit), ("streamed", morphed)):
            if kind == "rest":
                for network in networks:
                    _to_rest(network, chosen.seed)
            dense, *lazies = [_settle(network, picture) for network in networks]
            goal, label = _polished(networks[0])
            for epsilon, lazy in zip(epsilons, lazies, strict=True):
                tallies[kind, epsilon].add(lazy, dense, goal, label)
        done()
    return [
        {"preset": preset, "input": kind, "epsilon": epsilon, "digits": digits, **tally.row()}
        for (kind, epsilon), tally in tallies.items()
    ]


def _network(preset: Preset, backend: str, epsilon: float | None) -> Network:
    network = build_network(preset, backend)
    for name, value in preset.knobs.items():
        if name in network.parameters:
            network.set_parameter(name, value)
    network.set_parameter("dynamics", PLAIN if epsilon is None else LAZY)
    if epsilon is not None:
        network.set_parameter("epsilon", epsilon)
    return network


def _encoded(data: Dataset, index: int) -> Array:
    return data.encode(data.images[index])[None]


def _to_rest(network: Network, seed: int) -> None:
    """The fixed point without a picture: trained biases keep a network busy at its zero state, which is no rest."""
    gain = network.parameters["input_gain"].value
    network.reset(seed)
    network.set_parameter("input_gain", 0.0)
    _until_still(network)
    network.set_parameter("input_gain", gain)


def _settle(network: Network, picture: Array) -> _Run:
    flops, ticks = network.effective_flops, network.ticks
    started = time.perf_counter()
    network.clamp(picture, None)
    while network.ticks - ticks < _GIVE_UP:
        for _ in range(_LOOK_EVERY):
            network.tick(False)
        if network.observe().velocity_max[0] < TOLERANCE:
            break
    seconds = time.perf_counter() - started
    state, label = network.channels(0)[0].copy(), int(network.logits()[0].argmax())
    return _Run(seconds, network.effective_flops - flops, network.ticks - ticks, state, label)


def _until_still(network: Network) -> None:
    for _ in range(_POLISH_TICKS):
        network.tick(False)
        if network.observe().velocity_max[0] < _EXACT:
            break


def _polished(dense: Network) -> tuple[Array, int]:
    """Where dense ticks end, and the class that is read there."""
    _until_still(dense)
    return dense.channels(0)[0].copy(), int(dense.logits()[0].argmax())
