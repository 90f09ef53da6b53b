"""How the cost of a tick grows with the number of layers and with their width."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.bench.ours import NumbaTick
from engine.bench.problem import Problem, Shape
from engine.bench.timing import Effort, interleaved

DEPTHS = (10, 20, 50, 100, 200, 400)
WIDTHS = (64, 128, 256, 512, 1024)
QUICK_WIDTHS = (64, 128, 256)
NEURONS = 64
"""Width of the depth series."""
LAYERS = 100
"""Depth of the width series."""


def exponent(sizes: list[int], values: list[float]) -> float:
    """Slope of log value over log size, least squares."""
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def measure(widths: tuple[int, ...], effort: Effort, depths: tuple[int, ...] = DEPTHS) -> dict[str, Any]:
    """Points and fitted exponents of both series: the recursive chain in Numba, one sample, the free copy."""
    deep = _series([Shape("recursive", layers, NEURONS) for layers in depths], effort)
    wide = _series([Shape("recursive", LAYERS, neurons) for neurons in widths], effort)
    return {
        "layers_exponent": exponent([p["layers"] for p in deep], [p["ms_per_tick"] for p in deep]),
        "neurons_exponent": exponent([p["neurons"] for p in wide], [p["ms_per_tick"] for p in wide]),
        "network": "recursive",
        "backend": "numba",
        "layers": deep,
        "neurons": wide,
    }


def _series(shapes: list[Shape], effort: Effort) -> list[dict[str, Any]]:
    contestants = {}
    for shape in shapes:
        problem = Problem(shape)
        contestants[f"{shape.layers} {shape.neurons}"] = (shape, NumbaTick(problem, problem.matrices))
    durations = interleaved({name: tick for name, (_, tick) in contestants.items()}, effort)
    return [
        {"layers": shape.layers, "neurons": shape.neurons, "ms_per_tick": durations[name].seconds * 1e3}
        for name, (shape, _) in contestants.items()
    ]
