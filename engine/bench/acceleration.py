"""Ticks that each dynamics of the Hopfield chain needs, from rest until every neuron is within 1e-6 of the fixed point.

Distance to the fixed point is what is compared, not the velocity: a slow method has a small velocity long before it has
arrived. Measured in float64 (NumPy reference), where rounding does not reach the tolerance.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from engine.bench.problem import Array
from engine.build import build_network, load_data
from engine.network import Network
from engine.networks.chain import PLAIN
from engine.networks.hopfield_chain import ACCELERATED, RED_BLACK
from engine.preset import load_preset

PRESET = "hopfield-100"
SIGMAS = (0.8, 0.9, 0.95, 0.99)
CLOSE = 1e-6
_AT_REST = 1e-14
_GIVE_UP = 5000


def measure(
    sigmas: tuple[float, ...] = SIGMAS, preset: str = PRESET, done: Callable[[], None] = lambda: None
) -> list[dict[str, Any]]:
    """One entry per sigma; `ticks_*` is None for a dynamics that has not arrived after 5,000 ticks."""
    chosen = load_preset(preset).model_copy(update={"dtype": "float64"})
    network, data = build_network(chosen, "numpy"), load_data(chosen)
    for name, value in chosen.knobs.items():
        if name in network.parameters:
            network.set_parameter(name, value)
    network.clamp(data.encode(data.images[chosen.sample])[None], None)
    table = []
    for sigma in sigmas:
        network.set_parameter("sigma", sigma)
        goal = _fixed_point(network, chosen.seed)
        ticks = {way: _ticks_to(goal, network, way, chosen.seed) for way in (PLAIN, ACCELERATED, RED_BLACK)}
        table.append({
            "sigma": sigma,
            "ticks_plain": ticks[PLAIN],
            "ticks_accelerated": ticks[ACCELERATED],
            "ticks_red_black": ticks[RED_BLACK],
        })  # fmt: skip
        done()
    return table


def _fixed_point(network: Network, seed: int) -> Array:
    network.set_parameter("dynamics", ACCELERATED)
    network.reset(seed)
    for _ in range(_GIVE_UP):
        network.tick(False)
        if network.observe().velocity_max[0] < _AT_REST:
            break
    return network.channels(0)[0].copy()


def _ticks_to(goal: Array, network: Network, dynamics: str, seed: int) -> int | None:
    network.set_parameter("dynamics", dynamics)
    network.reset(seed)
    for tick in range(1, _GIVE_UP + 1):
        network.tick(False)
        if np.abs(network.channels(0)[0] - goal).max() < CLOSE:
            return tick
    return None
