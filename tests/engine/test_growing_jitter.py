"""Noise on what is remembered: it is one noisy past, seen in differences, and the way back from it is learned."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.networks.growing.learner import Learner
from tests.engine.growing_cases import wanderers, watched

SIZE = 0.2


def test_differences_are_those_of_one_noisy_past() -> None:
    graph = watched(wanderers(3, 2), memory=4, pools=1)
    memory = graph.memory
    memory.pool(0, np.array([0, 2]))
    ticks = np.array([50, 120, 200])
    seen, off = memory.jittered(ticks, 3, SIZE, np.random.default_rng(0))
    clean = memory.seen(ticks, 3)
    noisy = seen * memory.scale[:, :, None]
    assert noisy[0, 0, :6] - clean[0, 0, :6] == pytest.approx(off, abs=1e-12)
    assert np.abs(off).std() > 0.05
    for h in range(1, 4):
        for lag in range(2):
            assert noisy[lag, h] == pytest.approx(noisy[lag, h - 1] - noisy[lag + 1, h - 1], abs=1e-9)
    assert noisy[:, 0, 6] == pytest.approx(noisy[:, 0, [0, 2]].mean(1), abs=1e-9)


def test_an_identity_is_off_by_the_change_and_by_the_noise() -> None:
    graph = watched(wanderers(3, 2))
    learner = Learner(graph)
    plain = np.square(learner.errors(5000)[1]).mean(1)
    graph.settings = replace(graph.settings, jitter=SIZE)
    noisy = np.square(learner.errors(5000)[1]).mean(1)
    assert noisy - plain == pytest.approx((SIZE / graph.unit) ** 2, rel=0.15)


def test_without_it_batches_are_what_they_were() -> None:
    graph = watched(wanderers(3, 2))
    ticks = graph.memory.draw(np.random.default_rng((0, 32)), 50)
    done, error = Learner(graph).errors(50)
    assert (done.seen == graph.memory.seen(ticks, 1)).all()
    assert (error == done.y - graph.targets(ticks)).all()
