"""A trial: let a network that lives in a world learn for a while, freeze it, and say in numbers what it then knows."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from engine.commands import SetParameter
from engine.networks.tween.network import TweenNetwork
from engine.preset import Preset
from engine.session import Session
from kernels.backends import AUTO

COUNTED = 1000
"""Answers that are counted before and after the freeze, at most."""


def trial(
    preset: Preset, overrides: Mapping[str, float | str] | None = None, ticks: int = 2000, backend: str = AUTO
) -> dict[str, Any]:
    """Learn for so many ticks, then answer for up to COUNTED more without learning. The result is JSON-ready.

    A network that learns at every tick can be right by repeating what it was told last. What it has understood shows in
    `correct_frozen`, beside `most_frequent`: in what share of these ticks one and the same answer was wanted.
    Raises PresetError, KnobError, BackendError.
    """
    session = Session(preset, backend)
    for name, value in (overrides or {}).items():
        session.apply(SetParameter(name, value))
    network = session.network
    assert isinstance(network, TweenNetwork)
    started = time.perf_counter()
    learning = _answers(session, network, ticks)
    seconds = time.perf_counter() - started
    links = network.links()
    session.apply(SetParameter("freeze", 1))
    frozen = _answers(session, network, min(ticks, COUNTED))
    counts = [sum(wanted == name for wanted, _ in frozen) for name in {wanted for wanted, _ in frozen}]
    return {
        "preset": preset.name,
        "network": preset.network,
        "world": preset.world,
        "kinds": list(links.names),
        "ticks": ticks,
        "correct_learning": _share(learning[-COUNTED:]),
        "correct_frozen": _share(frozen),
        "most_frequent": max(counts) / len(frozen),
        "bottleneck": links.bottleneck,
        "budget": [float(value) for value in links.budget],
        "gap": [float(value) for value in links.gap],
        "barrier": [float(value) for value in links.barrier],
        "finite": network.observe().finite,
        "ticks_per_second": ticks / seconds,
    }


def _answers(session: Session, network: TweenNetwork, ticks: int) -> list[tuple[str, bool]]:
    """What was wanted, and whether it was answered, tick by tick."""
    found = []
    for _ in range(ticks):
        session.tick()
        scene = network.scene()
        found.append((scene.wanted, scene.right))
    return found


def _share(answers: list[tuple[str, bool]]) -> float:
    return float(np.mean([right for _, right in answers]))
