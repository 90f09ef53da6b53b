"""A trial of a growing graph: let it learn and grow on its stream for a while, and say in numbers what it became."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

from engine.commands import SetParameter
from engine.networks.growing.network import GrowingNetwork
from engine.preset import Preset
from engine.session import Session
from kernels.backends import AUTO


def growth_trial(
    preset: Preset, overrides: Mapping[str, float | str] | None = None, ticks: int = 2000, backend: str = AUTO
) -> dict[str, Any]:
    """Tick so many times. The result is JSON-ready; `edge_f1` is None where the true edges are not known.

    `loss` is half the mean square of the scaled errors: 0.5 for a graph that predicts no change.
    Raises PresetError, KnobError, BackendError.
    """
    session = Session(preset, backend)
    for name, value in (overrides or {}).items():
        session.apply(SetParameter(name, value))
    network = session.network
    assert isinstance(network, GrowingNetwork)
    started = time.perf_counter()
    for _ in range(ticks):
        session.tick()
    seconds = time.perf_counter() - started
    found = network.growth()
    return {
        "preset": preset.name,
        "network": preset.network,
        "stream": network.stream.name,
        "nodes": found.nodes,
        "features": found.features,
        "ticks": ticks,
        "loss": float(found.loss.mean()),
        "cells": found.struct,
        "active": found.active,
        "limit": found.limit,
        "gamma": found.gamma,
        "edges": len(found.edges),
        "edge_f1": found.edge_f1,
        "decisions": dict(sorted(Counter(d.kind for d in network.planner.ledger.decisions).items())),
        "foresight": found.foresight,
        "finite": network.observe().finite,
        "ticks_per_second": ticks / seconds,
    }
